"""Stores whose every write of one document is a step of its own, so that a crash may fall between any two."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Iterable, Mapping
from typing import Any, Final

from cdp_runtime.failures import Conflict
from cdp_testkit import Action, LocalBus

READS: Final = {
    "load", "pointers", "entities", "refusals", "due", "unmarked", "ping", "find", "members", "links_of", "splits",
    "about", "newest", "load_activity",
}  # fmt: skip
"""Calls that change nothing: one step each. Every other call is taken apart."""

UNORDERED: Final = {"save", "add", "add_pointers", "add_entities", "add_links", "add_refusals", "repoint"}
"""Calls whose documents MongoDB writes in an order of its own."""


class Watched:
    """Tells the bus's script of every step before it is taken, under the name of the store it belongs to.

    A script with a method `done` hears of it afterwards too, before whoever asked for it gets an answer; one that
    is `backward` lets documents that may be written in any order be written last one first.
    """

    def __init__(self, store: Any, bus: LocalBus, role: str, name: str) -> None:
        self._store = store
        self._bus = bus
        self._role = role
        self._name = name

    def __getattr__(self, name: str) -> Any:
        member = getattr(self._store, name)
        if not inspect.iscoroutinefunction(member):
            return member

        async def call(*arguments: Any) -> Any:
            calls = [arguments] if name in READS else apart(*arguments)
            if not calls:
                return await member(*arguments)
            if name in UNORDERED and getattr(self._bus.script, "backward", False):
                calls.reverse()
            return await one_by_one(lambda given: self._step(name, member, given), calls)

        return call

    async def _step(self, name: str, member: Callable[..., Any], arguments: tuple[Any, ...]) -> Any:
        action = Action(name, self._role, self._name, 1)
        self._bus.note(action)
        result = await member(*arguments)
        if done := getattr(self._bus.script, "done", None):
            done(action)
        return result


def apart(*arguments: Any) -> list[tuple[Any, ...]]:
    """The calls with one document each that a call with many of them stands for. Unchanged records are none."""
    match arguments:
        case (Mapping() as many,):
            return [({key: value},) for key, value in many.items() if getattr(value, "changed", True)]
        case (str() | bytes(),):
            return [arguments]
        case (Iterable() as many,):
            return [([one],) for one in many]
    return [arguments]


async def one_by_one(step: Callable[[tuple[Any, ...]], Any], calls: list[tuple[Any, ...]]) -> Any:
    """Each call in turn. As in a bulk write, one that conflicts keeps no other from being made."""
    results: list[Any] = []
    lost: Conflict | None = None
    for arguments in calls:
        try:
            results.append(await step(arguments))
        except Conflict as conflict:
            lost = conflict
    if lost:
        raise lost
    return joined(results)


def joined(results: list[Any]) -> Any:
    """What one call for all of them would have returned."""
    match results[0]:
        case set():
            return set().union(*results)
        case list():
            return [item for result in results for item in result]
    return results[0]

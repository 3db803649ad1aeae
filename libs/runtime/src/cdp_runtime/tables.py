"""Definitions as tables: a compacted topic read to its end, then followed."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterable
from typing import Any, Final, Generic, TypeVar

from cdp_contracts.envelope import Contract
from cdp_contracts.topics import Topic

from cdp_runtime import metrics
from cdp_runtime.codec import decode

M = TypeVar("M", bound=Contract)
V = TypeVar("V")

log: Final = logging.getLogger("cdp.table")


class GlobalTable(Generic[M, V]):
    """The latest definition of each key, compiled. Every instance holds all of it.

    A definition that does not decode or compile leaves the last good one in force and is reported.
    With `required`, an empty table is not ready: nothing defined means "wait", not "refuse everything".
    """

    def __init__(self, topic: Topic[M], compile: Callable[[M], V], *, required: bool = False) -> None:  # noqa: A002
        self.topic = topic
        self.caught_up = False
        self._compile = compile
        self._required = required
        self._values: dict[str, V] = {}
        self._listeners: list[Callable[[str], None]] = []

    @classmethod
    def plain(cls, topic: Topic[M], *, required: bool = False) -> GlobalTable[M, M]:
        """A table of the definitions as they are."""
        return GlobalTable[M, M](topic, _same, required=required)

    @property
    def ready(self) -> bool:
        """Whether it was read to its end, and holds something if it must."""
        return self.caught_up and bool(self._values or not self._required)

    def get(self, key: str) -> V | None:
        """The definition in force under that key."""
        return self._values.get(key)

    def values(self) -> Iterable[V]:
        """All definitions in force."""
        return self._values.values()

    def items(self) -> Iterable[tuple[str, V]]:
        """All keys with their definitions."""
        return self._values.items()

    def on_change(self, listener: Callable[[str], None]) -> None:
        """Call this with the key after each change."""
        self._listeners.append(listener)

    def apply(self, key: str, value: bytes | None) -> None:
        """Take in one record of the topic; null removes the definition."""
        if value is None:
            self._values.pop(key, None)
        else:
            try:
                self._values[key] = self._compile(decode(self.topic, value))
            except Exception as error:  # a bad definition must not take the good one down
                metrics.BAD_DEFINITIONS.labels(self.topic.name).inc()
                log.error("definition on %s does not compile: %s", self.topic.name, type(error).__name__)  # noqa: TRY400
                return
        for listener in self._listeners:
            listener(key)


AnyTable = GlobalTable[Any, Any]


def _same(definition: M) -> M:
    return definition

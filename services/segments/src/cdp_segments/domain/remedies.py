"""What would have to happen for a condition to flip: the smallest change, as data and in words.

Every leaf says by `lacks(person, now)` what event or value would flip the truth it has now, None if none can. Then
the clock may.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence
from datetime import datetime
from math import inf
from typing import Final, Literal, TypeAlias

from cdp_contracts.conditions_v1 import CompareOp, Count, EventSequence, Trait
from pydantic import BaseModel, ConfigDict, Field

from cdp_segments.domain.asking import Ask, Measured
from cdp_segments.domain.comparing import compare_numbers
from cdp_segments.domain.telling import moment_of
from cdp_segments.domain.windows import FOREVER
from cdp_segments.domain.wording import after_all, comparison, events_of, within

OPPOSITES: Final[dict[str, str]] = {
    "==": "!=", "!=": "==", ">": "<=", "<=": ">", ">=": "<", "<": ">=",
    "exists": "missing", "missing": "exists", "contains": "does not contain", "in": "not in",
}  # fmt: skip


class Remedy(BaseModel):
    """One change that flips a condition."""

    model_config = ConfigDict(frozen=True)

    kind: Literal["events", "value", "trait", "visit", "clock", "never"] = Field(
        description="`events`: so many more; `value`: an amount has to move; `trait`: it has to become so;"
        " `visit`: some visit has to be so; `clock`: it happens by itself; `never`: nothing can"
    )
    words: str
    event: str | None = Field(default=None, description="which event, of the kind `events`")
    count: int | None = Field(default=None, description="how many more of it")
    amount: float | None = Field(default=None, description="how far the amount is from the threshold, signed")
    at: datetime | None = Field(default=None, description="when it comes about: by the clock, or after the events")
    before: datetime | None = Field(default=None, description="from then on it takes more, if nothing happens")


Remedies: TypeAlias = tuple[Remedy, ...]  # all of them together

NEVER: Final = Remedy(kind="never", words="nothing can change that")


def more_events(person: Measured, now: int, ask: Ask, count: Count) -> Remedy | None:
    """So many more events, by which a count flips."""
    truth = compare_numbers(count.op, len(ask.held(person, now)), count.n)
    counted_from = ask.reach.enters(now) if ask.reach.delayed else now
    held = ask.held(person, counted_from)
    more = steps_up(count.op, count.n, len(held), truth=truth)
    if not more:
        return None
    leaving = ask.reach.leaves(held[0][0]) if held else FOREVER
    return Remedy(
        kind="events",
        words=f"{more} more {events_of(count)}{within(count.window)}{_before(leaving)}",
        event=count.event,
        count=more,
        at=moment_of(counted_from) if ask.reach.delayed else None,
        before=None if leaving == FOREVER else moment_of(leaving),
    )


def steps_up(op: CompareOp, n: int, count: int, *, truth: bool) -> int:
    """By how much a count must rise for the comparison with n not to be `truth`; 0 if no rise is needed, or helps.

    A comparison changes its truth nowhere but at n and at n + 1.
    """
    if compare_numbers(op, count, n) is not truth:
        return 0
    rises = (k for k in (n - count, n + 1 - count) if k > 0)
    return next((k for k in rises if compare_numbers(op, count + k, n) is not truth), 0)


def another_value(op: CompareOp, threshold: float, found: float | None, words: str, *, truth: bool) -> Remedy:
    """An amount that has to move."""
    wanted = f"{OPPOSITES[op] if truth else op} {threshold:.15g}"
    amount = None if found is None else round(threshold - found, 6)
    is_now = "" if found is None else f" (is {found:.15g})"
    return Remedy(kind="value", words=f"{words} {wanted}{is_now}", amount=amount)


def trait_remedy(trait: Trait, *, holds: bool) -> Remedy:
    """A trait that has to compare as it should, or must not."""
    if not holds:
        return Remedy(kind="trait", words=comparison(f"trait {trait.trait}", trait))
    value = "" if trait.op in ("exists", "missing") else f" {json.dumps(trait.value, ensure_ascii=False)}"
    return Remedy(kind="trait", words=f"trait {trait.trait} {OPPOSITES[trait.op]}{value}")


def once_more(event: str, named: str, at: int | None = None) -> Remedy:
    """That it happens once more."""
    moment = None if at is None else moment_of(at)
    return Remedy(kind="events", words=f"1 more {named}", event=event, count=1, at=moment)


def steps_left(sequence: EventSequence, left: int, often: int, at: int | None) -> Remedy:
    """The last steps of a sequence, and the last one as often as it takes."""
    steps, moment = sequence.steps[-left:], None if at is None else moment_of(at)
    again = f", {often} times" if often > 1 else ""
    silence = f", and no {after_all(sequence.not_after)}" if sequence.not_after else ""
    return Remedy(
        kind="events",
        words=f"{', then '.join(events_of(step) for step in steps)}{again}{silence}",
        event=steps[0].event if left == 1 else None,
        count=left + often - 1,
        at=moment,
    )


def by_the_clock(at: int | None, words: str) -> Remedy:
    """That nothing but time helps, or not even that."""
    if at is None:
        return NEVER
    moment = moment_of(at)
    return Remedy(kind="clock", words=f"until {moment.isoformat()}, {words}", at=moment)


def fewest(ways: Iterable[Remedies]) -> Remedies:
    """The smallest of several ways, each of which is enough."""
    return min(ways, key=_cost, default=(NEVER,))


def in_words(remedies: Sequence[Remedy]) -> str:
    """All of them in one line."""
    return " and ".join(dict.fromkeys(remedy.words for remedy in remedies))


def together(ways: Iterable[Remedies]) -> Remedies:
    """All of several changes, each once; never if one of them is never."""
    found = tuple(dict.fromkeys(remedy for way in ways for remedy in way))
    return (NEVER,) if any(remedy.kind == "never" for remedy in found) else found


def _cost(remedies: Remedies) -> tuple[float, int]:
    if any(remedy.kind == "never" for remedy in remedies):
        return inf, 0
    return len(remedies), sum(remedy.count or 0 for remedy in remedies)


def _before(leaving: int) -> str:
    return "" if leaving == FOREVER else f", before {moment_of(leaving).isoformat()}"

"""What a condition means, said as plainly as possible: over a person's whole history, without any index or state.

The engine is held against this, event by event, by a property test. It is slow on purpose.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from cdp_contracts.conditions_v1 import (
    And,
    Condition,
    Count,
    InSession,
    Lifetime,
    Not,
    Or,
    Session,
    SessionCount,
    Sliding,
    Trait,
)
from cdp_contracts.events_v1 import Event
from pydantic import JsonValue

from cdp_segments.domain.comparing import COMPARISONS, compare_counts, lookup
from cdp_segments.domain.leaves import milliseconds
from cdp_segments.domain.selectors import is_behaviour, names_of


@dataclass(frozen=True, slots=True)
class Happening:
    """An event, when it happened (milliseconds), and which one it was."""

    id: str
    at: int
    event: Event


@dataclass(frozen=True, slots=True)
class History:
    """Everything known of a person."""

    happenings: Sequence[Happening] = ()
    traits: Mapping[str, JsonValue] | None = None


def holds(condition: Condition, history: History, now: int) -> bool:
    """Whether the person fulfils the condition at an instant, later events aside."""
    match condition:
        case And(of=parts):
            return all(holds(part, history, now) for part in parts)
        case Or(of=parts):
            return any(holds(part, history, now) for part in parts)
        case Not(of=part):
            return not holds(part, history, now)
        case _:
            return _leaf_holds(condition, history, now)


def _leaf_holds(condition: Trait | Count | InSession, history: History, now: int) -> bool:
    match condition:
        case Trait(trait=path, op=op, value=value):
            return COMPARISONS[op](lookup(history.traits or {}, tuple(path.split("."))), value)
        case InSession(session=session, all=counts):
            return any(_fulfils(visit, counts) for visit in visits(history, session))
        case Count():
            return _count_holds(condition, history, now)


def _count_holds(condition: Count, history: History, now: int) -> bool:
    match condition.window:
        case Session() as session:
            return any(_fulfils(visit, [condition]) for visit in visits(history, session))
        case Sliding(seconds=seconds):
            recent = [h for h in history.happenings if h.at > now - milliseconds(seconds)]
            return _fulfils(recent, [condition])
        case Lifetime():
            return _fulfils(history.happenings, [condition])


def visits(history: History, session: Session) -> list[list[Happening]]:
    """What the person did, parted where nothing happened for the gap or longer."""
    done = sorted((h for h in history.happenings if is_behaviour(h.event)), key=lambda h: h.at)
    parted: list[list[Happening]] = []
    for happening in done:
        if parted and happening.at - parted[-1][-1].at < milliseconds(session.gap_seconds):
            parted[-1].append(happening)
        else:
            parted.append([happening])
    return parted


def _fulfils(happenings: Sequence[Happening], counts: Iterable[Count | SessionCount]) -> bool:
    return all(compare_counts(count.op, _count(happenings, count), count.n) for count in counts)


def _count(happenings: Iterable[Happening], count: Count | SessionCount) -> int:
    return len({h.id for h in happenings if _counts(h.event, count)})


def _counts(event: Event, count: Count | SessionCount) -> bool:
    return count.event in names_of(event) and all(
        COMPARISONS[rule.op](lookup(event.properties, tuple(rule.property.split("."))), rule.value)
        for rule in count.where
    )

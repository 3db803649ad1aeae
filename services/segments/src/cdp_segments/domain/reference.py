"""What a condition means, said as plainly as possible: over a person's whole history, without any index or state.

The engine is held against this, event by event, by a property test. It is slow on purpose.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from zoneinfo import ZoneInfo

from cdp_contracts.conditions_v1 import (
    And,
    Between,
    Calendar,
    CalendarUnit,
    Condition,
    Count,
    InSession,
    Not,
    Or,
    Session,
    SessionCount,
    Sliding,
    Trait,
    Window,
)
from cdp_contracts.events_v1 import Event
from pydantic import JsonValue

from cdp_segments.domain import leaves
from cdp_segments.domain.comparing import COMPARISONS, compare_counts, lookup
from cdp_segments.domain.selectors import is_behaviour, names_of
from cdp_segments.domain.telling import moment_of
from cdp_segments.domain.windows import milliseconds


@dataclass(frozen=True, slots=True)
class Happening:
    """An event, when it happened (milliseconds), and which one it was."""

    id: str
    at: int
    event: Event
    tie: int = 0  # of two at the same instant the greater is the newer


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
    if isinstance(condition.window, Session):
        return any(_fulfils(visit, [condition]) for visit in visits(history, condition.window))
    return _fulfils(_within(condition, condition.window, history, now), [condition])


def _within(count: Count, window: Window, history: History, now: int) -> list[Happening]:
    """What the window holds of the events: of the newest 512, if they come into it late."""
    counted = {h.id: h for h in history.happenings if _counts(h.event, count)}
    newest = sorted(counted.values(), key=lambda h: (h.at, h.tie))
    match window:
        case Sliding(seconds=seconds):
            return [h for h in newest if h.at > now - milliseconds(seconds)]
        case Between(from_seconds=young, to_seconds=old):
            ages = [(now - h.at, h) for h in newest[-leaves.MARKS_KEPT :]]
            ended = None if old is None else milliseconds(old)
            return [h for age, h in ages if milliseconds(young) <= age and (ended is None or age < ended)]
        case Calendar(full=full):
            kept = newest[-leaves.MARKS_KEPT :] if full else newest
            return [h for h in kept if units_ago(window, h.at, now) in range(int(full), window.n + int(full))]
        case _:
            return newest


def units_ago(calendar: Calendar, at: int, now: int) -> int:
    """How many days, weeks or months ago an instant was, as people on the spot count."""
    zone = ZoneInfo(calendar.time_zone)
    then, today = moment_of(at).astimezone(zone).date(), moment_of(now).astimezone(zone).date()
    return _number(calendar.unit, today) - _number(calendar.unit, then)


def _number(unit: CalendarUnit, day: date) -> int:
    match unit:
        case "day":
            return day.toordinal()
        case "week":
            return (day - timedelta(days=day.weekday())).toordinal() // 7
        case "month":
            return 12 * day.year + day.month


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

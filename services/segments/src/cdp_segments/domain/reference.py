"""What a condition means, said as plainly as possible: over a person's whole history, without any index or state.

The engine is held against this, event by event, by a property test. It is slow on purpose.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date, timedelta
from fractions import Fraction
from typing import TypeAlias
from zoneinfo import ZoneInfo

from cdp_contracts.conditions_v1 import (
    Absence,
    Aggregate,
    AggregateOf,
    And,
    Between,
    Bucket,
    Calendar,
    CalendarUnit,
    Condition,
    Count,
    CountOf,
    Dwell,
    EventSequence,
    First,
    InSegment,
    InSession,
    Last,
    Not,
    Or,
    Ratio,
    Session,
    SessionCount,
    Sliding,
    Trait,
    Window,
)
from cdp_contracts.events_v1 import Event
from cdp_contracts.sequences_v1 import Interruption, SequenceStep
from pydantic import JsonValue

from cdp_segments.domain import quantities
from cdp_segments.domain.belonging import number_of
from cdp_segments.domain.comparing import COMPARISONS, lookup, number
from cdp_segments.domain.reference_order import dwells, sequence_ends
from cdp_segments.domain.selectors import is_behaviour, names_of
from cdp_segments.domain.telling import moment_of
from cdp_segments.domain.windows import milliseconds
from cdp_segments.domain.wording import LeafCondition
from cdp_segments.domain.words import LARGEST

Part: TypeAlias = (
    Count | CountOf | SessionCount | Aggregate | AggregateOf | SequenceStep | Interruption | Absence | First | Last
)


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
    profile_id: str = ""
    segments: Mapping[str, Condition] = field(default_factory=dict)  # by name, for those that refer to them


def holds(condition: Condition, history: History, now: int) -> bool:
    """Whether the person fulfils the condition at an instant, later events aside."""
    match condition:
        case And(of=parts):
            return all(holds(part, history, now) for part in parts)
        case Or(of=parts):
            return any(holds(part, history, now) for part in parts)
        case Not(of=part):
            return not holds(part, history, now)
        case InSegment(segment=name):
            return name in history.segments and holds(history.segments[name], history, now)
        case _:
            return _leaf_holds(condition, history, now)


def _occurrence_holds(
    condition: Absence | First | Last | EventSequence | Dwell, history: History, now: int
) -> bool:
    if isinstance(condition, EventSequence | Dwell):
        return _order_holds(condition, history, now)
    happened = _counted(history.happenings, condition)
    match condition:
        case Absence(window=Sliding(seconds=seconds), require_age=age):
            start = now - milliseconds(seconds)
            long_known = any(h.at <= start for h in history.happenings)
            return (long_known or not age) and not any(h.at > start for h in happened)
        case First():
            return bool(_held(condition.window, happened[:1], now))
        case Last():
            return bool(_held(condition.window, happened[-1:], now))


def _leaf_holds(condition: LeafCondition, history: History, now: int) -> bool:
    match condition:
        case Absence() | First() | Last() | EventSequence() | Dwell():
            return _occurrence_holds(condition, history, now)
        case Count() | Aggregate() | Ratio():
            return _quantity_holds(condition, history, now)
        case Bucket(seed=seed, low=low, high=high):
            return low <= number_of(seed, history.profile_id) < high
        case Trait(trait=path, op=op, value=value):
            return COMPARISONS[op](lookup(history.traits or {}, tuple(path.split("."))), value)
        case InSession(session=session, all=counts):
            return any(all(_fulfils(visit, count) for count in counts) for visit in visits(history, session))
        case InSegment():
            return holds(condition, history, now)


def _order_holds(condition: EventSequence | Dwell, history: History, now: int) -> bool:
    if isinstance(condition, Dwell):
        return dwells(condition, history.happenings, now)
    ends = sequence_ends(condition, lambda part: _counted(history.happenings, part), now)
    return len(_held(condition.window, ends, now)) >= condition.times


def _quantity_holds(condition: Count | Aggregate | Ratio, history: History, now: int) -> bool:
    match condition:
        case Count(window=Session() as session) | Aggregate(window=Session() as session):
            return any(_fulfils(visit, condition) for visit in visits(history, session))
        case Count(window=window) | Aggregate(window=window):
            return _fulfils(_within(condition, window, history, now), condition)
        case Ratio():
            above, below = (
                _amount(_within(part, part.window, history, now), part)
                for part in (condition.numerator, condition.denominator)
            )
            if above is None or below is None or below < condition.min_denominator:
                return False
            return COMPARISONS[condition.op](round(above / below, 6), condition.value)


def _within(part: Part, window: Window, history: History, now: int) -> list[Happening]:
    """What the window holds of the events; of the newest 512, unless the newest n + 1 decide."""
    newest = _counted(history.happenings, part)
    late = isinstance(window, Between) or (isinstance(window, Calendar) and window.full)
    kept = newest if isinstance(part, Count) and not late else newest[-quantities.MARKS_KEPT :]
    return _held(window, kept, now)


def _held(window: Window, kept: list[Happening], now: int) -> list[Happening]:
    match window:
        case Sliding(seconds=seconds):
            return [h for h in kept if h.at > now - milliseconds(seconds)]
        case Between(from_seconds=young, to_seconds=old):
            ages = [(now - h.at, h) for h in kept]
            ended = None if old is None else milliseconds(old)
            return [h for age, h in ages if milliseconds(young) <= age and (ended is None or age < ended)]
        case Calendar(full=full):
            return [h for h in kept if units_ago(window, h.at, now) in range(int(full), window.n + int(full))]
        case _:
            return kept


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


def _fulfils(happenings: Iterable[Happening], condition: Count | SessionCount | Aggregate) -> bool:
    counted = _counted(happenings, condition)
    if isinstance(condition, Aggregate):
        return COMPARISONS[condition.op](_amount(counted[-quantities.MARKS_KEPT :], condition), condition.value)
    return COMPARISONS[condition.op](len(counted), condition.n)


def _counted(happenings: Iterable[Happening], part: Part) -> list[Happening]:
    """Each of the events once, in order."""
    counted = {h.id: h for h in happenings if _counts(h.event, part)}
    return sorted(counted.values(), key=lambda h: (h.at, h.tie))


def _counts(event: Event, part: Part) -> bool:
    return (
        part.event in names_of(event)
        and all(
            COMPARISONS[rule.op](lookup(event.properties, tuple(rule.property.split("."))), rule.value)
            for rule in part.where
        )
        and (not isinstance(part, Aggregate | AggregateOf) or _value(event, part) is not None)
    )


def _value(event: Event, part: Aggregate | AggregateOf) -> JsonValue:
    found = lookup(event.properties, tuple(part.property.split(".")))
    if part.function == "distinct":
        return found if isinstance(found, str | int | float) else None
    return found if number(found) and abs(found) <= LARGEST else None  # type: ignore[arg-type]  # a number


def _amount(happenings: Sequence[Happening], part: Part) -> float | None:
    if not isinstance(part, Aggregate | AggregateOf):
        return len(happenings)
    found = [_value(h.event, part) for h in happenings]
    if part.function == "distinct":
        return len({(isinstance(value, bool), value) for value in found})
    values = [Fraction(value) for value in found]  # type: ignore[arg-type]  # numbers
    if part.function == "sum":
        return round(float(sum(values)), 6)
    if not values:
        return None
    if part.function == "average":
        return round(float(sum(values) / len(values)), 6)
    return float({"min": min(values), "max": max(values), "last": values[-1]}[part.function])

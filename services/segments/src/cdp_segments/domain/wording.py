"""Conditions in words: what reasons and explanations call them."""

from __future__ import annotations

import json
from typing import Final, TypeAlias

from cdp_contracts.conditions_v1 import (
    Absence,
    Aggregate,
    AggregateOf,
    And,
    Between,
    Bucket,
    Calendar,
    Condition,
    Count,
    CountOf,
    Dwell,
    EventSequence,
    First,
    InSegment,
    InSession,
    Last,
    Lifetime,
    Not,
    Or,
    PropertyFilter,
    Ratio,
    Session,
    SessionCount,
    Sliding,
    Trait,
    Window,
)
from cdp_contracts.sequences_v1 import Interruption, NotAfter, SequenceStep

LeafCondition: TypeAlias = (
    Trait
    | Dwell
    | Count
    | Aggregate
    | Ratio
    | EventSequence
    | Absence
    | First
    | Last
    | InSession
    | InSegment
    | Bucket
)
Named: TypeAlias = (
    Count | CountOf | SessionCount | Aggregate | AggregateOf | SequenceStep | Interruption | Absence | First | Last
)
UNITS: Final = ((86400, "d"), (3600, "h"), (60, "min"), (1, "s"))
USUAL_GAP: Final = Session().gap_seconds


def words(condition: Condition) -> str:
    """The condition as a person would read it out."""
    match condition:
        case And(of=parts):
            return f"({' and '.join(words(part) for part in parts)})"
        case Or(of=parts):
            return f"({' or '.join(words(part) for part in parts)})"
        case Not(of=part):
            return f"not {words(part)}"
        case _:
            return _leaf(condition)


def _leaf(condition: LeafCondition) -> str:
    match condition:
        case Absence(window=window, require_age=age):
            known = ", known for as long" if age else ""
            return f"no {_events(condition)} {_window(window)}{known}"
        case First() | Last():
            return f"{condition.kind} {_events(condition)} {_window(condition.window)}"
        case InSegment(segment=segment):
            return f"in segment {segment}"
        case Bucket(seed=seed, low=low, high=high):
            return f"bucket {seed} from {amount(low)} to {amount(high)}"
        case _:
            return _measured(condition)


def _measured(condition: Trait | Dwell | Count | Aggregate | Ratio | EventSequence | InSession) -> str:
    match condition:
        case EventSequence() | Dwell():
            return _sequence(condition) if isinstance(condition, EventSequence) else _dwell(condition)
        case Trait():
            return comparison(f"trait {condition.trait}", condition)
        case Count():
            return f"{counted(condition)} {condition.op} {condition.n} {_window(condition.window)}"
        case Aggregate():
            what = f"{aggregated(condition)} {condition.op} {amount(condition.value)}"
            return f"{what} {_window(condition.window)}"
        case Ratio():
            least = f"with at least {amount(condition.min_denominator)} below"
            what = f"{_quantity(condition.numerator)} / {_quantity(condition.denominator)}"
            return f"{what} {condition.op} {amount(condition.value)} ({least})"
        case InSession(all=counts):
            tests = (f"{counted(count)} {count.op} {count.n}" for count in counts)
            return f"{' and '.join(tests)} {_window(condition.session)}"


def counted(count: Count | CountOf | SessionCount) -> str:
    """What is counted."""
    return f"count({_events(count)})"


def aggregated(aggregate: Aggregate | AggregateOf) -> str:
    """What is aggregated."""
    return f"{aggregate.function}({aggregate.property} of {_events(aggregate)})"


def amount(value: float) -> str:
    """A number as one writes it, without a needless point."""
    return f"{value:.15g}"


def _quantity(part: CountOf | AggregateOf) -> str:
    what = counted(part) if isinstance(part, CountOf) else aggregated(part)
    return f"{what} {_window(part.window)}"


def _sequence(sequence: EventSequence) -> str:
    parts = [", then ".join(_step(step) for step in sequence.steps)]
    if sequence.within_seconds:
        parts.append(f"within {duration(sequence.within_seconds)} in all")
    if after := sequence.not_after:
        parts.append(f"with no {after_all(after)} after")
    if sequence.same:
        parts.append(f"with the same {sequence.same}")
    if sequence.times > 1:
        parts.append(f"at least {sequence.times} times")
    return " ".join([*parts, _window(sequence.window)])


def _step(step: SequenceStep) -> str:
    within = f" within {duration(step.within_seconds)}" if step.within_seconds else ""
    between = f" without {' or '.join(map(_forbidden, step.not_between))} between" if step.not_between else ""
    return f"{_events(step)}{within}{between}"


def _forbidden(event: Interruption) -> str:
    return f"such {_events(event)}" if event.same else _events(event)


def _dwell(dwell: Dwell) -> str:
    least, most = dwell.at_least_seconds, dwell.less_than_seconds
    bounds = [f"at least {duration(least)}"] if least else []
    bounds += [f"less than {duration(most)}"] if most else []
    return f"{comparison(f'trait {dwell.trait}', dwell)} for {' and '.join(bounds)}"


def _events(condition: Named) -> str:
    filters = " and ".join(comparison(rule.property, rule) for rule in condition.where)
    return f"{condition.event} where {filters}" if filters else condition.event


def comparison(subject: str, rule: Trait | Dwell | PropertyFilter) -> str:
    """A trait or a property beside what it is compared with."""
    if rule.op in ("exists", "missing"):
        return f"{subject} {rule.op}"
    return f"{subject} {rule.op} {json.dumps(rule.value, ensure_ascii=False)}"


def _window(window: Window) -> str:
    match window:
        case Sliding(seconds=seconds):
            return f"in the last {duration(seconds)}"
        case Session(gap_seconds=gap):
            return "in one session" if gap == USUAL_GAP else f"in one session (gap {duration(gap)})"
        case Between(from_seconds=young, to_seconds=old):
            return (
                f"more than {duration(young)} ago" if old is None else f"{duration(young)} to {duration(old)} ago"
            )
        case Calendar():
            return _calendar(window)
        case Lifetime():
            return "ever"


def _calendar(window: Calendar) -> str:
    many = "" if window.n == 1 else f"{window.n} "
    unit = window.unit if window.n == 1 else f"{window.unit}s"
    if window.full:
        return f"in the last {many}full {unit} ({window.time_zone})"
    this = ("today" if unit == "day" else f"this {unit}") if window.n == 1 else f"in the current {many}{unit}"
    return f"{this} ({window.time_zone})"


def duration(seconds: float) -> str:
    """The shortest exact way to say it, such as 24 h: days from two on."""
    for size, unit in UNITS:
        if seconds % size == 0 and seconds >= (2 * size if unit == "d" else size):
            return f"{seconds / size:.0f} {unit}"
    return f"{seconds:g} s"


def after_all(rule: NotAfter) -> str:
    """What must not follow a sequence, and for how long."""
    return f"{_forbidden(rule)} for {duration(rule.within_seconds)}"


def events_of(condition: Named) -> str:
    """Which events, such as view where price > 3."""
    return _events(condition)


def within(window: Window) -> str:
    """The window as a bound on what is to come, with a space before it; nothing for one without bounds."""
    match window:
        case Lifetime():
            return ""
        case Sliding(seconds=seconds):
            return f" within {duration(seconds)}"
        case _:
            return f" {_window(window)}"

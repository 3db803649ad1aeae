"""What was measured of a person when a membership flipped, condition by condition."""

from __future__ import annotations

from typing import Final, NamedTuple

from cdp_contracts.segments_v1 import Reason
from pydantic import JsonValue

from cdp_segments.domain.asking import Ask
from cdp_segments.domain.belonging import BucketLeaf, SegmentLeaf
from cdp_segments.domain.comparing import COMPARISONS, compare_numbers
from cdp_segments.domain.dwelling import DwellLeaf
from cdp_segments.domain.leaves import CountLeaf, Leaf, QuantityLeaf, RatioLeaf, RingLeaf, TraitLeaf
from cdp_segments.domain.occurrences import AbsenceLeaf, OccurrenceLeaf
from cdp_segments.domain.person import Person
from cdp_segments.domain.quantities import MARKS_KEPT
from cdp_segments.domain.segments import Segment
from cdp_segments.domain.sequences import SequenceLeaf
from cdp_segments.domain.sessions import SessionLeaf
from cdp_segments.domain.visits import Span
from cdp_segments.domain.wording import amount

CAPPED: Final = f"only the newest {MARKS_KEPT} events are kept, and there may be older ones in the window"
TOLD: Final = f"only the newest {MARKS_KEPT} events that told the trait are kept, and it may have been longer"

TOO_YOUNG: Final = "the first event of any kind is not as long ago"


class Measure(NamedTuple):
    """The truth of a leaf, what was measured (never a trait's value), and what it was held against."""

    satisfied: bool
    value: JsonValue
    threshold: JsonValue
    note: str | None = None


def reasons(segment: Segment, person: Person, now: int) -> tuple[Reason, ...]:
    """Every condition of the segment in words, with its truth and its measure."""
    return tuple(Reason(condition=leaf.words, **measure(leaf, person, now)._asdict()) for leaf in segment.leaves)


def measure(leaf: Leaf, person: Person, now: int) -> Measure:
    """Hold one leaf against the person. Counts are exact up to n + 1, which then means "or more"."""
    match leaf:
        case TraitLeaf(condition=trait, path=path):
            return Measure(COMPARISONS[trait.op](person.trait(path), trait.value), None, trait.value)
        case CountLeaf(condition=count):
            found = leaf.measure(person, now)
            return Measure(compare_numbers(count.op, found, count.n), found, count.n)
        case SessionLeaf():
            return _measure_visits(leaf, person)
        case _:
            return Measure(leaf.holds(person, now), *_measured(leaf, person, now))


def _measured(
    leaf: RingLeaf | SegmentLeaf | BucketLeaf, person: Person, now: int
) -> tuple[JsonValue, JsonValue, str | None]:
    """The value, the threshold and a note."""
    match leaf:
        case QuantityLeaf() | RatioLeaf():
            return leaf.measure(person, now), leaf.threshold, CAPPED if leaf.capped(person, now) else None
        case SequenceLeaf() | DwellLeaf():
            return leaf.measure(person, now), leaf.threshold, _note(leaf, person, now)
        case AbsenceLeaf():
            return ago(leaf.ask, person, now), None, None if leaf.known_for_long(person, now) else TOO_YOUNG
        case OccurrenceLeaf():
            return ago(leaf.ask, person, now), None, None
        case BucketLeaf(condition=bucket):
            return leaf.measure(person), [bucket.low, bucket.high], None
        case SegmentLeaf():
            return None, None, None


def _note(leaf: SequenceLeaf | DwellLeaf, person: Person, now: int) -> str | None:
    """How far the sequence came; or that there may have been more."""
    if isinstance(leaf, DwellLeaf):
        return TOLD if leaf.capped(person) else None
    if leaf.capped(person, now):
        return CAPPED
    reached, steps = leaf.reached(person, now), len(leaf.steps)
    return f"came as far as step {reached} of {steps}" if 0 < reached < steps else None


def ago(ask: Ask, person: Person, now: int) -> float | None:
    """How many seconds ago it happened; None if it never did."""
    ring = ask.ring(person)
    return (now - ring[-1][0]) / 1000 if ring else None


def telling_visit(leaf: SessionLeaf, person: Person) -> Span | None:
    """The visit to show: the newest that fulfils the condition, else the newest; None if there is none."""
    visits = person.visits.get(leaf.gap)
    if visits is None or not visits.spans:
        return None
    return next((s for s in reversed(visits.spans) if leaf.fulfilled(visits, s)), visits.spans[-1])


def _measure_visits(leaf: SessionLeaf, person: Person) -> Measure:
    satisfied = leaf.holds(person)
    span = telling_visit(leaf, person)
    visits = person.visits.get(leaf.gap)
    seen = None if span is None or visits is None else (visits, span)
    values = [test.measure(*seen) if seen else None for test in leaf.tests]
    capped = seen is not None and any(test.capped(*seen) for test in leaf.tests)
    note = CAPPED if capped else None
    if len(leaf.tests) == 1:
        return Measure(satisfied, values[0], leaf.tests[0].threshold, note)
    names = [test.words for test in leaf.tests]
    thresholds: dict[str, JsonValue] = {test.words: f"{test.op} {amount(test.threshold)}" for test in leaf.tests}
    return Measure(satisfied, dict(zip(names, values, strict=True)), thresholds, note)

"""What was measured of a person when a membership flipped, condition by condition."""

from __future__ import annotations

from typing import Final, NamedTuple

from cdp_contracts.segments_v1 import Reason
from pydantic import JsonValue

from cdp_segments.domain.catalog import Segment
from cdp_segments.domain.comparing import COMPARISONS, compare_counts
from cdp_segments.domain.leaves import MARKS_KEPT, CountLeaf, Leaf, SessionLeaf, TraitLeaf, WindowLeaf
from cdp_segments.domain.person import Person
from cdp_segments.domain.visits import Span
from cdp_segments.domain.wording import counted

CAPPED: Final = f"only the newest {MARKS_KEPT} events are kept, and there may be older ones in the window"


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
            satisfied = COMPARISONS[trait.op](person.trait(path), trait.value)
            return Measure(satisfied, None, trait.value)
        case CountLeaf(condition=count):
            found = leaf.measure(person, now)
            return Measure(compare_counts(count.op, found, count.n), found, count.n)
        case WindowLeaf():
            return Measure(
                leaf.holds(person, now),
                leaf.measure(person, now),
                leaf.condition.n,
                CAPPED if leaf.capped(person, now) else None,
            )
        case SessionLeaf():
            return _measure_visits(leaf, person)


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
    values = [None if span is None or visits is None else t.measure(visits, span) for t in leaf.tests]
    if len(leaf.tests) == 1:
        return Measure(satisfied, values[0], leaf.tests[0].count.n)
    names = [counted(t.count) for t in leaf.tests]
    thresholds: dict[str, JsonValue] = {
        name: f"{t.count.op} {t.count.n}" for name, t in zip(names, leaf.tests, strict=True)
    }
    return Measure(satisfied, dict(zip(names, values, strict=True)), thresholds)

"""The leaves of a condition: what is measured of a person. `condition` in public, `leaf` in here."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import ClassVar, Final, TypeAlias

from cdp_contracts.conditions_v1 import (
    Absence,
    Aggregate,
    And,
    Bucket,
    CompareOp,
    Condition,
    Count,
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
    Trait,
)

from cdp_segments.domain.asking import Ask, Measured
from cdp_segments.domain.belonging import BucketLeaf, SegmentLeaf, Truth, bucket_leaf, segment_leaf
from cdp_segments.domain.comparing import COMPARISONS, check_operand, compare_numbers
from cdp_segments.domain.dwelling import DwellLeaf, dwell_leaf
from cdp_segments.domain.occurrences import AbsenceLeaf, OccurrenceLeaf, absence_leaf, occurrence_leaf
from cdp_segments.domain.quantities import Quantity, quantity_of, rounded
from cdp_segments.domain.remedies import Remedy, another_value, more_events, trait_remedy
from cdp_segments.domain.selectors import Selector, content_key
from cdp_segments.domain.sequences import SequenceLeaf, sequence_leaf
from cdp_segments.domain.sessions import SessionLeaf, aggregate_test, count_test, session_leaf
from cdp_segments.domain.windows import reach_of
from cdp_segments.domain.wording import LeafCondition, aggregated, within, words

NO_OTHERS: Final[Mapping[str, Truth]] = MappingProxyType({})


def boundaries(op: CompareOp, n: int) -> tuple[int, ...]:
    """The counts k > 0 at which the truth of `count op n` differs from that at k - 1."""
    steps = {">=": (n,), "<": (n,), ">": (n + 1,), "<=": (n + 1,), "==": (n, n + 1), "!=": (n, n + 1)}
    return tuple(k for k in steps[op] if k > 0)


@dataclass(frozen=True, slots=True)
class TraitLeaf:
    """A trait compares like this."""

    condition: Trait
    words: str
    path: str
    key: str
    asks: ClassVar[tuple[Ask, ...]] = ()

    def lacks(self, person: Measured, now: int) -> Remedy | None:
        """Another value."""
        holds = COMPARISONS[self.condition.op](person.trait(self.path), self.condition.value)
        return trait_remedy(self.condition, holds=holds)


@dataclass(frozen=True, slots=True)
class CountLeaf:
    """A count in a window that ends now: the newest n + 1 marks decide it."""

    condition: Count
    words: str
    ask: Ask
    key: str

    @property
    def asks(self) -> tuple[Ask, ...]:
        """The one."""
        return (self.ask,)

    def measure(self, person: Measured, now: int) -> int:
        """How many of the events the window holds, up to n + 1."""
        return min(len(self.ask.held(person, now)), self.condition.n + 1)

    def lacks(self, person: Measured, now: int) -> Remedy | None:
        """More of the events."""
        return more_events(person, now, self.ask, self.condition)


@dataclass(frozen=True, slots=True)
class QuantityLeaf:
    """An aggregate, or a count in a window that events come into late: any of the newest 512 may be in it."""

    condition: Count | Aggregate
    words: str
    quantity: Quantity
    op: CompareOp
    threshold: float
    key: str

    @property
    def asks(self) -> tuple[Ask, ...]:
        """The one."""
        return (self.quantity.ask,)

    def measure(self, person: Measured, now: int) -> float | None:
        """What the events in the window amount to."""
        return self.quantity.measure(person, now)

    def holds(self, person: Measured, now: int) -> bool:
        """Whether that compares as it should."""
        return compare_numbers(self.op, self.measure(person, now), self.threshold)

    def capped(self, person: Measured, now: int) -> bool:
        """Whether the window may hold events that are not kept."""
        return self.quantity.capped(person, now)

    def lacks(self, person: Measured, now: int) -> Remedy | None:
        """More of the events, or an amount that moves."""
        if isinstance(self.condition, Count):
            return more_events(person, now, self.quantity.ask, self.condition)
        found, truth = self.measure(person, now), self.holds(person, now)
        what = f"{aggregated(self.condition)}{within(self.condition.window)}"
        return another_value(self.op, self.threshold, found, what, truth=truth)


@dataclass(frozen=True, slots=True)
class RatioLeaf:
    """One quantity divided by another."""

    condition: Ratio
    words: str
    numerator: Quantity
    denominator: Quantity
    key: str

    @property
    def asks(self) -> tuple[Ask, ...]:
        """Both."""
        return (self.numerator.ask, self.denominator.ask)

    @property
    def threshold(self) -> float:
        """What the ratio is held against."""
        return self.condition.value

    def measure(self, person: Measured, now: int) -> float | None:
        """The ratio; None while the denominator is too small or either has no value."""
        below = self.denominator.measure(person, now)
        if below is None or below < self.condition.min_denominator:
            return None
        above = self.numerator.measure(person, now)
        return None if above is None else rounded(above / below)

    def holds(self, person: Measured, now: int) -> bool:
        """Whether there is one and it compares as it should."""
        found = self.measure(person, now)
        return found is not None and compare_numbers(self.condition.op, found, self.threshold)

    def capped(self, person: Measured, now: int) -> bool:
        """Whether a window may hold events that are not kept."""
        return self.numerator.capped(person, now) or self.denominator.capped(person, now)

    def lacks(self, person: Measured, now: int) -> Remedy | None:
        """Enough below, or a ratio that moves."""
        below, least = self.denominator.measure(person, now), self.condition.min_denominator
        if below is None or below < least:
            return another_value(">=", least, below, f"the denominator of {self.words}", truth=False)
        found, truth = self.measure(person, now), self.holds(person, now)
        return another_value(self.condition.op, self.threshold, found, "the ratio", truth=truth)


RingLeaf: TypeAlias = QuantityLeaf | RatioLeaf | OccurrenceLeaf | AbsenceLeaf | SequenceLeaf | DwellLeaf
Leaf: TypeAlias = TraitLeaf | CountLeaf | RingLeaf | SessionLeaf | SegmentLeaf | BucketLeaf


def leaf_of(condition: LeafCondition, truths: Mapping[str, Truth] = NO_OTHERS) -> Leaf:
    """The leaf of a condition, given the truths of segments that it may refer to.

    ValueError naming the field and the rule if it makes no sense.
    """
    match condition:
        case Absence():
            return absence_leaf(condition)
        case First() | Last():
            return occurrence_leaf(condition)
        case EventSequence() | Dwell():
            return sequence_leaf(condition) if isinstance(condition, EventSequence) else dwell_leaf(condition)
        case InSegment():
            return segment_leaf(condition, truths)
        case Bucket():
            return bucket_leaf(condition)
        case _:
            return _measured_leaf(condition)


def _measured_leaf(condition: Trait | Count | Aggregate | Ratio | InSession) -> Leaf:
    match condition:
        case Trait(trait=path, op=op, value=value):
            check_operand(op, value, f"trait {path}")
            return TraitLeaf(condition, words(condition), path, content_key("trait", path, op, value))
        case Count():
            return _count_leaf(condition)
        case Aggregate():
            return _aggregate_leaf(condition)
        case Ratio():
            return _ratio_leaf(condition)
        case InSession(session=session, all=counts):
            return session_leaf(condition, session, [count_test(count) for count in counts])


def _count_leaf(condition: Count) -> CountLeaf | QuantityLeaf | SessionLeaf:
    if isinstance(condition.window, Session):
        return session_leaf(condition, condition.window, [count_test(condition)])
    selector, reach = Selector.of(condition), reach_of(condition.window)
    if reach.delayed:
        return _quantity_leaf(condition, Quantity.of("count", selector, reach), condition.n)
    key = content_key("window", selector.key, repr(reach), condition.op, condition.n)
    places = boundaries(condition.op, condition.n)
    return CountLeaf(condition, words(condition), Ask(selector, condition.n + 1, reach, places), key)


def _aggregate_leaf(condition: Aggregate) -> QuantityLeaf | SessionLeaf:
    if isinstance(condition.window, Session):
        return session_leaf(condition, condition.window, [aggregate_test(condition)])
    quantity = Quantity.of(condition.function, Selector.valued(condition), reach_of(condition.window))
    return _quantity_leaf(condition, quantity, condition.value)


def _ratio_leaf(condition: Ratio) -> RatioLeaf:
    above, below = quantity_of(condition.numerator), quantity_of(condition.denominator)
    rule = (condition.min_denominator, condition.op, condition.value)
    return RatioLeaf(
        condition, words(condition), above, below, content_key("ratio", repr(above), repr(below), *rule)
    )


def _quantity_leaf(condition: Count | Aggregate, quantity: Quantity, threshold: float) -> QuantityLeaf:
    key = content_key("quantity", repr(quantity), condition.op, threshold)
    return QuantityLeaf(condition, words(condition), quantity, condition.op, threshold, key)


def instants_of(leaf: Leaf, person: Measured) -> set[int]:
    """When the clock alone may change the truth of a leaf."""
    if isinstance(leaf, SequenceLeaf):
        return {*leaf.instants(person)}
    return {instant for ask in leaf.asks for instant in ask.instants(person)}


def walk(condition: Condition) -> Iterator[LeafCondition]:
    """Every leaf condition of a tree, from left to right."""
    match condition:
        case And(of=parts) | Or(of=parts):
            for part in parts:
                yield from walk(part)
        case Not(of=part):
            yield from walk(part)
        case _:
            yield condition

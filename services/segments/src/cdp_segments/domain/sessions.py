"""Leaves about visits: some one visit passes every test."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import ClassVar, Final

from cdp_contracts.conditions_v1 import Aggregate, CompareOp, Count, InSession, Session, SessionCount
from pydantic import JsonValue

from cdp_segments.domain.asking import Ask, Measured
from cdp_segments.domain.comparing import compare_numbers
from cdp_segments.domain.marks import EMPTY, between, inside
from cdp_segments.domain.quantities import Function, Quantity, amount
from cdp_segments.domain.remedies import NEVER, Remedy, in_words, steps_up, together
from cdp_segments.domain.selectors import Selector, content_key
from cdp_segments.domain.visits import Span, Visits
from cdp_segments.domain.windows import Ever, milliseconds
from cdp_segments.domain.wording import aggregated, counted, events_of, within, words

NEW: Final[Span] = (-1, -1)
"""A visit that has yet to begin."""
RISING: Final = frozenset({">", ">="})


@dataclass(frozen=True, slots=True)
class SessionTest:
    """A count or an aggregate within a visit. Of a count the newest n + 1 events decide, else the newest 512."""

    words: str
    named: str
    selector: Selector
    function: Function
    op: CompareOp
    threshold: float
    capacity: int

    def measure(self, visits: Visits, span: Span) -> float | None:
        """What the events of the visit that are kept amount to; a count up to n + 1."""
        ring = visits.marks.get(self.selector.key, EMPTY)
        if self.function == "count":
            return min(between(ring, *span), self.capacity)
        return amount(self.function, inside(ring, *span)[-self.capacity :])

    def passes(self, visits: Visits, span: Span) -> bool:
        """Whether that compares as it should."""
        return compare_numbers(self.op, self.measure(visits, span), self.threshold)

    def capped(self, visits: Visits, span: Span) -> bool:
        """Whether the visit may have had events that count and are not kept."""
        ring = visits.marks.get(self.selector.key, EMPTY)
        return self.function != "count" and between(ring, *span) >= self.capacity

    def lacks(self, visits: Visits, span: Span) -> Remedy:
        """What this visit would need to pass."""
        found = self.measure(visits, span)
        if self.function != "count":
            return Remedy(kind="value", words=f"{self.words} {self.op} {self.threshold:.15g}")
        more = steps_up(self.op, int(self.threshold), int(found or 0), truth=False)
        words = f"{more} more {self.named}"
        return Remedy(kind="events", words=words, event=self.selector.event, count=more) if more else NEVER


@dataclass(frozen=True, slots=True)
class SessionLeaf:
    """Some one visit passes all tests. `latches`: once true, no later event can take it away."""

    condition: Count | Aggregate | InSession
    words: str
    gap: int
    tests: tuple[SessionTest, ...]
    latches: bool
    key: str
    asks: ClassVar[tuple[Ask, ...]] = ()

    def fulfilled(self, visits: Visits, span: Span) -> bool:
        """Whether this visit, as it stands, passes all tests."""
        return all(test.passes(visits, span) for test in self.tests)

    def holds(self, person: Measured) -> bool:
        """Whether any visit does, or one that is forgotten did."""
        if self.key in person.ever:
            return True
        visits = person.visits.get(self.gap)
        if visits is None or self.latches:
            return False
        return any(self.fulfilled(visits, span) for span in reversed(visits.spans))

    def lacks(self, person: Measured, now: int) -> Remedy | None:
        """More events in the visit that goes on; in a new one if none does, or if that one can never pass."""
        if self.holds(person):
            return NEVER if self.latches else Remedy(kind="visit", words=f"no visit with {self.words}")
        visits = person.visits.get(self.gap) or Visits()
        going_on = [span for span in visits.spans[-1:] if now - span[1] < self.gap]
        if going_on and NEVER in self._failing(visits, going_on[0]):
            return Remedy(kind="visit", words=f"another visit with {self.words}")
        first, *more = together([self._failing(visits, span) for span in going_on or [NEW]])
        if not more:
            return first.model_copy(update={"words": f"{first.words}{self._within}"})
        words = f"{in_words([first, *more])}{self._within}"
        return Remedy(kind="visit", words=words, count=sum(each.count or 0 for each in (first, *more)))

    @property
    def _within(self) -> str:
        return within(Session(gap_seconds=self.gap / 1000))

    def _failing(self, visits: Visits, span: Span) -> tuple[Remedy, ...]:
        failing = [test.lacks(visits, span) for test in self.tests if not test.passes(visits, span)]
        return (*failing,) or (Remedy(kind="visit", words="another visit"),)


def session_leaf(
    condition: Count | Aggregate | InSession, session: Session, tests: Sequence[SessionTest]
) -> SessionLeaf:
    """The leaf of these tests within one visit."""
    gap = milliseconds(session.gap_seconds)
    content: list[JsonValue] = [
        [test.selector.key, *([] if test.function == "count" else [test.function]), test.op, test.threshold]
        for test in tests
    ]
    latches = all(test.op in RISING and test.function == "count" for test in tests)
    return SessionLeaf(condition, words(condition), gap, (*tests,), latches, content_key("session", gap, content))


def count_test(count: Count | SessionCount) -> SessionTest:
    """The test of a count; ValueError naming the property and the rule if a filter makes no sense."""
    return SessionTest(
        counted(count), events_of(count), Selector.of(count), "count", count.op, count.n, count.n + 1
    )


def aggregate_test(aggregate: Aggregate) -> SessionTest:
    """The test of an aggregate."""
    selector, what = Selector.valued(aggregate), aggregated(aggregate)
    capacity = Quantity.of(aggregate.function, selector, Ever()).ask.capacity
    return SessionTest(
        what, events_of(aggregate), selector, aggregate.function, aggregate.op, aggregate.value, capacity
    )

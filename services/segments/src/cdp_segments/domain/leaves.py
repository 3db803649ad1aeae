"""The leaves of a condition: what is measured of a person. `condition` in public, `leaf` in here."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import ClassVar, Final, Protocol, TypeAlias

from cdp_contracts.conditions_v1 import (
    And,
    CompareOp,
    Condition,
    Count,
    InSession,
    Not,
    Or,
    Session,
    SessionCount,
    Trait,
)
from pydantic import JsonValue

from cdp_segments.domain.comparing import check_operand, compare_counts
from cdp_segments.domain.marks import EMPTY, Ring, between
from cdp_segments.domain.selectors import Selector, content_key
from cdp_segments.domain.visits import Span, Visits
from cdp_segments.domain.windows import Ever, Reach, held, milliseconds, reach_of
from cdp_segments.domain.wording import words

RISING: Final = frozenset({">", ">="})
MARKS_KEPT: Final = 512
"""So many of the newest events decide what is not decided by the newest n + 1."""


class Measured(Protocol):
    """What a condition can be held against: the state of a person's record."""

    rings: dict[str, Ring]
    visits: dict[int, Visits]
    ever: set[str]

    def trait(self, path: str) -> JsonValue:
        """The value of a trait; None if it is missing."""
        ...


def boundaries(op: CompareOp, n: int) -> tuple[int, ...]:
    """The counts k > 0 at which the truth of `count op n` differs from that at k - 1."""
    steps = {">=": (n,), "<": (n,), ">": (n + 1,), "<=": (n + 1,), "==": (n, n + 1), "!=": (n, n + 1)}
    return tuple(k for k in steps[op] if k > 0)


@dataclass(frozen=True, slots=True)
class Ask:
    """What a leaf asks of a selector: how many of the newest marks, and through which window it looks at them.

    `places`, counted from the newest, are those whose leaving the window may change the truth; None: any mark's.
    """

    selector: Selector
    capacity: int
    reach: Reach
    places: tuple[int, ...] | None = None

    @property
    def clocked(self) -> bool:
        """Whether the clock alone can change what is seen."""
        return not isinstance(self.reach, Ever)

    def ring(self, person: Measured) -> Ring:
        """The marks there are."""
        return person.rings.get(self.selector.key, EMPTY)

    def instants(self, person: Measured) -> Iterator[int]:
        """When the clock alone may change the truth, in any order."""
        ring = self.ring(person)
        watched = ring if self.places is None else [ring[-k] for k in self.places if k <= len(ring)]
        for at, *_ in watched if self.clocked else ():
            yield self.reach.leaves(at)
            if self.reach.delayed:
                yield self.reach.enters(at)


@dataclass(frozen=True, slots=True)
class TraitLeaf:
    """A trait compares like this."""

    condition: Trait
    words: str
    path: str
    key: str
    asks: ClassVar[tuple[Ask, ...]] = ()


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
        return min(len(held(self.ask.reach, self.ask.ring(person), now)), self.condition.n + 1)


@dataclass(frozen=True, slots=True)
class WindowLeaf:
    """A count in a window that events come into late: any of the newest 512 may be in it."""

    condition: Count
    words: str
    ask: Ask
    key: str

    @property
    def asks(self) -> tuple[Ask, ...]:
        """The one."""
        return (self.ask,)

    def measure(self, person: Measured, now: int) -> int:
        """How many of the events the window holds."""
        return len(held(self.ask.reach, self.ask.ring(person), now))

    def holds(self, person: Measured, now: int) -> bool:
        """Whether that compares as it should."""
        return compare_counts(self.condition.op, self.measure(person, now), self.condition.n)

    def capped(self, person: Measured, now: int) -> bool:
        """Whether older events than those kept may be in the window, or have yet to come in."""
        ring = self.ask.ring(person)
        return len(ring) >= MARKS_KEPT and ring[0][0] > self.ask.reach.after(now)


@dataclass(frozen=True, slots=True)
class SessionTest:
    """A count within a visit."""

    count: SessionCount
    selector: Selector

    def measure(self, visits: Visits, span: Span) -> int:
        """How many of the selector's events the visit has, up to n + 1."""
        return min(between(visits.marks.get(self.selector.key, EMPTY), *span), self.count.n + 1)


@dataclass(frozen=True, slots=True)
class SessionLeaf:
    """Some one visit passes all tests. `latches`: once true, no later event can take it away."""

    condition: Count | InSession
    words: str
    gap: int
    tests: tuple[SessionTest, ...]
    latches: bool
    key: str
    asks: ClassVar[tuple[Ask, ...]] = ()

    def fulfilled(self, visits: Visits, span: Span) -> bool:
        """Whether this visit, as it stands, passes all tests."""
        return all(compare_counts(t.count.op, t.measure(visits, span), t.count.n) for t in self.tests)

    def holds(self, person: Measured) -> bool:
        """Whether any visit does, or one that is forgotten did."""
        if self.key in person.ever:
            return True
        visits = person.visits.get(self.gap)
        if visits is None or self.latches:
            return False
        return any(self.fulfilled(visits, span) for span in reversed(visits.spans))


Leaf: TypeAlias = TraitLeaf | CountLeaf | WindowLeaf | SessionLeaf
LeafCondition: TypeAlias = Trait | Count | InSession


def leaf_of(condition: LeafCondition) -> Leaf:
    """The leaf of a condition; ValueError naming the field and the rule if it makes no sense."""
    match condition:
        case Trait(trait=path, op=op, value=value):
            check_operand(op, value, f"trait {path}")
            return TraitLeaf(condition, words(condition), path, content_key("trait", path, op, value))
        case Count(window=window):
            if isinstance(window, Session):
                count = SessionCount(event=condition.event, where=condition.where, op=condition.op, n=condition.n)
                return _session_leaf(condition, window.gap_seconds, (count,))
            return _count_leaf(condition, reach_of(window))
        case InSession(session=session, all=counts):
            return _session_leaf(condition, session.gap_seconds, counts)


def _count_leaf(condition: Count, reach: Reach) -> CountLeaf | WindowLeaf:
    selector = Selector.of(condition)
    key = content_key("window", selector.key, repr(reach), condition.op, condition.n)
    if reach.delayed:
        return WindowLeaf(condition, words(condition), Ask(selector, MARKS_KEPT, reach), key)
    places = boundaries(condition.op, condition.n)
    return CountLeaf(condition, words(condition), Ask(selector, condition.n + 1, reach, places), key)


def _session_leaf(
    condition: Count | InSession, gap_seconds: float, counts: tuple[SessionCount, ...]
) -> SessionLeaf:
    gap = milliseconds(gap_seconds)
    tests = tuple(SessionTest(count, Selector.of(count)) for count in counts)
    content: list[JsonValue] = [[t.selector.key, t.count.op, t.count.n] for t in tests]
    latches = all(count.op in RISING for count in counts)
    return SessionLeaf(condition, words(condition), gap, tests, latches, content_key("session", gap, content))


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

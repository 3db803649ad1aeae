"""The leaves of a condition: what is measured of a person. `condition` in public, `leaf` in here."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final, Protocol, TypeAlias

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
    Sliding,
    Trait,
)
from pydantic import JsonValue

from cdp_segments.domain.comparing import check_operand, compare_counts
from cdp_segments.domain.marks import EMPTY, Ring, between
from cdp_segments.domain.selectors import Selector, content_key
from cdp_segments.domain.visits import Span, Visits
from cdp_segments.domain.wording import words

RISING: Final = frozenset({">", ">="})


class Measured(Protocol):
    """What a condition can be held against: the state of a person's record."""

    rings: dict[str, Ring]
    visits: dict[int, Visits]
    ever: set[str]

    def trait(self, path: str) -> JsonValue:
        """The value of a trait; None if it is missing."""
        ...


def milliseconds(seconds: float) -> int:
    """Windows are exact to the millisecond."""
    return max(1, round(seconds * 1000))


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


@dataclass(frozen=True, slots=True)
class CountLeaf:
    """A count in a sliding window, or ever (`window` is None)."""

    condition: Count
    words: str
    selector: Selector
    window: int | None
    key: str

    @property
    def capacity(self) -> int:
        """How many marks decide it."""
        return self.condition.n + 1

    def instants(self, ring: Ring) -> Iterator[int]:
        """When the truth changes by itself, as marks leave the window."""
        if self.window is None:
            return
        for k in boundaries(self.condition.op, self.condition.n):
            if len(ring) >= k:
                yield ring[-k][0] + self.window


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


Leaf: TypeAlias = TraitLeaf | CountLeaf | SessionLeaf
LeafCondition: TypeAlias = Trait | Count | InSession


def leaf_of(condition: LeafCondition) -> Leaf:
    """The leaf of a condition; ValueError naming the field and the rule if it makes no sense."""
    match condition:
        case Trait(trait=path, op=op, value=value):
            check_operand(op, value, f"trait {path}")
            return TraitLeaf(condition, words(condition), path, content_key("trait", path, op, value))
        case Count(window=Session(gap_seconds=gap)):
            count = SessionCount(event=condition.event, where=condition.where, op=condition.op, n=condition.n)
            return _session_leaf(condition, gap, (count,))
        case Count(window=window):
            selector = Selector.of(condition)
            length = milliseconds(window.seconds) if isinstance(window, Sliding) else None
            key = content_key("window", selector.key, length, condition.op, condition.n)
            return CountLeaf(condition, words(condition), selector, length, key)
        case InSession(session=session, all=counts):
            return _session_leaf(condition, session.gap_seconds, counts)


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

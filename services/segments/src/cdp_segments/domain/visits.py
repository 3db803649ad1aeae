"""One person's visits for one gap: spans of activity, and what happened within them.

A span is where events follow each other with less than the gap between them, so two visits that a late event or
another device's events come between become one. Like a ring, visits are a join: order and repetition of events
make no difference, as long as they reach no further back than the visits that are kept.
"""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from collections.abc import Iterable, Mapping
from typing import NamedTuple, TypeAlias

from cdp_segments.domain.marks import LAST, Mark, Ring

Span: TypeAlias = tuple[int, int]  # first and last event, milliseconds


class Growth(NamedTuple):
    """What an event did to a person's visits."""

    span: Span
    joined: int  # how many visits it became part of: none, so that one began; one; or two, which are one now
    counted: tuple[str, ...]  # the selectors that count one more


class Visits:
    """The newest visits, in order, and the marks of counted events by selector.

    Marks within a visit are capped: of each selector only as many as decide its conditions. `horizon` is the end
    of the newest visit that was forgotten; what would have touched it comes too late.
    """

    __slots__ = ("horizon", "marks", "spans")

    def __init__(self) -> None:
        self.spans: list[Span] = []
        self.marks: dict[str, Ring] = {}
        self.horizon: int | None = None

    def add(
        self, moment: int, marks: Mapping[str, Mark], capacities: Mapping[str, int], gap: int
    ) -> Growth | None:
        """Take in an event with its mark for each selector that counts it; None if it changes nothing."""
        if self.horizon is not None and moment - self.horizon < gap:
            return None
        before = self._visit_at(moment)
        span, joined = self._extend(moment, gap)
        counted = tuple(key for key, mark in marks.items() if self._count(key, mark, span, capacities[key]))
        if not counted and before == span:
            return None
        return Growth(span, joined, counted)

    def absorb(self, other: Visits, gap: int, capacities: Mapping[str, int]) -> None:
        """Take in the visits that other events made."""
        spans = sorted([*self.spans, *other.spans])
        self.spans = spans[:1]
        for start, end in spans[1:]:
            first, last = self.spans[-1]
            if start - last < gap:
                self.spans[-1] = (first, max(last, end))
            else:
                self.spans.append((start, end))
        for key, ring in other.marks.items():
            self.marks[key] = sorted({*self.marks.get(key, ()), *ring})
        self.horizon = max((h for h in (self.horizon, other.horizon) if h is not None), default=None)
        self.trim(self.spans, capacities)

    def trim(self, spans: Iterable[Span], capacities: Mapping[str, int]) -> None:
        """Keep of each selector no more marks within these visits than decide its conditions."""
        for key, capacity in capacities.items():
            ring = self.marks.get(key, [])
            for start, end in spans if len(ring) > capacity else ():
                first, upto = bisect_left(ring, (start, -1)), bisect_right(ring, (end, LAST))
                del ring[first : max(first, upto - capacity)]

    def forget(self, count: int) -> None:
        """Let go of the oldest visits."""
        if count <= 0:
            return
        horizon = self.spans[count - 1][1]
        del self.spans[:count]
        self.horizon = horizon if self.horizon is None else max(self.horizon, horizon)
        for key, ring in [*self.marks.items()]:
            self.marks[key] = ring[bisect_right(ring, (horizon, LAST)) :]

    def _visit_at(self, moment: int) -> Span | None:
        at = bisect_right(self.spans, (moment, LAST)) - 1
        return self.spans[at] if at >= 0 and moment <= self.spans[at][1] else None

    def reach(self, span: Span) -> bool:
        """Whether any of these visits is within a span, or may have been before it was forgotten."""
        if self.horizon is not None and self.horizon >= span[0]:
            return True
        at = bisect_right(self.spans, (span[1], LAST)) - 1
        return at >= 0 and self.spans[at][1] >= span[0]

    def _extend(self, moment: int, gap: int) -> tuple[Span, int]:
        """The visit that the moment belongs to from now on, and how many there were in its place."""
        after = bisect_right(self.spans, (moment, LAST))
        start, end = moment, moment
        first, upto = after, after
        if after > 0 and moment - self.spans[after - 1][1] < gap:
            first -= 1
            start, end = self.spans[first][0], max(end, self.spans[first][1])
        if after < len(self.spans) and self.spans[after][0] - moment < gap:
            upto += 1
            end = self.spans[after][1]
        self.spans[first:upto] = [(start, end)]
        return (start, end), upto - first

    def _count(self, key: str, mark: Mark, span: Span, capacity: int) -> bool:
        ring = self.marks.setdefault(key, [])
        first = bisect_left(ring, (span[0], -1))
        upto = bisect_right(ring, (span[1], LAST), first)
        at = bisect_left(ring, mark, first, upto)
        if at < upto and ring[at] == mark:
            return False
        if upto - first >= capacity and at == first:
            return False
        ring.insert(at, mark)
        if upto - first >= capacity:
            del ring[first]
        return True

"""How events follow each other: which of them end a sequence.

A chain takes one event of each step. Of all chains that end at an event the one that began last is kept: what it
breaks the bound on the whole sequence, every other one does, too. What is asked of two neighbours hangs on their
times alone, and both ends of where the earlier may lie rise with the later, so each step is one walk over its
events with a queue (the maximum of a sliding window).
"""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from collections import defaultdict, deque
from collections.abc import Iterable, Mapping, Sequence, Set
from typing import TypeAlias

from cdp_segments.domain.marks import LAST, Ring
from cdp_segments.domain.windows import FOREVER

Chain: TypeAlias = tuple[int, int]  # when its last event so far happened, and its first one; milliseconds


def begin(ring: Ring) -> list[Chain]:
    """Chains of one event each."""
    return [(mark[0], mark[0]) for mark in ring]


def follow(chains: Sequence[Chain], ring: Ring, within: int, breaks: Iterable[Ring]) -> list[Chain]:
    """The chains with one event more each: for every event that can end one, the one that began last."""
    if not chains:
        return []
    longer: list[Chain] = []
    before: deque[Chain] = deque()
    kinds, taken = [*breaks], 0
    for at, *_ in later_than(ring, chains[0][0]):
        while taken < len(chains) and chains[taken][0] < at:
            while before and before[-1][1] <= chains[taken][1]:
                before.pop()
            before.append(chains[taken])
            taken += 1
        earliest = max([at - within + 1, *(last_before(kind, at) for kind in kinds)])
        while before and before[0][0] < earliest:
            before.popleft()
        if before:
            longer.append((at, before[0][1]))
    return longer


def later_than(ring: Ring, moment: int) -> Ring:
    """The marks after an instant."""
    return ring if not ring or ring[0][0] > moment else ring[bisect_right(ring, (moment, LAST)) :]


def last_before(ring: Ring, at: int) -> int:
    """When the last of these events before an instant happened; if none did, long ago."""
    upto = bisect_left(ring, (at, -1))
    return ring[upto - 1][0] if upto else -FOREVER


def any_after(ring: Ring, at: int, within: int) -> bool:
    """Whether one of these events happened after an instant and less than so much after it."""
    first = bisect_right(ring, (at, LAST))
    return first < len(ring) and ring[first][0] - at < within


def by_value(ring: Ring, values: Set[float]) -> Mapping[float, Ring]:
    """The marks that carry each of these values, in order."""
    groups: dict[float, Ring] = defaultdict(list)
    for mark in ring:
        if mark[-1] in values:
            groups[mark[-1]].append(mark)
    return groups

"""Rings of marks: when an event happened and which one it was, the newest few, in order.

A ring of the newest n + 1 marks decides every comparison of a count with n, for any window that ends now. It is
a join of the events put into it: their order, repetitions and the union of two rings make no difference. A mark
may carry a value of its event: all marks of a ring do, or none.
"""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from collections.abc import Mapping, Sequence
from itertools import chain
from struct import iter_unpack, pack, unpack
from typing import Final, TypeAlias

Mark: TypeAlias = tuple[int, int] | tuple[int, int, float]  # milliseconds since 1970, 63 bits of the message's id
Ring: TypeAlias = list[Mark]  # ascending
Seen: TypeAlias = tuple[int, Ring]  # how many marks a ring had, the oldest and the newest
Found: TypeAlias = tuple[list[Seen], list[int]]  # what was found, as long as the rings are as they were seen

EMPTY: Final[Ring] = []
LAST: Final = 1 << 63


def insert(ring: Ring, mark: Mark, capacity: int) -> bool:
    """Put a mark in its place and keep the newest; False if it was there or is too old to matter."""
    at = len(ring) if not ring or mark > ring[-1] else bisect_left(ring, mark)
    if at < len(ring) and ring[at] == mark:
        return False
    if at == 0 and len(ring) >= capacity:
        return False
    ring.insert(at, mark)
    if len(ring) > capacity:
        del ring[0]
    return True


def keep_older(ring: Ring, mark: Mark) -> bool:
    """Let the ring hold the older of its one mark and this; False if that is what it holds."""
    if ring and ring[0] <= mark:
        return False
    ring[:] = [mark]
    return True


def union(ring: Ring, other: Ring, capacity: int) -> Ring:
    """The newest marks of both."""
    return sorted({*ring, *other})[-capacity:]


def between(ring: Ring, start: int, end: int) -> int:
    """How many marks lie within, both ends included."""
    if not ring or ring[-1][0] < start:
        return 0
    upto = len(ring) if ring[-1][0] <= end else bisect_right(ring, (end, LAST))
    return upto - bisect_left(ring, (start, -1))


def inside(ring: Ring, start: int, end: int) -> Ring:
    """The marks that lie within, both ends included."""
    return ring[bisect_left(ring, (start, -1)) : bisect_right(ring, (end, LAST))]


def valued(ring: Ring) -> bool:
    """Whether its marks carry values."""
    return bool(ring) and len(ring[0]) == 3


def dump(ring: Sequence[tuple[float, ...]]) -> bytes:
    """16 bytes a mark that has no value."""
    return pack(f"<{2 * len(ring)}q", *chain.from_iterable(ring))


def parse(dumped: bytes) -> list[tuple[int, int]]:
    """The inverse of `dump`."""
    numbers = iter(unpack(f"<{len(dumped) // 8}q", dumped))
    return list(zip(numbers, numbers, strict=True))


def dump_rings(rings: Mapping[str, Ring]) -> dict[str, bytes]:
    """Those without values, 16 bytes a mark."""
    return {key: dump(ring) for key, ring in rings.items() if not valued(ring)}


def dump_valued(rings: Mapping[str, Ring]) -> dict[str, bytes]:
    """Those with values, 24 bytes a mark."""
    kept = {key: ring for key, ring in rings.items() if valued(ring)}
    return {key: pack("<" + len(ring) * "qqd", *chain.from_iterable(ring)) for key, ring in kept.items()}


def parse_rings(plain: Mapping[str, bytes], valued: Mapping[str, bytes]) -> dict[str, Ring]:
    """The inverse of both."""
    rings: dict[str, Ring] = {key: [*parse(dumped)] for key, dumped in plain.items()}
    return rings | {key: [*iter_unpack("<qqd", dumped)] for key, dumped in valued.items()}

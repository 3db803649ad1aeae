"""How much may be asked of the evaluator: refused before anything is written."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from typing import Final

from cdp_contracts.definitions_v1 import SegmentDefined
from pydantic import JsonValue

SEGMENTS: Final = 1_000
CONDITIONS: Final = 256
DEPTH: Final = 32
GROUPS: Final = ("and", "or", "not")


def of_segment(segment: SegmentDefined) -> Iterator[str]:
    """What one condition asks too much of. An archived one asks for nothing."""
    if segment.state == "archived":
        return
    conditions, depth = size_of(segment.model_dump(mode="json")["when"])
    if conditions > CONDITIONS:
        yield f"when: {conditions} conditions, and at most {CONDITIONS} may be joined"
    if depth > DEPTH:
        yield f"when: conditions are nested {depth} deep, and at most {DEPTH} may be"


def of_tenants(after: Mapping[str, SegmentDefined]) -> Iterator[str]:
    """Tenants with more segments than one may have, given all that there would be, by id."""
    counted = Counter(segment.tenant for segment in after.values() if segment.state != "archived")
    for tenant, number in sorted(counted.items()):
        if number > SEGMENTS:
            yield (
                f"tenant {tenant}: {number} segments, and at most {SEGMENTS} may be draft, live or paused;"
                " archive some first"
            )


def size_of(part: JsonValue) -> tuple[int, int]:
    """How many conditions a tree joins, and how deep it is."""
    match part:
        case {"kind": str(kind), "of": list(inner)} if kind in GROUPS:
            return _together(map(size_of, inner))
        case {"kind": str(kind), "of": inner} if kind in GROUPS:
            return _together([size_of(inner)])
        case _:
            return 1, 1


def _together(parts: Iterable[tuple[int, int]]) -> tuple[int, int]:
    conditions, depths = zip(*parts, strict=True)
    return sum(conditions), 1 + max(depths)

"""What has to be counted for a segment: addressed by content, so that equal conditions need it only once."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import Final, NamedTuple, TypeAlias

from cdp_segments.domain.belonging import BucketLeaf, SegmentLeaf
from cdp_segments.domain.leaves import Leaf, TraitLeaf
from cdp_segments.domain.segments import Segment

Feeds: TypeAlias = Mapping[str, int]
"""What is counted, and of each how many marks are kept."""

EVERYBODY: Final = "everybody:"


class Bearers(NamedTuple):
    """Who hangs on some feeds: leaves, and segments that may hold of people without a record."""

    leaves: tuple[Leaf, ...]
    open: tuple[Segment, ...]


def feeds_of(segments: Iterable[Segment]) -> dict[str, int]:
    """All that these segments hang on."""
    found: dict[str, int] = {}
    for segment in segments:
        for key, size in _of_segment(segment):
            found[key] = max(size, found.get(key, 0))
    return found


def covers(known: Feeds, needed: Feeds) -> bool:
    """Whether all that is needed is counted."""
    return all(known.get(key, 0) >= size for key, size in needed.items())


def lacking(segments: Iterable[Segment], known: Feeds) -> dict[str, int]:
    """What these segments hang on beyond what is known."""
    return {key: size for key, size in feeds_of(segments).items() if known.get(key, 0) < size}


def bearers(segments: Iterable[Segment], feeds: Feeds) -> Bearers:
    """The leaves and open segments among these that hang on the feeds."""
    leaves: dict[str, Leaf] = {}
    opens: list[Segment] = []
    for segment in segments:
        leaves.update((leaf.key, leaf) for leaf in segment.inner if any(key in feeds for key, _ in of_leaf(leaf)))
        if segment.holds_of_strangers and everybody_of(segment) in feeds:
            opens.append(segment)
    return Bearers((*leaves.values(),), tuple(opens))


def everybody_of(segment: Segment) -> str:
    """The feed of a segment for which everybody in the log has to be looked at."""
    return f"{EVERYBODY}{segment.content}"


def of_leaf(leaf: Leaf) -> Iterator[tuple[str, int]]:
    """What a leaf hangs on."""
    match leaf:
        case SegmentLeaf() | BucketLeaf():
            return
        case TraitLeaf(path=path):
            yield f"trait:{path}", 1
        case _ if leaf.asks:
            yield from ((f"marks:{ask.selector.key}", ask.capacity) for ask in leaf.asks)
        case _:
            yield f"leaf:{leaf.key}", 1


def _of_segment(segment: Segment) -> Iterator[tuple[str, int]]:
    for leaf in segment.inner:
        yield from of_leaf(leaf)
    if segment.holds_of_strangers:
        yield everybody_of(segment), 1

"""Segments: definitions with their compiled conditions, linked to the segments that these refer to."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from graphlib import TopologicalSorter
from typing import Final

from cdp_contracts.definitions_v1 import SegmentDefined

from cdp_segments.domain.asking import Measured
from cdp_segments.domain.belonging import BucketLeaf, SegmentLeaf, Truth, nobody
from cdp_segments.domain.compiling import Compiler
from cdp_segments.domain.leaves import Leaf, instants_of
from cdp_segments.domain.person import Person
from cdp_segments.domain.selectors import content_key
from cdp_segments.domain.windows import FOREVER

MAX_NESTED: Final = 32


@dataclass(frozen=True, slots=True, eq=False)
class Segment:
    """A definition and its compiled condition."""

    definition: SegmentDefined
    name: str
    truth: Truth
    leaves: tuple[Leaf, ...]  # its own
    inner: tuple[Leaf, ...]  # with those of the segments it refers to
    clocked: tuple[Leaf, ...]  # of those, whose truth the clock alone can change
    content: str

    @property
    def personal(self) -> bool:
        """Whether it hangs on the profile's id."""
        return any(isinstance(leaf, BucketLeaf) for leaf in self.inner)

    @property
    def holds_of_strangers(self) -> bool:
        """Whether it holds of somebody of whom nothing is known, or may."""
        return self.personal or self.truth(Person("/"), 0)

    def next_flip(self, person: Person, now: int) -> int | None:
        """When the clock alone next changes the truth; None if it never does."""
        member = self.truth(person, now)
        instants = {instant for leaf in self.clocked for instant in instants_of(leaf, person)}
        later = sorted(i for i in instants if now < i < FOREVER)
        return next((i for i in later if self.truth(person, i) is not member), None)


def compile_segment(definition: SegmentDefined, others: Mapping[str, Segment] | None = None) -> Segment:
    """Compile a definition, given the segments it may refer to.

    ValueError naming the field and the rule if it makes no sense.
    """
    known = others or {}
    compiler = Compiler({name: segment.truth for name, segment in known.items()})
    truth = compiler.compile(definition.when)
    content = content_key(definition.model_dump(mode="json", include={"name", "version", "state", "when"}))
    leaves = compiler.leaves
    refers = references(leaves.values())
    if definition.name in refers:
        raise ValueError(f"when: the segment {definition.name!r} refers to itself")
    others_leaves = {leaf.key: leaf for name in sorted(refers & known.keys()) for leaf in known[name].inner}
    inner = (*(others_leaves | leaves).values(),)
    clocked = tuple(leaf for leaf in inner if any(ask.clocked for ask in leaf.asks))
    return Segment(definition, definition.name, truth, (*leaves.values(),), inner, clocked, content)


def references(leaves: Iterable[Leaf]) -> set[str]:
    """The segments that these leaves name."""
    return {leaf.condition.segment for leaf in leaves if isinstance(leaf, SegmentLeaf)}


def linked(segments: Iterable[Segment]) -> list[Segment]:
    """The segments in the order of their names, each compiled with those that it refers to.

    A reference to one that is not among them holds of nobody, and so does a segment that leads back to itself or
    is nested more than 32 deep.
    """
    given = {segment.name: segment for segment in segments}
    named = {name: references(segment.leaves) for name, segment in given.items()}
    refers = {name: found & given.keys() for name, found in named.items() if found}
    done = {name: segment for name, segment in given.items() if name not in refers}
    depth = dict.fromkeys(done, 0)
    circular = {name for name in refers if name in _reached(name, refers)}
    order = TopologicalSorter({name: refers[name] - circular for name in refers.keys() - circular})
    for name in (*circular, *order.static_order()):
        if name not in done:
            depth[name] = 0 if name in circular else 1 + max((depth[other] for other in refers[name]), default=0)
            empty = name in circular or depth[name] > MAX_NESTED
            others = {other: done[other] for other in refers[name] & done.keys()}
            done[name] = nobodys(given[name]) if empty else compile_segment(given[name].definition, others)
    return [done[name] for name in sorted(done)]


def nobodys(segment: Segment) -> Segment:
    """The segment without anybody in it."""
    return replace(segment, truth=nobody, inner=(), clocked=())


def frozen_segment(segment: Segment) -> Segment:
    """The segment with those in it who are, until further notice."""

    def truth(person: Measured, now: int) -> bool:
        return segment.name in getattr(person, "members", ())

    return replace(segment, truth=truth, leaves=(), inner=(), clocked=())


def _reached(name: str, refers: Mapping[str, set[str]]) -> set[str]:
    """All that a segment refers to, through others too."""
    reached: set[str] = set()
    waiting = [*refers[name]]
    while waiting:
        found = waiting.pop()
        if found not in reached:
            reached.add(found)
            waiting += refers.get(found, ())
    return reached

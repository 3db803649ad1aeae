"""All segments of a tenant, indexed so that an event costs what it matches, not how many segments there are."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from functools import cached_property
from typing import Final, Self, TypeAlias

from cdp_contracts.events_v1 import Event
from pydantic import JsonValue

from cdp_segments.domain.asking import Ask
from cdp_segments.domain.comparing import lookup
from cdp_segments.domain.computed_traits import NO_TRAITS, ComputedTraits
from cdp_segments.domain.leaves import Leaf, TraitLeaf
from cdp_segments.domain.marks import Mark, Ring, insert, keep_older, union
from cdp_segments.domain.person import Person
from cdp_segments.domain.segments import Segment, frozen_segment, linked
from cdp_segments.domain.selectors import ANYTHING, Filter, Selector, content_key, names_of
from cdp_segments.domain.sessions import SessionLeaf
from cdp_segments.domain.trait_changes import TraitTold
from cdp_segments.domain.visits import Visits
from cdp_segments.domain.windows import FOREVER, Reach, next_change

Step: TypeAlias = tuple[Reach, int | None]  # a window and which mark's leaving it may flip something; None: any


@dataclass(slots=True, eq=False)
class Tally:
    """All that hangs on one selector."""

    selector: Selector | TraitTold
    capacity: int = 0
    segments: set[Segment] = field(default_factory=set)
    before: dict[str, set[Segment]] = field(default_factory=lambda: defaultdict(set))
    clocked: set[Segment] = field(default_factory=set)
    steps: set[Step] = field(default_factory=set)

    def keep(self, ask: Ask) -> None:
        """Keep as many marks as are asked for."""
        self.capacity = max(self.capacity, ask.capacity)

    def add(self, segment: Segment, ask: Ask) -> None:
        """Let a segment ask for marks."""
        self.keep(ask)
        (self.segments if ask.before is None else self.before[ask.before]).add(segment)
        if ask.clocked:
            self.clocked.add(segment)
            self.steps.update((ask.reach, place) for place in ask.places or (None,))

    def touched(self, ring: Ring, mark: Mark, rings: Mapping[str, Ring]) -> set[Segment]:
        """The segments whose truth a new mark may have changed: of some only beneath a later one."""
        if not self.before:
            return self.segments
        full = len(ring) >= self.capacity
        later = (key for key in self.before if full or (rings.get(key) and rings[key][-1][0] > mark[0]))
        return self.segments.union(*(self.before[key] for key in later))

    def insert(self, ring: Ring, mark: Mark) -> bool:
        """Put a mark in its place; False if it is there or does not matter."""
        return keep_older(ring, mark) if self.selector.oldest else insert(ring, mark, self.capacity)

    def union(self, ring: Ring, other: Ring) -> Ring:
        """What is kept of two rings."""
        return [min([*ring, *other])] if self.selector.oldest else union(ring, other, self.capacity)

    def deadline(self, ring: Ring, now: int) -> int | None:
        """The first instant after now at which the clock may flip something; None if there is none."""
        ring = self.selector.watched(ring)
        first, size = FOREVER, len(ring)
        for reach, k in self.steps:
            if k is None:
                first = min(first, next_change(reach, ring, now))
            elif k <= size:
                at = ring[-k][0]
                if now < (leaving := reach.leaves(at)) < first:
                    first = leaving
                if reach.delayed and now < (entering := reach.enters(at)) < first:
                    first = entering
        return None if first == FOREVER else first


@dataclass(slots=True, eq=False)
class VisitPlan:
    """All that hangs on the visits of one gap. `idle` are the leaves that a visit of uncounted events fulfils."""

    gap: int
    leaves: dict[str, SessionLeaf] = field(default_factory=dict)
    idle: set[str] = field(default_factory=set)
    capacities: dict[str, int] = field(default_factory=dict)
    counting: dict[str, set[str]] = field(default_factory=lambda: defaultdict(set))
    segments: dict[str, set[Segment]] = field(default_factory=lambda: defaultdict(set))


@dataclass(slots=True)
class NameIndex:
    """The selectors of one event name: by the value of a property where they ask for one, else a list."""

    others: list[Tally] = field(default_factory=list)
    by_value: dict[tuple[str, ...], dict[JsonKey, list[Tally]]] = field(default_factory=dict)

    def add(self, tally: Tally, selector: Selector) -> None:
        """Put the selector where the fewest events will find it."""
        chosen: Filter | None = next((f for f in selector.filters if f.indexable), None)
        if chosen is None:
            self.others.append(tally)
        else:
            values = self.by_value.setdefault(chosen.path, {})
            values.setdefault(json_key(chosen.value), []).append(tally)

    def candidates(self, properties: Mapping[str, JsonValue]) -> Iterator[Tally]:
        """The selectors that the properties may pass."""
        yield from self.others
        for path, values in self.by_value.items():
            value = lookup(properties, path)
            if isinstance(value, str | int | float):
                yield from values.get(json_key(value), ())


JsonKey: TypeAlias = tuple[bool, JsonValue]
NO_NAMES: Final = NameIndex()


def json_key(value: JsonValue) -> JsonKey:
    """A dictionary key that keeps true apart from 1."""
    return isinstance(value, bool), value


class Catalog:
    """The live segments of one tenant.

    Nobody is held against those that are `paused`: who is in them stays. Of those that are `fed`, the conditions
    are counted and no more.
    """

    computed: ComputedTraits = NO_TRAITS

    def __init__(
        self, segments: Iterable[Segment] = (), paused: Iterable[Segment] = (), fed: Iterable[Segment] = ()
    ) -> None:
        frozen = [frozen_segment(segment) for segment in paused]
        known = linked([*(s for s in segments if s.definition.state == "live"), *frozen])
        self.paused: frozenset[str] = frozenset(segment.name for segment in frozen)
        self.fed: tuple[Segment, ...] = (*fed,)
        live = [segment for segment in known if segment.name not in self.paused]
        self.segments: dict[str, Segment] = {segment.name: segment for segment in live}
        self.fingerprint: str = content_key(*(segment.content for segment in known))
        self.tallies: dict[str, Tally] = {}
        self.visits: dict[int, VisitPlan] = {}
        self.traits: dict[str, dict[tuple[str, ...], set[Segment]]] = defaultdict(dict)
        self._names: dict[str, NameIndex] = defaultdict(NameIndex)
        self._told: dict[str, list[Tally]] = defaultdict(list)
        for segment in live:
            for leaf in segment.inner:
                self._add(leaf, segment)
        for segment in self.fed:
            for leaf in segment.inner:
                self._add(leaf, None)
        self._index_all()

    @classmethod
    def counting(cls, leaves: Iterable[Leaf]) -> Self:
        """One without segments that counts for these leaves."""
        catalog = cls()
        for leaf in leaves:
            catalog._add(leaf, None)
        catalog._index_all()
        return catalog

    def _index_all(self) -> None:
        for tally in self.tallies.values():
            self._index(tally)

    def compute(self, traits: ComputedTraits) -> Self:
        """Count for these computed traits, too."""
        self.computed = traits
        for ask in traits.asks:
            new = ask.selector.key not in self.tallies
            tally = self._tally(ask.selector)
            tally.capacity = max(tally.capacity, ask.capacity)
            if new:
                self._index(tally)
        return self

    @cached_property
    def open_to_all(self) -> frozenset[Segment]:
        """The segments that hold of somebody of whom nothing is known, or may: it hangs on the profile's id."""
        return frozenset(s for s in self.segments.values() if s.holds_of_strangers)

    @cached_property
    def awaited(self) -> frozenset[Segment]:
        """The same of those that are not in force yet: they will be asked about everybody."""
        return frozenset(s for s in self.fed if s.holds_of_strangers)

    def matching(self, event: Event) -> list[Tally]:
        """The selectors that count the event."""
        candidates = [
            tally
            for name in (*names_of(event), ANYTHING)
            for tally in self._names.get(name, NO_NAMES).candidates(event.properties)
        ]
        candidates += [tally for name in event.traits for tally in self._told.get(name, ())]
        return [tally for tally in candidates if tally.selector.accepts(event)]

    def deadline(self, person: Person, now: int) -> int | None:
        """The first instant after now at which the clock may flip something, over all the person's state."""
        deadlines = (self.tallies[key].deadline(person.rings[key], now) for key in self._known(person))
        return min((deadline for deadline in deadlines if deadline is not None), default=None)

    def clocked(self, person: Person) -> set[Segment]:
        """The segments that the clock alone may flip for somebody: those that look at marks there are."""
        return {segment for key in self._known(person) for segment in self.tallies[key].clocked}

    def _known(self, person: Person) -> Iterator[str]:
        return (key for key in person.rings if key in self.tallies)

    def _add(self, leaf: Leaf, segment: Segment | None) -> None:
        """Count for a leaf; without a segment, nothing is told of it."""
        match leaf:
            case TraitLeaf(path=path):
                parts = tuple(path.split("."))
                asking = self.traits[parts[0]].setdefault(parts, set())
                asking.update([segment] if segment else [])
            case SessionLeaf():
                self._add_session(leaf, segment)
            case _:
                for ask in leaf.asks:
                    tally = self._tally(ask.selector)
                    tally.add(segment, ask) if segment else tally.keep(ask)

    def _add_session(self, leaf: SessionLeaf, segment: Segment | None) -> None:
        plan = self.visits.setdefault(leaf.gap, VisitPlan(leaf.gap))
        plan.leaves[leaf.key] = leaf
        if leaf.fulfilled(Visits(), (0, 0)):
            plan.idle.add(leaf.key)
        plan.segments[leaf.key].update([segment] if segment else [])
        for test in leaf.tests:
            key = self._tally(test.selector).selector.key
            plan.capacities[key] = max(plan.capacities.get(key, 0), test.capacity)
            plan.counting[key].add(leaf.key)

    def _index(self, tally: Tally) -> None:
        if isinstance(tally.selector, TraitTold):
            self._told[tally.selector.path[0]].append(tally)
        else:
            self._names[tally.selector.event].add(tally, tally.selector)

    def _tally(self, selector: Selector | TraitTold) -> Tally:
        return self.tallies.setdefault(selector.key, Tally(selector))

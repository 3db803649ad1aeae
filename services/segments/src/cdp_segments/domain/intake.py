"""How an event, a trait and another record's state get into a person's record. All of it is safe twice."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import Final

from cdp_contracts.events_v1 import Event
from pydantic import JsonValue

from cdp_segments.domain.catalog import Catalog, Segment, Tally, VisitPlan
from cdp_segments.domain.comparing import lookup
from cdp_segments.domain.marks import Mark, insert, union
from cdp_segments.domain.person import UNKNOWN, Fact, Person
from cdp_segments.domain.selectors import is_behaviour
from cdp_segments.domain.visits import Growth, Span, Visits

VISITS_KEPT: Final = 64


def take_event(person: Person, event: Event, mark: Mark, catalog: Catalog, now: int) -> set[Segment]:
    """Count the event; the segments whose truth it may have changed."""
    touched: set[Segment] = set()
    tallies = catalog.matching(event)
    for tally in tallies:
        if tally.capacity and _count(person, tally, mark, now):
            touched |= tally.segments
    if is_behaviour(event):
        for plan in catalog.visits.values():
            touched |= _visit(person, plan, tallies, mark)
    return touched


def _count(person: Person, tally: Tally, mark: Mark, now: int) -> bool:
    ring = person.rings.setdefault(tally.selector.key, [])
    if not insert(ring, mark, tally.capacity):
        return False
    person.next_deadline = earliest(person.next_deadline, tally.deadline(ring, now))
    person.touch()
    return True


def earliest(*instants: int | None) -> int | None:
    """The first of those that are known."""
    return min((instant for instant in instants if instant is not None), default=None)


def _visit(person: Person, plan: VisitPlan, tallies: Iterable[Tally], mark: Mark) -> set[Segment]:
    """Let the event be part of a visit; the segments of every leaf that this may have changed."""
    visits = person.visits.setdefault(plan.gap, Visits())
    keys = (tally.selector.key for tally in tallies)
    growth = visits.add(mark, {key: plan.capacities[key] for key in keys if key in plan.capacities}, plan.gap)
    if growth is None:
        return set()
    person.touch()
    leaves = _changed_by(growth, plan)
    _latch(person, plan, visits, leaves, [growth.span])
    _keep_newest(person, plan, visits)
    return {segment for leaf in leaves for segment in plan.segments[leaf]}


def _changed_by(growth: Growth, plan: VisitPlan) -> set[str]:
    """The leaves whose truth may have changed: all if two visits met, for every count may have grown."""
    if growth.joined > 1:
        return set(plan.leaves)
    counting = {leaf for key in growth.counted for leaf in plan.counting[key]}
    return counting if growth.joined else counting | plan.idle


def _latch(person: Person, plan: VisitPlan, visits: Visits, leaves: Iterable[str], spans: Iterable[Span]) -> None:
    """Note for good what no later event can take away from these visits."""
    for key in leaves:
        leaf = plan.leaves[key]
        if leaf.latches and key not in person.ever and any(leaf.fulfilled(visits, span) for span in spans):
            person.ever.add(key)


def _keep_newest(person: Person, plan: VisitPlan, visits: Visits) -> None:
    """Let go of visits beyond those kept; what they fulfil stays fulfilled."""
    old = visits.spans[:-VISITS_KEPT]
    if old:
        person.ever.update(
            key for key, leaf in plan.leaves.items() if any(leaf.fulfilled(visits, span) for span in old)
        )
        visits.forget(len(old))


def take_traits(person: Person, traits: Mapping[str, JsonValue], revision: int, catalog: Catalog) -> set[Segment]:
    """Note the traits that a segment asks for, the newest revision of each; the segments that ask."""
    touched: set[Segment] = set()
    for path, value, segments in _asked_for(traits, catalog):
        known = person.facts.get(path, UNKNOWN)
        if revision <= known.revision:
            continue
        person.facts[path] = Fact(value, revision)
        person.touch()
        touched |= segments
    return touched


def _asked_for(traits: Mapping[str, JsonValue], catalog: Catalog) -> Iterator[tuple[str, JsonValue, set[Segment]]]:
    for name in traits.keys() & catalog.traits.keys():
        for parts, segments in catalog.traits[name].items():
            yield ".".join(parts), lookup(traits, parts), segments


def take_record(person: Person, absorbed: Person, catalog: Catalog) -> None:
    """Take in the counts and visits of a record that became part of this one. Traits come with the merge."""
    for key, ring in absorbed.rings.items():
        known = person.rings.get(key, [])
        tally = catalog.tallies.get(key)
        capacity = tally.capacity if tally and tally.capacity else len(ring) + len(known)
        person.rings[key] = union(known, ring, capacity)
    for gap, visits in absorbed.visits.items():
        person.visits.setdefault(gap, Visits()).absorb(visits, gap)
    person.ever |= absorbed.ever
    look_again(person, catalog)
    person.touch()


def look_again(person: Person, catalog: Catalog) -> None:
    """Latch what the visits fulfil, after they or the definitions changed as a whole."""
    for gap, visits in person.visits.items():
        if plan := catalog.visits.get(gap):
            _latch(person, plan, visits, plan.leaves, visits.spans)
            _keep_newest(person, plan, visits)

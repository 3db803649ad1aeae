"""How an event and a trait get into a person's record. All of it is safe twice."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence

from cdp_contracts.events_v1 import Event
from pydantic import JsonValue

from cdp_segments.domain.catalog import Catalog, Tally, VisitPlan
from cdp_segments.domain.comparing import lookup
from cdp_segments.domain.latching import keep_newest, latch
from cdp_segments.domain.marks import Mark
from cdp_segments.domain.person import UNKNOWN, Fact, Person
from cdp_segments.domain.segments import Segment
from cdp_segments.domain.selectors import Selector, is_behaviour
from cdp_segments.domain.shares import Share
from cdp_segments.domain.visits import Growth, Visits


def take_event(
    person: Person, event: Event, mark: Mark, catalog: Catalog, now: int, *, part: str = ""
) -> set[Segment]:
    """Count the event in the share of what attributed it; the segments whose truth it may have changed."""
    touched: set[Segment] = set()
    tallies = catalog.matching(event)
    marked = [(tally, its) for tally in tallies if (its := tally.selector.mark(mark, event))]
    counting = [(tally, its) for tally, its in marked if tally.capacity]
    plans = catalog.visits.values() if is_behaviour(event) else ()
    states = _states(person, part) if counting or plans else ()
    for tally, its in counting:
        if _count(person, states, tally, its, now):
            touched |= tally.touched(person.rings[tally.selector.key], its, person.rings)
            if isinstance(tally.selector, Selector) and tally.selector.worded:
                _note_word(states, tally.selector, its, event)
    for plan in plans:
        touched |= _visit(person, states, plan, marked, mark)
    return touched


def wait_with(person: Person, event: Event, mark: Mark, catalog: Catalog, part: str) -> None:
    """Count the event in a share that is on its way to somebody else, where it changes nothing."""
    somebody = Person(person.id)
    share = person.leaving[part] if part in person.leaving else person.shares[part]
    somebody.shares[part] = somebody.joint = share
    take_event(somebody, event, mark, catalog, 0, part=part)
    if somebody.changed:
        person.touch()


def _states(person: Person, part: str) -> Sequence[Share]:
    """What counts an event: its share, and all of them together where that is another."""
    share = person.share(part)
    return (share,) if share is person.joint else (share, person.joint)


def _count(person: Person, states: Iterable[Share], tally: Tally, mark: Mark, now: int) -> bool:
    """Whether it is news to all of them."""
    for state in states:
        ring = state.rings.setdefault(tally.selector.key, [])
        if not tally.insert(ring, mark):
            return False
        person.touch()
    person.moved.add(tally.selector.key)
    person.next_deadline = earliest(person.next_deadline, tally.deadline(ring, now))
    return True


def _note_word(states: Iterable[Share], selector: Selector, mark: Mark, event: Event) -> None:
    """Note what the number in a mark stands for."""
    word = selector.word(event)
    if word is not None and len(mark) == 3:
        for state in states:
            state.words.setdefault(selector.key, {})[mark[2]] = word


def earliest(*instants: int | None) -> int | None:
    """The first of those that are known."""
    return min((instant for instant in instants if instant is not None), default=None)


def _visit(
    person: Person, states: Iterable[Share], plan: VisitPlan, marked: Iterable[tuple[Tally, Mark]], mark: Mark
) -> set[Segment]:
    """Let the event be part of a visit; the segments of every leaf that this may have changed."""
    its = {tally.selector.key: own for tally, own in marked if tally.selector.key in plan.capacities}
    leaves: set[str] = set()
    for state in states:
        visits = state.visits.setdefault(plan.gap, Visits())
        growth = visits.add(mark[0], its, plan.capacities, plan.gap)
        if growth is None:
            return set()
        person.touch()
        if growth.joined > 1:
            visits.trim([growth.span], plan.capacities)
        leaves = _changed_by(growth, plan)
        latch(state, plan, visits, leaves, [growth.span])
        keep_newest(state, plan, visits, person)
    return {segment for leaf in leaves for segment in plan.segments[leaf]}


def _changed_by(growth: Growth, plan: VisitPlan) -> set[str]:
    """The leaves whose truth may have changed: all if two visits met, for every count may have grown."""
    if growth.joined > 1:
        return set(plan.leaves)
    counting = {leaf for key in growth.counted for leaf in plan.counting[key]}
    return counting if growth.joined else counting | plan.idle


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

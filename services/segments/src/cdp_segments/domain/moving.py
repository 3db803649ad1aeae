"""Whose an event is and whose a share is, and how shares get from one record to another, in steps that a crash
may part.

1. A record becomes a redirect, or notes that identifiers of it are somebody else's: their shares count no more.
   Whatever still comes for them goes to whom they are of.
2. `hand_over`: the records that the shares are of now take them in.
3. `release`: the record lets go of them.

Each step is one compare-and-set of one document and does nothing where it was done before. As a share is a join of
the events in it, merges and partings commute with events and with each other.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping
from typing import TypeAlias

from cdp_runtime.redirects import chain_of

from cdp_segments.domain.catalog import Catalog
from cdp_segments.domain.joining import add, keep, part_of, take
from cdp_segments.domain.person import Person, person_id

People: TypeAlias = Mapping[str, Person]


def owner_of(people: People, person: Person, part: str) -> Person:
    """The live record that an identifier of this one is of now; itself unless it was parted and stayed away."""
    *_, owner = chain_of(people, person.id, part)
    return owner


def giver_on(chain: Iterable[Person], part: str) -> Person | None:
    """The record that has yet to hand over what an identifier attributed: more of that goes the same way."""
    return next((record for record in chain if part in record.outgoing - record.handed), None)


def leave(people: People, person: Person, catalog: Catalog) -> None:
    """Let the shares count no more that are somebody else's by now."""
    gone = {part for part in person.shares if owner_of(people, person, part) is not person}
    if gone:
        add(person.leaving, {part: person.shares[part] for part in gone}, catalog)
        person.handed -= gone
        keep(person, person.shares.keys() - gone, catalog)
        person.touch()


def hand_over(people: People, givers: Iterable[Person], catalog: Catalog) -> set[str]:
    """Let the shares that are for others be taken by whom they are of; the ids of those."""
    takers: set[str] = set()
    for giver in givers:
        groups: dict[str, set[str]] = defaultdict(set)
        for part in giver.outgoing - giver.handed:
            groups[owner_of(people, giver, part).id].add(part)
        for taker, parts in sorted(groups.items()):
            take(people[taker], part_of(giver, parts, catalog), catalog)
        giver.handed |= giver.outgoing
        takers |= groups.keys()
    return takers


def release(people: Iterable[Person]) -> dict[str, Person]:
    """Let records go of the shares that others, saved by now, hold; those that did."""
    released = {person.id: person for person in people if person.handed}
    for person in released.values():
        person.let_go()
    return released


def formerly(people: People, chain: Iterable[Person]) -> list[Person]:
    """Where the chain led before identifiers were parted anew."""
    return within_reach(
        people, [person_id(r.tenant, profile_id) for r in chain for profile_id in sorted(r.former)]
    )


def within_reach(people: People, ids: Iterable[str]) -> list[Person]:
    """These records and all that they lead to, each once."""
    found: dict[str, Person] = {}
    waiting = list(ids)
    while waiting:
        id_ = waiting.pop(0)
        if id_ not in found:
            found[id_] = people[id_]
            waiting += sorted(people[id_].targets)
    return list(found.values())

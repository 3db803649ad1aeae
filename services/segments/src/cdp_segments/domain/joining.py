"""Shares come together in one record, and go apart again. All of it is safe twice."""

from __future__ import annotations

from collections.abc import Iterable

from cdp_segments.domain.catalog import Catalog
from cdp_segments.domain.latching import look_again
from cdp_segments.domain.marks import union
from cdp_segments.domain.person import Person
from cdp_segments.domain.shares import Share
from cdp_segments.domain.visits import Visits


def join(state: Share, other: Share, catalog: Catalog) -> None:
    """Take in the marks and visits of other events, or of the same."""
    for key, words in other.words.items():
        state.words[key] = state.words.get(key, {}) | words
    for key, ring in other.rings.items():
        known = state.rings.get(key, [])
        tally = catalog.tallies.get(key)
        if tally and tally.capacity:
            state.rings[key] = tally.union(known, ring)
        else:
            state.rings[key] = union(known, ring, len(ring) + len(known))
    for gap, visits in other.visits.items():
        plan = catalog.visits.get(gap)
        state.visits.setdefault(gap, Visits()).absorb(visits, gap, plan.capacities if plan else {})


def add(shares: dict[str, Share], more: dict[str, Share], catalog: Catalog) -> None:
    """Put more shares to these; two of one identifier become one."""
    for part, share in more.items():
        known = shares.setdefault(part, share)
        if known is not share:
            join(known, share, catalog)
            known.ever |= share.ever


def keep(person: Person, parts: Iterable[str], catalog: Catalog) -> None:
    """Let these shares count, and no others."""
    person.moved |= person.joint.rings.keys()
    person.shares = {part: person.shares[part] for part in sorted(parts)}
    person.joint = Share()
    for share in person.shares.values():
        if len(person.shares) == 1:
            person.joint = share
        else:
            join(person.joint, share, catalog)
    person.moved |= person.joint.rings.keys()
    look_again(person, catalog)


def part_of(person: Person, parts: Iterable[str], catalog: Catalog) -> Person:
    """What somebody would be who had only these shares of a person, whether they count or are leaving; a copy."""
    somebody = Person(person.id)
    for shares in (person.shares, person.leaving):
        add(somebody.shares, {part: shares[part].copy() for part in parts if part in shares}, catalog)
    somebody.latches = {latch for latch in person.latches if latch.parts & somebody.shares.keys()}
    keep(somebody, somebody.shares, catalog)
    if len(somebody.shares) > 1 and somebody.shares.keys() == person.shares.keys() and not person.leaving:
        ever = somebody.joint.ever | person.joint.ever
        somebody.joint = person.joint.copy()
        for share in somebody.shares.values():
            join(somebody.joint, share, catalog)
        somebody.joint.ever.update(ever)
    return somebody


def take(person: Person, other: Person, catalog: Catalog) -> None:
    """Let all of another person, who is used no more, count for this one, too."""
    person.handed -= other.shares.keys()
    person.moved |= other.joint.rings.keys()
    person.latches |= other.latches
    together = person.shares.keys() | other.shares.keys()
    if len(together) > 1:
        person.latches |= person.own_latches() | other.own_latches()
        if len(person.shares) == 1:
            person.joint = person.joint.copy()
        join(person.joint, other.joint, catalog)
        person.joint.ever |= other.joint.ever
    add(person.shares, other.shares, catalog)
    if len(together) == 1:
        (person.joint,) = person.shares.values()
    look_again(person, catalog)
    person.touch()

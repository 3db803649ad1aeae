"""From truth to membership: which memberships begin and end, why, and until when."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Literal, TypeAlias

from cdp_contracts.segments_v1 import MembershipChange

from cdp_segments.domain.catalog import Catalog
from cdp_segments.domain.intake import earliest
from cdp_segments.domain.latching import look_again
from cdp_segments.domain.person import Member, Person
from cdp_segments.domain.reasons import reasons
from cdp_segments.domain.segments import Segment
from cdp_segments.domain.telling import moment_of

Cause: TypeAlias = Literal["event", "timer", "merge", "definition"]
Changes: TypeAlias = list[MembershipChange]


def evaluate(person: Person, segments: Iterable[Segment], catalog: Catalog, now: int, cause: Cause) -> Changes:
    """Hold the person against these segments; the flips, in the order of the segments' names."""
    flipped = [s for s in segments if s.truth(person, now) is not (s.name in person.members)]
    ended = {s.name: person.members.pop(s.name) for s in flipped if s.name in person.members}
    begun = {s.name: Member(now, None, s.definition.version) for s in flipped if s.name not in ended}
    person.members.update(begun)
    if flipped:
        _foresee(person, catalog, now)
    return [_change(s, person, now, cause) for s in sorted(flipped, key=lambda s: s.name)]


def take_over_definitions(person: Person, catalog: Catalog, now: int) -> Changes:
    """Hold somebody known against definitions that changed since, before anything else happens to them."""
    if person.definitions in ("", catalog.fingerprint):
        return []
    person.definitions = catalog.fingerprint
    person.touch()
    look_again(person, catalog)
    changes = _end(person, person.members.keys() - catalog.segments.keys() - catalog.paused, now, "definition")
    for name, member in person.members.items():
        if name in catalog.paused:
            person.members[name] = member._replace(expires_at=None)
        else:
            person.members[name] = member._replace(version=catalog.segments[name].definition.version)
    changes += evaluate(person, catalog.segments.values(), catalog, now, "definition")
    person.next_deadline = earliest(person.next_deadline, catalog.deadline(person, now))
    return changes


def end_all(person: Person, now: int) -> Changes:
    """End every membership of a record that becomes part of another."""
    return _end(person, person.members.keys(), now, "merge")


def _end(person: Person, names: Iterable[str], now: int, cause: Cause) -> Changes:
    return [
        MembershipChange(
            segment=name,
            segment_version=person.members.pop(name).version,
            member=False,
            cause=cause,
            effective_at=moment_of(now),
        )
        for name in sorted(names)
    ]


def _foresee(person: Person, catalog: Catalog, now: int) -> None:
    """Say of every membership when it will end if nothing happens."""
    for name, member in person.members.items():
        segment = catalog.segments.get(name)
        if segment and segment.clocked:
            person.members[name] = member._replace(expires_at=segment.next_flip(person, now))


def _change(segment: Segment, person: Person, now: int, cause: Cause) -> MembershipChange:
    member = person.members.get(segment.name)
    ends = member.expires_at if member else None
    return MembershipChange(
        segment=segment.name,
        segment_version=segment.definition.version,
        member=member is not None,
        cause=cause,
        effective_at=moment_of(now),
        expires_at=None if ends is None else moment_of(ends),
        reasons=reasons(segment, person, now),
    )

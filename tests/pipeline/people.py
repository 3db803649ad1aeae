"""What a platform knows, told by person and not by profile id.

An identifier and its person are two documents. After a crash between them the person may be stored under another
id, or first as two who are then merged. All that is known of the person is the same.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, TypeAlias
from uuid import UUID

from assembly import Pipeline
from cdp_contracts.topics import EVENTS_RESOLVED
from cdp_profiles.domain.profile import Profile, record_id
from cdp_runtime.records import restored

Person: TypeAlias = frozenset[str]
"""The pseudonyms of all identifiers of somebody."""


def told_by_person(platform: Pipeline) -> dict[str, Any]:
    """Who is who and why, whose each event is, what is known of each person, and where each person is a member."""
    graph, roots = platform.graph, dict(persons(platform))
    live = {root: restored_profile(platform, root) for root in roots}
    newest = {m.profile_id: m for m in sorted(platform.memberships(), key=lambda message: message.version)}
    return {
        "persons": set(roots.values()),
        "evidence": graph.evidence,
        "refused": {pair: refusal.limit for pair, refusal in graph.refused.items()},
        "events": {m.id: (m.part, roots[root_of(platform, m.profile_id)])
                   for m in platform.bus.messages(EVENTS_RESOLVED)},
        "profiles": {roots[root]: vars_of(profile) for root, profile in live.items()},
        "memberships": {roots[i]: sorted(m.memberships) for i, m in newest.items() if i in roots},
    }  # fmt: skip


def persons(platform: Pipeline) -> Iterator[tuple[UUID, Person]]:
    """Each live entity with the identifiers that lead to it."""
    found: dict[UUID, set[str]] = {}
    for pseudonym, pointer in platform.graph.pointing.items():
        found.setdefault(root_of(platform, pointer.entity), set()).add(pseudonym)
    return ((root, frozenset(names)) for root, names in found.items())


def root_of(platform: Pipeline, entity: UUID) -> UUID:
    """Where the redirects lead."""
    into = platform.graph.population[entity].into
    return root_of(platform, into) if into else entity


def restored_profile(platform: Pipeline, root: UUID) -> Profile:
    """The profile of a live entity."""
    stored = record_id("demo", root)
    return restored(Profile, stored, platform.profile_records.documents.get(stored), "profiles")


def vars_of(profile: Profile) -> tuple[Any, ...]:
    """What the profile tells of a person, in values that can be compared."""
    known = profile.joined
    return known.first_seen, known.last_seen, known.traits, known.counters, known.identifiers

"""One record becomes several, in steps that a crash may part.

1. `note`: the record remembers whose the identifiers are from now on. Their parts count no more, and whatever
   still comes for them goes there.
2. `hand_over`: the records they are of now take in the parts, with what is remembered of the messages in them.
3. `let_go`: the record lets go of both.

As with merges, each step is one compare-and-set of one document and does nothing where it was done before. A merge
may bring a record parts of identifiers that were parted from it already: it hands them over, too. So partings
commute with merges and with events.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator
from datetime import datetime

from cdp_contracts.identities_v1 import IdentitiesUnmerged
from cdp_contracts.profiles_v1 import ProfileUpdated
from cdp_runtime.redirects import chain_of

from cdp_profiles.domain.facts import Regrouped, parted_told, unmerge_told
from cdp_profiles.domain.moving import drop_taken, memory_of, without_doubles
from cdp_profiles.domain.profile import Away, Outcome, Profile, record_id
from cdp_profiles.domain.updating import People


def all_of(unmerge: IdentitiesUnmerged) -> Iterator[str]:
    """The ids of the records that it concerns."""
    yield record_id(unmerge.tenant, unmerge.profile_id)
    yield from (record_id(unmerge.tenant, parting.profile_id) for parting in unmerge.partings)


def note(people: People, unmerges: Iterable[IdentitiesUnmerged], now: datetime) -> None:
    """Let each live record know whose the identifiers are, and remember what that changed on it."""
    for unmerge in unmerges:
        chain = list(chain_of(people, record_id(unmerge.tenant, unmerge.profile_id)))
        if any(record.seen(unmerge.id) for record in chain):
            continue
        kept, before = chain[-1], chain[-1].joined.traits
        for parting in unmerge.partings:
            kept.note(parting.identifiers, Away(unmerge.version, str(parting.profile_id)))
        kept.leave(gone(people, kept))
        kept.remember(unmerge.id, now, Outcome(kept.next_revision(), kept.differs_from(before)).dump())


def gone(people: People, record: Profile) -> set[str]:
    """The identifiers whose parts a record holds though they are another's by now."""
    held = {key.identifier for key in record.parts} & record.parted.keys()
    return {identifier for identifier in held if taker_of(people, record, identifier) is not record}


def taker_of(people: People, record: Profile, identifier: str) -> Profile:
    """The live record that an identifier of this one is of now; itself if it came back."""
    *_, taker = chain_of(people, record.id, identifier)
    return taker


def kept_told(people: People, unmerge: IdentitiesUnmerged) -> ProfileUpdated:
    """What an unmerge brought about on the profile that keeps its id."""
    chain = list(chain_of(people, record_id(unmerge.tenant, unmerge.profile_id)))
    record = next(record for record in chain if record.seen(unmerge.id))
    return unmerge_told(unmerge, record, Outcome.parse(record.outcome(unmerge.id)), chain[-1])


def hand_over(people: People, cause: Regrouped) -> Iterator[ProfileUpdated]:
    """Give what is leaving the live record to whom it is of now, unless they have it; what they are with it.

    Told again, it has the same id, and says what they are by then.
    """
    *_, record = chain_of(people, record_id(cause.tenant, cause.profile_id))
    takers: dict[str, set[str]] = defaultdict(set)
    for identifier in record.parted:
        takers[taker_of(people, record, identifier).id].add(identifier)
    for taker, identifiers in sorted(takers.items()):
        if taker != record.id:
            _take(people[taker], record, identifiers)
            if people[taker].revision:
                yield parted_told(cause, people[taker])


def _take(taker: Profile, record: Profile, identifiers: set[str]) -> None:
    parts = {k: p for k, p in record.parts.items() if k.identifier in identifiers and k not in taker.parts}
    if parts:
        taker.sighted |= set().union(*(part.identifiers for part in parts.values()))
        taker.replace_parts(taker.parts | without_doubles(taker, record, parts))
        taker.recent.absorb(memory_of(record, parts))
        taker.next_revision()
        taker.touch()


def let_go(people: People, causes: Iterable[Regrouped]) -> None:
    """Let each live record drop what those have by now who took it."""
    for cause in causes:
        *_, record = chain_of(people, record_id(cause.tenant, cause.profile_id))
        for taker in {taker_of(people, record, identifier) for identifier in record.leaving} - {record}:
            drop_taken(record, taker)

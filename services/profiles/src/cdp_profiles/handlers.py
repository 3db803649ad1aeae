"""What the writer and the historian do: read this page first."""

from __future__ import annotations

from typing import Any, Final, TypeVar

from cdp_contracts.computed_v1 import TraitsComputed
from cdp_contracts.envelope import Contract
from cdp_contracts.events_v1 import EventResolved
from cdp_contracts.identities_v1 import IdentitiesMerged, IdentitiesUnmerged
from cdp_contracts.profiles_v1 import ProfileUpdated
from cdp_contracts.topics import (
    EVENTS_RESOLVED,
    IDENTITIES_MERGED,
    IDENTITIES_UNMERGED,
    PROFILES_UPDATED,
    TRAITS_COMPUTED,
)
from cdp_runtime.batch import Batch
from cdp_runtime.stage import Stage

from cdp_profiles.domain.computing import keep_computed
from cdp_profiles.domain.history import Bounds, note_traits, place_told, says_traits
from cdp_profiles.domain.limits import Limits
from cdp_profiles.domain.merging import absorb, both, freeze, release
from cdp_profiles.domain.parting import all_of, hand_over, kept_told, let_go, note
from cdp_profiles.domain.profile import record_id
from cdp_profiles.domain.timeline import entries_of, is_turn_to_trim
from cdp_profiles.domain.updating import Applied, Refused, update
from cdp_profiles.histories import Histories
from cdp_profiles.store import ProfileStore

M = TypeVar("M", bound=Contract)

MOST_AT_ONCE: Final = 1000
"""Events in a batch. Each may bring another person's record into memory, and more of them cost no less each."""


async def update_profiles(batch: Batch[EventResolved], profiles: ProfileStore, limits: Limits) -> None:
    """Apply each event to its person's record. Safe twice."""
    people = await profiles.load(record_id(event.tenant, event.profile_id) for event in batch)
    for event in batch:
        tell(batch, event, update(people, event, limits, batch.now))
    await profiles.save(people)


async def keep_computed_traits(batch: Batch[TraitsComputed], profiles: ProfileStore) -> None:
    """Keep what was computed of each person on their record. Safe twice."""
    people = await profiles.load(record_id(computed.tenant, computed.profile_id) for computed in batch)
    for computed in batch:
        if fact := keep_computed(people, computed, batch.now):
            batch.emit(fact, cause=computed)
        batch.settle(computed)
    await profiles.save(people)


async def absorb_profiles(batch: Batch[IdentitiesMerged], profiles: ProfileStore) -> None:
    """Make one record of two, in three steps (see domain/merging.py). Safe twice, wherever it was stopped."""
    people = await profiles.load(record for merge in batch for record in both(merge))
    freeze(people, batch)
    await profiles.save(people)
    for merge in batch:
        tell(batch, merge, absorb(people, merge, batch.now))
        batch.emit(*hand_over(people, merge), cause=merge)
    await profiles.save(people)
    release(people, batch)
    let_go(people, batch)
    await profiles.save(people)


async def part_profiles(batch: Batch[IdentitiesUnmerged], profiles: ProfileStore) -> None:
    """Make several records of one, in three steps (see domain/parting.py). Safe twice, wherever it was stopped."""
    people = await profiles.load(record for unmerge in batch for record in all_of(unmerge))
    note(people, batch, batch.now)
    await profiles.save(people)
    for unmerge in batch:
        batch.emit(kept_told(people, unmerge), *hand_over(people, unmerge), cause=unmerge)
    await profiles.save(people)
    let_go(people, batch)
    await profiles.save(people)


async def keep_histories(batch: Batch[ProfileUpdated], histories: Histories, bounds: Bounds) -> None:
    """Keep what the updates say: the values of traits, and the events. Safe twice, in any order."""
    chronicles = await histories.load(place_told(fact) for fact in batch if says_traits(fact))
    for fact in batch:
        note_traits(chronicles, fact, bounds)
        batch.settle(fact)
    await histories.save(chronicles)
    await histories.note(entry for fact in batch for entry in entries_of(fact, bounds))
    await histories.trim({place_told(fact) for fact in batch if is_turn_to_trim(fact)}, bounds.events)


def tell(batch: Batch[M], cause: M, decision: Applied | Refused) -> None:
    """Pass on what was decided."""
    match decision:
        case Applied(fact):
            batch.emit(fact, cause=cause)
        case Refused(reason):
            batch.dead_letter(cause, reason)


def stages(profiles: ProfileStore, limits: Limits) -> list[Stage[Any]]:
    """The writer's stages."""
    return [
        Stage(
            update_profiles,
            reads=EVENTS_RESOLVED,
            emits=[PROFILES_UPDATED],
            uses=[profiles, limits],
            max_records=MOST_AT_ONCE,
        ),
        Stage(
            keep_computed_traits,
            reads=TRAITS_COMPUTED,
            emits=[PROFILES_UPDATED],
            uses=[profiles],
            max_records=MOST_AT_ONCE,
        ),
        Stage(absorb_profiles, reads=IDENTITIES_MERGED, emits=[PROFILES_UPDATED], uses=[profiles]),
        Stage(part_profiles, reads=IDENTITIES_UNMERGED, emits=[PROFILES_UPDATED], uses=[profiles]),
    ]


def historian_stages(histories: Histories, bounds: Bounds, rest_seconds: float = 0) -> list[Stage[Any]]:
    """The historian's stage. It may rest: nobody waits for it, and fewer batches cost less."""
    uses = [histories, bounds]
    return [Stage(keep_histories, reads=PROFILES_UPDATED, emits=[], uses=uses, rest_seconds=rest_seconds)]

"""What the writer does: read this page first."""

from __future__ import annotations

from typing import Any, TypeVar

from cdp_contracts.envelope import Contract
from cdp_contracts.events_v1 import EventResolved
from cdp_contracts.identities_v1 import IdentitiesMerged, IdentitiesUnmerged
from cdp_contracts.topics import EVENTS_RESOLVED, IDENTITIES_MERGED, IDENTITIES_UNMERGED, PROFILES_UPDATED
from cdp_runtime.batch import Batch
from cdp_runtime.stage import Stage

from cdp_profiles.domain.limits import Limits
from cdp_profiles.domain.merging import absorb, both, freeze, release
from cdp_profiles.domain.parting import all_of, hand_over, kept_told, let_go, note
from cdp_profiles.domain.profile import record_id
from cdp_profiles.domain.updating import Applied, Refused, update
from cdp_profiles.store import ProfileStore

M = TypeVar("M", bound=Contract)


async def update_profiles(batch: Batch[EventResolved], profiles: ProfileStore, limits: Limits) -> None:
    """Apply each event to its person's record. Safe twice."""
    people = await profiles.load(record_id(event.tenant, event.profile_id) for event in batch)
    for event in batch:
        tell(batch, event, update(people, event, limits, batch.now))
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
        Stage(update_profiles, reads=EVENTS_RESOLVED, emits=[PROFILES_UPDATED], uses=[profiles, limits]),
        Stage(absorb_profiles, reads=IDENTITIES_MERGED, emits=[PROFILES_UPDATED], uses=[profiles]),
        Stage(part_profiles, reads=IDENTITIES_UNMERGED, emits=[PROFILES_UPDATED], uses=[profiles]),
    ]

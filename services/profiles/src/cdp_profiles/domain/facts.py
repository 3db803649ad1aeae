"""What is told about a change. Told again, it has the same id, revision and traits."""

from __future__ import annotations

from typing import TypeAlias
from uuid import UUID

from cdp_contracts.envelope import JsonObject, derived_id
from cdp_contracts.events_v1 import EventResolved
from cdp_contracts.identities_v1 import IdentitiesMerged, IdentitiesUnmerged
from cdp_contracts.profiles_v1 import ProfileUpdated

from cdp_profiles.domain.events import person_traits
from cdp_profiles.domain.profile import Outcome, Profile

Regrouped: TypeAlias = IdentitiesMerged | IdentitiesUnmerged


def told(
    cause: EventResolved | Regrouped,
    applied_to: Profile,
    outcome: Outcome,
    values: JsonObject,
    kind: str = "profile-updated",
) -> ProfileUpdated:
    """What the message brought about on the profile that it was applied to, wherever that is by now."""
    event = cause if isinstance(cause, EventResolved) else None
    merge = cause if isinstance(cause, IdentitiesMerged) else None
    return ProfileUpdated(
        tenant=cause.tenant,
        id=derived_id(cause.id, kind),
        message_id=cause.message_id,
        occurred_at=cause.occurred_at,
        received_at=cause.received_at,
        profile_id=UUID(outcome.home or applied_to.profile_id),
        revision=outcome.revision,
        cause="event" if event else "merge",
        event=event.event if event else None,
        traits={name: values[name] for name in outcome.traits},
        purposes=event.decision.purposes if event else (),
        source=event.source if event else None,
        absorbed=merge.absorbed if merge else None,
        part=event.part if event else None,
    )


def event_told(event: EventResolved, applied_to: Profile, outcome: Outcome) -> ProfileUpdated:
    """What an event brought about; its traits have the values it gave them."""
    return told(event, applied_to, outcome, person_traits(event.event))


def merge_told(
    merge: IdentitiesMerged, applied_to: Profile, outcome: Outcome, survivor: Profile
) -> ProfileUpdated:
    """What a merge brought about; its traits have the values that the survivor has by now."""
    return told(merge, applied_to, outcome, survivor.joined.values(outcome.traits))


def unmerge_told(
    unmerge: IdentitiesUnmerged, applied_to: Profile, outcome: Outcome, kept: Profile
) -> ProfileUpdated:
    """What an unmerge brought about on the profile that keeps its id, and what is no longer part of it."""
    fact = told(unmerge, applied_to, outcome, kept.joined.values(outcome.traits))
    return fact.model_copy(update={"partings": unmerge.partings, "parting_version": unmerge.version})


def parted_told(cause: Regrouped, taker: Profile) -> ProfileUpdated:
    """What a profile is with what was parted to it: all its traits, as they are by now."""
    everything = Outcome(taker.revision, list(taker.joined.traits))
    fact = told(cause, taker, everything, taker.joined.values(everything.traits), f"parted/{taker.profile_id}")
    return fact.model_copy(update={"absorbed": None})

"""What was computed of a person meets their record."""

from __future__ import annotations

from datetime import datetime
from uuid import UUID

from cdp_contracts.computed_v1 import TraitsComputed
from cdp_contracts.envelope import derived_id
from cdp_contracts.profiles_v1 import ProfileUpdated
from cdp_runtime.redirects import chain_of

from cdp_profiles.domain.computed import computation_of
from cdp_profiles.domain.profile import Outcome, Profile, record_id
from cdp_profiles.domain.updating import People


def keep_computed(people: People, message: TraitsComputed, now: datetime) -> ProfileUpdated | None:
    """Keep what was computed, and say so; None if something newer is known or the profile is no more.

    Told again, it is the same.
    """
    chain = list(chain_of(people, record_id(message.tenant, message.profile_id)))
    for record in chain:
        if record.seen(message.id):
            return computed_told(message, record, Outcome.parse(record.outcome(message.id)))
    profile, news = chain[0], computation_of(message)
    if profile.into is not None or (profile.computed is not None and news.place <= profile.computed.place):
        return None
    profile.computed = news
    outcome = Outcome(profile.next_revision(), [])
    profile.remember(message.id, now, outcome.dump())
    return computed_told(message, profile, outcome)


def computed_told(message: TraitsComputed, kept_on: Profile, outcome: Outcome) -> ProfileUpdated:
    """All computed traits. No event comes with it, so that nothing is counted or computed anew."""
    return ProfileUpdated(
        tenant=message.tenant,
        id=derived_id(message.id, "profile-updated"),
        message_id=message.message_id,
        occurred_at=message.occurred_at,
        received_at=message.received_at,
        profile_id=UUID(outcome.home or kept_on.profile_id),
        revision=outcome.revision,
        cause="event",
        computed={name: trait.value for name, trait in message.traits.items()},
    )

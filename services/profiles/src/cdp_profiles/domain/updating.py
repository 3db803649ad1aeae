"""An event meets its person's record."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import TypeAlias

from cdp_contracts.events_v1 import EventResolved
from cdp_contracts.profiles_v1 import ProfileUpdated
from cdp_runtime.redirects import chain_of

from cdp_profiles.domain.events import part_of
from cdp_profiles.domain.facts import event_told
from cdp_profiles.domain.limits import Limits, breached
from cdp_profiles.domain.profile import Outcome, Profile, record_id

People: TypeAlias = Mapping[str, Profile]


@dataclass(frozen=True, slots=True)
class Applied:
    """The message was applied, now or before; this is what to tell."""

    fact: ProfileUpdated


@dataclass(frozen=True, slots=True)
class Refused:
    """The message cannot be applied, and why: a code."""

    reason: str


def update(people: People, event: EventResolved, limits: Limits, now: datetime) -> Applied | Refused:
    """Apply an event to the live record of its person, unless a record on the way there has seen it."""
    chain = list(chain_of(people, record_id(event.tenant, event.profile_id), event.part))
    for record in chain:
        if record.seen(event.id):
            return Applied(event_told(event, record, Outcome.parse(record.outcome(event.id))))
    return _apply(chain[-1], event, limits, now)


def _apply(profile: Profile, event: EventResolved, limits: Limits, now: datetime) -> Applied | Refused:
    news = part_of(event)
    if reason := breached(limits, profile, event.part, news):
        return Refused(reason)
    changed = profile.add(event.part, news)
    (counter,) = news.counters
    outcome = Outcome(profile.next_revision(), changed, event.part, counter, era=profile.era(event.part))
    profile.remember(event.id, now, outcome.dump())
    return Applied(event_told(event, profile, outcome))

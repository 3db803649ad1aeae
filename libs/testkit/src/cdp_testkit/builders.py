"""Messages as a test writes them: events as senders send them, memberships as subscribers read them."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Final
from uuid import UUID, uuid5

from cdp_contracts.envelope import NAMESPACE, JsonObject
from cdp_contracts.events_v1 import EventReceived
from cdp_contracts.segments_v1 import Membership, MembershipChange, MembershipChanged
from pydantic import JsonValue

NOON: Final = datetime(2026, 1, 5, 12, 0, tzinfo=UTC)
CONSENT_EVENT: Final = "Segment Consent Preference Updated"


def event(type: str, **fields: JsonValue) -> EventReceived:  # noqa: A002  # the field's name
    """An event as its sender writes it: fields in snake case, each may hold any JSON."""
    return EventReceived.model_validate({"type": type, **fields})


def track(name: str, /, **properties: JsonValue) -> EventReceived:
    """Something that happened."""
    return event("track", event=name, properties=dict(properties))


def consent(choices: dict[str, bool]) -> EventReceived:
    """A person's answer to the question for consent, as Segment's consent wrappers send it."""
    preferences: JsonObject = {**choices}
    return event("track", event=CONSENT_EVENT, context={"consent": {"categoryPreferences": preferences}})


def person(name: str) -> UUID:
    """A profile id for somebody: the same one for the same name."""
    return uuid5(NAMESPACE, f"person/{name}")


def entered(
    segment: str, who: UUID, *, version: int = 1, tenant: str = "demo", at: datetime = NOON
) -> MembershipChanged:
    """The message that somebody entered a segment, and is in no other."""
    return _changed(segment, who, version, tenant, at, member=True)


def left(
    segment: str, who: UUID, *, version: int = 2, tenant: str = "demo", at: datetime = NOON
) -> MembershipChanged:
    """The message that somebody left a segment, and is in no other."""
    return _changed(segment, who, version, tenant, at, member=False)


def _changed(
    segment: str, who: UUID, version: int, tenant: str, at: datetime, *, member: bool
) -> MembershipChanged:
    cause = f"{tenant}/{who}/{version}"
    change = MembershipChange(
        segment=segment, segment_version=1, member=member, cause="event" if member else "timer", effective_at=at
    )
    return MembershipChanged(
        tenant=tenant,
        id=uuid5(NAMESPACE, cause),
        message_id=cause,
        occurred_at=at,
        received_at=at,
        profile_id=who,
        version=version,
        changes=(change,),
        memberships={segment: Membership(since=at)} if member else {},
        computed_at=at,
    )

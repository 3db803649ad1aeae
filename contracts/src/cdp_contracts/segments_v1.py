"""Who belongs to which segment, since when, and why."""

from __future__ import annotations

from typing import Literal
from uuid import UUID

from pydantic import Field, JsonValue

from cdp_contracts.envelope import Contract, Message, Tenant, UtcDatetime, derived_id


class Reason(Contract):
    """The truth of one condition at the moment of the flip."""

    condition: str = Field(description="the condition in words, such as count(Product Viewed) > 3 in one session")
    satisfied: bool
    value: JsonValue = Field(
        default=None, description="a count or an amount that was measured, never a trait's value"
    )
    threshold: JsonValue = None
    note: str | None = Field(default=None, description="what the measure leaves out, if anything")


class MembershipChange(Contract):
    """One person entered or left one segment."""

    segment: str
    segment_version: int = Field(ge=1)
    member: bool
    cause: Literal["event", "timer", "merge", "definition"]
    effective_at: UtcDatetime
    expires_at: UtcDatetime | None = Field(default=None, description="when it ends by itself, if nothing happens")
    reasons: tuple[Reason, ...] = ()


class Membership(Contract):
    """A current membership."""

    since: UtcDatetime
    expires_at: UtcDatetime | None = None


class MembershipChanged(Message):
    """Flips of one person, and the whole membership map after them. Keep it if `version` is higher."""

    profile_id: UUID
    version: int = Field(ge=1, description="rises by one with each message about this profile")
    changes: tuple[MembershipChange, ...]
    memberships: dict[str, Membership] = Field(description="every segment the person is in now")
    computed_at: UtcDatetime


class SegmentViewEntry(Message):
    """A member of a segment that has a view. A null value under the same key: a member no more."""

    entry_id: UUID = Field(description="of this person in this segment")
    segment: str
    profile_id: UUID
    version: int = Field(ge=1, description="of the person's memberships when this was told")
    member: bool = Field(description="true: of who is no member there is a null value")
    since: UtcDatetime | None = None
    expires_at: UtcDatetime | None = Field(default=None, description="when it ends by itself, if nothing happens")


def entry_id(tenant: Tenant, segment: str, profile_id: UUID) -> UUID:
    """The key of a person's entry in the view of a segment."""
    return derived_id(f"{tenant}/{segment}/{profile_id}", "view")

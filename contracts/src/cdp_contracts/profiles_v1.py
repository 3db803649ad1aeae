"""What changed on a person's profile."""

from __future__ import annotations

from typing import Literal
from uuid import UUID

from pydantic import Field

from cdp_contracts.envelope import JsonObject, Message, Pseudonym
from cdp_contracts.events_v1 import Event, Purpose
from cdp_contracts.identities_v1 import Parting


class ProfileUpdated(Message):
    """One event, merge or unmerge, applied to the person's record. `revision` rises by one with each."""

    profile_id: UUID
    revision: int = Field(ge=1)
    cause: Literal["event", "merge"] = Field(
        description="merge: who is one person changed, either way; event: an event, or what was computed of them"
    )
    event: Event | None = Field(default=None, description="the event, when one was the cause")
    traits: JsonObject = Field(default_factory=dict, description="the traits whose value changed, null if gone")
    purposes: tuple[Purpose, ...] = Field(default=(), description="what the data may be used for")
    source: str | None = Field(default=None, description="where the event came from")
    absorbed: UUID | None = Field(default=None, description="the profile that became part of this one")
    part: Pseudonym | None = Field(default=None, description="the identifier that attributed the event")
    partings: tuple[Parting, ...] = Field(default=(), description="what is no longer part of this profile")
    parting_version: int = Field(default=0, description="of two partings of one identifier the greater counts")
    computed: JsonObject | None = Field(
        default=None, description="all computed traits, when it was one of them that changed; null otherwise"
    )

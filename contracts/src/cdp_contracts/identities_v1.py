"""Facts about who is one person. Merges commute with events, so their order does not matter."""

from __future__ import annotations

from uuid import UUID

from pydantic import Field

from cdp_contracts.envelope import Contract, Message, Pseudonym


class Evidence(Contract):
    """Why two identifiers were taken for one person."""

    rule: str = Field(description="such as same-event or alias")
    identifiers: tuple[Pseudonym, ...]
    source: str


class IdentitiesMerged(Message):
    """`absorbed` is from now on known as `profile_id`; redirects outlive every retention."""

    profile_id: UUID = Field(description="the survivor: the older of the two")
    absorbed: UUID
    evidence: Evidence


class IdentitiesMergeRefused(Message):
    """Two entities share an identifier but would break a limit as one: the over-merge alarm."""

    profile_id: UUID
    other: UUID
    limit: str = Field(description="what forbade it, such as user_id:1, email:5/365d, shared-device or source")
    evidence: Evidence

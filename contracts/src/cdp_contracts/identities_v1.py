"""Facts about who is one person. Merges commute with events, so their order does not matter."""

from __future__ import annotations

from typing import Annotated
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


class UnmergeRequested(Message):
    """Somebody wants one profile to be several. What of it is that profile's no more by then is left as it is."""

    profile_id: UUID = Field(description="the profile that is to keep its id, with all that is not named here")
    groups: tuple[Annotated[tuple[Pseudonym, ...], Field(min_length=1)], ...] = Field(
        min_length=1, max_length=20, description="identifiers that are to be a person each"
    )
    by: str = Field(max_length=100, description="who wants it: a name given to a token, never a person's")
    reason: str = Field(default="", max_length=200, description="why; no personal data")


class Parting(Contract):
    """Identifiers that are somebody else from now on: a profile of their own, under an id that is new."""

    profile_id: UUID
    identifiers: tuple[Pseudonym, ...] = Field(min_length=1)


class IdentitiesUnmerged(Message):
    """What had been taken for one person is several. It commutes with merges and with events.

    Whatever one of the `identifiers` attributed to `profile_id`, before and after, is the new profile's.
    """

    profile_id: UUID = Field(description="the profile that keeps its id, with all that is not named here")
    version: int = Field(ge=1, description="of two partings of one identifier the greater counts")
    partings: tuple[Parting, ...] = Field(min_length=1)
    reason: str = Field(default="", max_length=200, description="why, in the words of whoever asked for it")


class IdentitiesMergeRefused(Message):
    """Two entities share an identifier but would break a limit as one: the over-merge alarm."""

    profile_id: UUID
    other: UUID
    limit: str = Field(description="what forbade it, such as user_id:1, email:5/365d, shared-device or source")
    evidence: Evidence

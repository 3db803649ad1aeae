"""Two profiles that may be one person though they share no identifier. No personal data: scores and pseudonyms."""

from __future__ import annotations

from typing import Literal, TypeAlias
from uuid import UUID

from pydantic import Field

from cdp_contracts.envelope import Contract, Message, Pseudonym

Band: TypeAlias = Literal["auto", "review"]
Verdict: TypeAlias = Literal["same", "different"]


class FieldScore(Contract):
    """One field's part of a score: how strongly it agrees or contradicts, never what it holds."""

    field: str = Field(description="such as family, birth or address")
    level: str = Field(description="such as exact, typo or other")
    weight: float = Field(description="log-odds (natural) that this speaks for one person, against strangers")
    among_family: float = Field(description="the same, against two people of one family")


class MatchProposed(Message):
    """`profile_id` and `other` may be one person. Band `auto`: decided at once; `review`: a person is asked."""

    profile_id: UUID = Field(description="the profile whose new or changed traits brought it about")
    other: UUID
    identifiers: tuple[Pseudonym, Pseudonym] = Field(description="the identifiers whose traits were compared")
    score: float = Field(description="log-odds (natural) that both are one person")
    band: Band
    fields: tuple[FieldScore, ...]
    contradictions: tuple[str, ...] = Field(default=(), description="fields that speak against any merge unasked")
    held: str = Field(default="", description="why a person is asked; empty in band auto")


class MatchDecided(Message):
    """`profile_id` and `other` are one person, or never are. The newest verdict of a person outweighs others."""

    profile_id: UUID
    other: UUID
    identifiers: tuple[Pseudonym, Pseudonym] = Field(description="the identifiers whose traits were compared")
    verdict: Verdict
    by: str = Field(description="matcher, or who decided: a name given to a token, never a person's")
    score: float | None = Field(default=None, description="log-odds (natural) at that time")

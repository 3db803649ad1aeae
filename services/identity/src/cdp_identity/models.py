"""What is asked of the stewards' routes and what they answer. Pseudonyms only in answers, never a value."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Annotated, Final
from uuid import UUID

from pydantic import BaseModel, ConfigDict, Field, model_validator

from cdp_identity.domain.entities import Link
from cdp_identity.domain.verdicts import MATCHER
from cdp_identity.store.portrait import Portrait

MOST_GROUPS: Final = 20


class Named(BaseModel):
    """An identifier: as senders write it (`kind` and `value`), or by its pseudonym."""

    model_config = ConfigDict(extra="forbid", hide_input_in_errors=True)

    kind: str = ""
    value: str = Field(default="", max_length=1000)
    pseudonym: str = ""

    @model_validator(mode="after")
    def _one_way(self) -> Named:
        if bool(self.pseudonym) == bool(self.kind and self.value):
            raise ValueError("needs either kind and value, or pseudonym")
        return self


class About(BaseModel):
    """One identifier of a tenant."""

    model_config = ConfigDict(extra="forbid", hide_input_in_errors=True)

    tenant: str
    identifier: Named


class Both(BaseModel):
    """Two identifiers of a tenant."""

    model_config = ConfigDict(extra="forbid", hide_input_in_errors=True)

    tenant: str
    one: Named
    other: Named


class Joining(Both):
    """That they are one person's."""

    by: str = Field(default="admin", max_length=100, description="who says so; no personal data")

    @model_validator(mode="after")
    def _no_machine(self) -> Joining:
        if self.by == MATCHER:
            raise ValueError("by: this name is the matcher's")
        return self


class Joined(BaseModel):
    """Whose two identifiers are that are to be one person's. It is carried out in a moment."""

    profile_ids: tuple[UUID, UUID]
    request: UUID


class Unmerging(BaseModel):
    """What to part: groups of identifiers, a person each; or what one link, or one merge, has joined."""

    model_config = ConfigDict(extra="forbid", hide_input_in_errors=True)

    tenant: str
    groups: tuple[Annotated[tuple[Named, ...], Field(min_length=1)], ...] = Field(
        default=(), max_length=MOST_GROUPS
    )
    link: tuple[Named, Named] | None = None
    absorbed: UUID | None = Field(default=None, description="the profile that a merge made part of another")
    reason: str = Field(default="", max_length=200, description="why; no personal data")
    by: str = Field(default="admin", max_length=100, description="who wants it; no personal data")
    dry_run: bool = Field(default=False, description="say what would be parted, and part nothing")

    @model_validator(mode="after")
    def _one_way(self) -> Unmerging:
        if [bool(self.groups), self.link is not None, self.absorbed is not None].count(True) != 1:
            raise ValueError("needs exactly one of groups, link and absorbed")
        return self


class Known(BaseModel):
    """An identifier of a person."""

    pseudonym: str
    kind: str
    claimed_at: datetime | None
    mark: str = Field(default="", description="shared or blocked")


class Evidence(BaseModel):
    """Why two identifiers were taken for one person."""

    first: str
    other: str
    rule: str
    source: str
    event: UUID
    seen_at: datetime
    by: str = Field(default="", description="who decided, if somebody did")
    reverted_by: str = Field(default="", description="the unmerge since which it counts no more")


class Graph(BaseModel):
    """A person, oldest identifier first, with all evidence about it, oldest first."""

    profile_id: UUID
    identifiers: tuple[Known, ...]
    links: tuple[Evidence, ...]
    absorbed: tuple[UUID, ...] = Field(description="the profiles that became part of it")


class Explanation(BaseModel):
    """Whether two identifiers are one person, and the shortest path of evidence that makes them so."""

    same: bool
    profile_ids: tuple[UUID, UUID]
    path: tuple[Evidence, ...]
    taken_back: tuple[Evidence, ...] = Field(description="links between the two that an unmerge reverted")


class Plan(BaseModel):
    """What an unmerge parts. `request` is its id once it is asked for; it is carried out in a moment."""

    profile_id: UUID
    keeps: tuple[str, ...] = Field(description="the identifiers that stay with the profile")
    groups: tuple[tuple[str, ...], ...] = Field(description="the identifiers that are to be a person each")
    request: UUID | None = None


def graph_of(portrait: Portrait) -> Graph:
    """A person as JSON."""
    entity = portrait.entity
    return Graph(
        profile_id=entity.id,
        identifiers=tuple(
            Known(
                pseudonym=identifier.pseudonym,
                kind=identifier.kind,
                claimed_at=moment(entity.claims[identifier]) if identifier in entity.claims else None,
                mark=entity.marks[identifier.pseudonym].state if identifier.pseudonym in entity.marks else "",
            )
            for identifier in portrait.members
        ),
        links=tuple(map(evidence_of, portrait.links)),
        absorbed=tuple(dict.fromkeys(merge.absorbed for merge in entity.merges)),
    )


def evidence_of(link: Link) -> Evidence:
    """A link as JSON."""
    return Evidence(
        first=link.first, other=link.other, rule=link.rule, source=link.source, event=link.event,
        seen_at=moment(link.seen_at), by=link.by, reverted_by=link.reverted_by,
    )  # fmt: skip


def moment(milliseconds: int) -> datetime:
    """The instant of epoch milliseconds."""
    return datetime.fromtimestamp(milliseconds / 1000, UTC)

"""What a reader is shown."""

from __future__ import annotations

from datetime import datetime
from typing import Final
from uuid import UUID

from cdp_contracts.conditions_v1 import Condition
from cdp_contracts.definitions_v1 import SegmentState
from pydantic import BaseModel, ConfigDict, Field

from cdp_segments.api.examples import SEGMENT, SEGMENTS, shown
from cdp_segments.domain.catalog import Catalog
from cdp_segments.domain.person import Person
from cdp_segments.domain.statuses import Come, Status
from cdp_segments.domain.telling import moment_of
from cdp_segments.domain.wording import words
from cdp_segments.store import Membership

STATUS: Final = (
    "how far it has come: of a segment that is counting, the wanted version is not in force yet, and the version "
    "in force serves, if there is one"
)
PERCENT: Final = "of what happened before that is counted, while counting; at 100 it waits for its time"


class View(BaseModel):
    """A frozen answer."""

    model_config = ConfigDict(frozen=True)


class SegmentView(View):
    """A segment and how many people are in it."""

    name: str
    title: str
    description: str
    owner: str
    state: SegmentState = Field(description="wanted, as defined")
    version: int = Field(description="wanted, as defined")
    status: Status = Field(description=STATUS)
    percent: int | None = Field(description=PERCENT)
    version_in_force: int | None = Field(description="null while none is, and nobody is in the segment")
    condition: str = Field(description="of the version wanted, in words")
    size: int


class SegmentDetail(SegmentView):
    """A segment with its condition as defined."""

    model_config = shown(SEGMENT)

    when: Condition


class SegmentList(View):
    """All segments of the tenant, by name."""

    model_config = shown(SEGMENTS)

    segments: tuple[SegmentView, ...]


class MemberView(View):
    """Somebody in the segment."""

    profile_id: UUID
    since: datetime
    expires_at: datetime | None = Field(
        description="when it ends if nothing happens, as told at the last flip of any of the person's segments"
    )


class MemberPage(View):
    """Some members in the order of their ids."""

    status: Status = Field(description=STATUS)
    members: tuple[MemberView, ...]
    next: str | None = Field(description="the cursor of the next page; null on the last")


class MembershipView(View):
    """A membership of one person."""

    since: datetime
    expires_at: datetime | None = Field(description="when it ends if nothing happens")


class ProfileSegments(View):
    """Every segment that one person is in."""

    profile_id: UUID = Field(description="the survivor's if the profile asked for was absorbed")
    version: int = Field(description="of the last membership message about this profile")
    up_to_date: bool = Field(description="false until the person is held against definitions that changed since")
    segments: dict[str, MembershipView]


def segment_view(segment: Come, size: int) -> SegmentView:
    """A segment as listed."""
    return SegmentView(**_fields(segment), size=size)


def segment_detail(segment: Come, size: int) -> SegmentDetail:
    """A segment by itself."""
    return SegmentDetail(**_fields(segment), size=size, when=segment.wanted.definition.when)


def _fields(segment: Come) -> dict[str, object]:
    fields = {"name", "title", "description", "owner", "state", "version"}
    wanted = segment.wanted.definition
    come = {"status": segment.status, "percent": segment.percent, "version_in_force": segment.version}
    return {**wanted.model_dump(include=fields), **come, "condition": words(wanted.when)}


def member_view(membership: Membership) -> MemberView:
    """A member as listed."""
    return MemberView(
        profile_id=UUID(membership.profile_id),
        since=moment_of(membership.since),
        expires_at=instant(membership.expires_at),
    )


def profile_segments(person: Person, catalog: Catalog) -> ProfileSegments:
    """A person's memberships."""
    return ProfileSegments(
        profile_id=UUID(person.profile_id),
        version=person.version,
        up_to_date=person.definitions == catalog.fingerprint,
        segments={
            name: MembershipView(since=moment_of(member.since), expires_at=ends(person, name, catalog))
            for name, member in sorted(person.members.items())
        },
    )


def ends(person: Person, name: str, catalog: Catalog) -> datetime | None:
    """When a membership ends if nothing happens."""
    segment = catalog.segments.get(name)
    return instant(segment.next_flip(person, person.evaluated_at)) if segment else None


def instant(milliseconds: int | None) -> datetime | None:
    """A time that may be unknown."""
    return None if milliseconds is None else moment_of(milliseconds)

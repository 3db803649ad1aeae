"""Segments with their sizes and members, a person's segments, and why."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Annotated, Final, TypeAlias
from uuid import UUID

from fastapi import FastAPI, Query, Response

from cdp_segments.api.door import Door, Token
from cdp_segments.api.etags import UNCHANGED, Known, answer_unless_known
from cdp_segments.api.histories import HistoryDesk
from cdp_segments.api.populations import Populations
from cdp_segments.api.previews import PreviewDesk
from cdp_segments.api.problems import PREVIEW_RESPONSES, RESPONSES, answer_problems
from cdp_segments.api.sizes import SizeDesk
from cdp_segments.api.views import (
    MemberPage,
    ProfileSegments,
    SegmentDetail,
    SegmentList,
    member_view,
    profile_segments,
    segment_detail,
    segment_view,
)
from cdp_segments.domain.explaining import Explanation, explain
from cdp_segments.domain.statuses import Come
from cdp_segments.reading import Reading

Cursor: TypeAlias = Annotated[UUID | None, Query(description="`next` of the page before")]
Limit: TypeAlias = Annotated[int, Query(ge=1, le=1000)]

COUNTED_AT_ONCE: Final = 16


@dataclass(frozen=True, slots=True)
class Desk:
    """Where readers ask. Redirects are followed: an absorbed profile's id answers its survivor."""

    door: Door

    async def segments(self, token: Token) -> SegmentList:
        """All segments with their sizes, archived ones too."""
        tenant = self.door.tenant(token)
        found = (await self.door.standing(tenant)).segments()
        sizes = await self._sizes(tenant, found)
        return SegmentList(segments=tuple(map(segment_view, found, sizes)))

    async def segment(self, token: Token, name: str) -> SegmentDetail:
        """One segment with its condition."""
        tenant = self.door.tenant(token)
        segment = await self.door.segment(tenant, name)
        return segment_detail(segment, await self.door.available(self.door.people.size(tenant, name)))

    async def members(
        self, *, token: Token, name: str, cursor: Cursor = None, limit: Limit = 100, known: Known = None
    ) -> Response:
        """The people in a segment, page by page. Who enters meanwhile may be missed, nobody is shown twice."""
        tenant = self.door.tenant(token)
        segment = await self.door.segment(tenant, name)
        after = str(cursor) if cursor else ""
        page = await self.door.available(self.door.people.members(tenant, name, after, limit))
        following = page[-1].profile_id if len(page) == limit else None
        members = tuple(map(member_view, page))
        return answer_unless_known(MemberPage(status=segment.status, members=members, next=following), known)

    async def profile(self, token: Token, profile_id: UUID) -> ProfileSegments:
        """Every segment that a person is in."""
        tenant = self.door.tenant(token)
        catalog = (await self.door.standing(tenant)).catalog
        return profile_segments(await self.door.person(tenant, profile_id), catalog)

    async def why(self, token: Token, name: str, profile_id: UUID) -> Explanation:
        """Why a person is in a segment or is not, condition by condition, as of now."""
        tenant = self.door.tenant(token)
        segment = await self.door.segment(tenant, name)
        catalog = (await self.door.standing(tenant)).catalog
        person = await self.door.person(tenant, profile_id)
        now = max(self.door.now, person.evaluated_at)
        return explain(segment, person, catalog, now)

    async def _sizes(self, tenant: str, found: Sequence[Come]) -> list[int]:
        turns = asyncio.Semaphore(COUNTED_AT_ONCE)

        async def size(segment: Come) -> int:
            async with turns:
                return await self.door.people.size(tenant, segment.wanted.name)

        return await self.door.available(asyncio.gather(*map(size, found)))


def build_api(door: Door, reading: Reading) -> FastAPI:
    """The read API over a store and the definitions."""
    desk = Desk(door)
    api = FastAPI(title="Tessera segments", description="Read segments, their members, and why.", version="1")
    answer_problems(api)
    api.get("/v1/segments", responses=RESPONSES)(desk.segments)
    add_numbers(api, door, reading)
    api.get("/v1/segments/{name}", responses=RESPONSES)(desk.segment)
    api.get("/v1/segments/{name}/members", response_model=MemberPage, responses=RESPONSES | UNCHANGED)(
        desk.members
    )
    api.get("/v1/segments/{name}/explain/{profile_id}", responses=RESPONSES)(desk.why)
    api.get("/v1/profiles/{profile_id}/segments", responses=RESPONSES)(desk.profile)
    return api


def add_numbers(api: FastAPI, door: Door, reading: Reading) -> None:
    """What is asked of everybody, and what was."""
    populations = Populations(reading.census, door.clock)
    sizes = SizeDesk(door, reading.census, populations, reading.histories)
    previews = PreviewDesk(door, reading.census, populations, reading.preview_seconds)
    histories = HistoryDesk(door, reading.histories)
    api.post("/v1/segments/preview", responses=PREVIEW_RESPONSES)(previews.preview)
    api.get("/v1/segments/overlap", responses=RESPONSES)(sizes.overlap)
    api.get("/v1/segments/{name}/size", responses=RESPONSES)(sizes.size)
    api.get("/v1/segments/{name}/activity", responses=RESPONSES)(sizes.activity)
    api.get("/v1/profiles/{profile_id}/segments/history", responses=RESPONSES)(histories.history)

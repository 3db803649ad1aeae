"""Segments with their sizes and members, a person's segments, and why."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Sequence
from dataclasses import dataclass
from typing import Annotated, Final, TypeAlias, TypeVar
from uuid import UUID

from cdp_runtime.access import Tokens
from cdp_runtime.clock import Clock
from cdp_runtime.failures import is_away
from cdp_runtime.rates import Rates
from cdp_runtime.redirects import chain_of
from fastapi import Depends, FastAPI, Query
from fastapi.security import HTTPAuthorizationCredentials, HTTPBearer

from cdp_segments.api.problems import (
    RESPONSES,
    NoSuchProfile,
    NoSuchSegment,
    TooMany,
    Unauthorized,
    Unavailable,
    answer_problems,
)
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
from cdp_segments.catalogs import Catalogs
from cdp_segments.domain.explaining import Explanation, explain
from cdp_segments.domain.person import Person, person_id
from cdp_segments.domain.segments import Segment
from cdp_segments.domain.telling import milliseconds_of
from cdp_segments.store import PersonStore

T = TypeVar("T")
Token: TypeAlias = Annotated[HTTPAuthorizationCredentials | None, Depends(HTTPBearer(auto_error=False))]
Cursor: TypeAlias = Annotated[UUID | None, Query(description="`next` of the page before")]
Limit: TypeAlias = Annotated[int, Query(ge=1, le=1000)]

COUNTED_AT_ONCE: Final = 16


@dataclass(frozen=True, slots=True)
class Desk:
    """Where readers ask. Redirects are followed: an absorbed profile's id answers its survivor."""

    people: PersonStore
    catalogs: Catalogs
    tokens: Tokens[str]
    rates: Rates
    clock: Clock

    async def segments(self, token: Token) -> SegmentList:
        """All segments with their sizes, archived ones too."""
        tenant = self._tenant(token)
        defined = self.catalogs.defined(tenant)
        sizes = await self._sizes(tenant, defined)
        return SegmentList(segments=tuple(map(segment_view, defined, sizes)))

    async def segment(self, token: Token, name: str) -> SegmentDetail:
        """One segment with its condition."""
        tenant = self._tenant(token)
        segment = self._segment(tenant, name)
        return segment_detail(segment, await self._available(self.people.size(tenant, name)))

    async def members(self, token: Token, name: str, cursor: Cursor = None, limit: Limit = 100) -> MemberPage:
        """The people in a segment, page by page. Who enters meanwhile may be missed, nobody is shown twice."""
        tenant = self._tenant(token)
        self._segment(tenant, name)
        after = str(cursor) if cursor else ""
        page = await self._available(self.people.members(tenant, name, after, limit))
        following = page[-1].profile_id if len(page) == limit else None
        return MemberPage(members=tuple(map(member_view, page)), next=following)

    async def profile(self, token: Token, profile_id: UUID) -> ProfileSegments:
        """Every segment that a person is in."""
        tenant = self._tenant(token)
        return profile_segments(await self._person(tenant, profile_id), self.catalogs.of(tenant))

    async def why(self, token: Token, name: str, profile_id: UUID) -> Explanation:
        """Why a person is in a segment or is not, condition by condition, as of now."""
        tenant = self._tenant(token)
        segment = self._segment(tenant, name)
        person = await self._person(tenant, profile_id)
        now = max(milliseconds_of(self.clock.now()), person.evaluated_at)
        return explain(segment, person, self.catalogs.of(tenant), now)

    def _tenant(self, token: HTTPAuthorizationCredentials | None) -> str:
        """Whose segments the token opens. Takes the same time whether it is known or not."""
        holder = self.tokens.of(token.credentials if token else None)
        if holder is None:
            raise Unauthorized
        wait = self.rates.wait(holder.name)
        if wait:
            raise TooMany(wait)
        if not self.catalogs.table.ready:
            raise Unavailable
        return holder.grant

    def _segment(self, tenant: str, name: str) -> Segment:
        found = self.catalogs.table.get(f"{tenant}/{name}")
        if found is None:
            raise NoSuchSegment
        return found

    async def _person(self, tenant: str, profile_id: UUID) -> Person:
        people = await self._available(self.people.load([person_id(tenant, profile_id)]))
        *_, person = chain_of(people, person_id(tenant, profile_id))
        if not person.rev:
            raise NoSuchProfile
        return person

    async def _sizes(self, tenant: str, defined: Sequence[Segment]) -> list[int]:
        turns = asyncio.Semaphore(COUNTED_AT_ONCE)

        async def size(segment: Segment) -> int:
            async with turns:
                return await self.people.size(tenant, segment.name)

        return await self._available(asyncio.gather(*map(size, defined)))

    async def _available(self, asked: Awaitable[T]) -> T:
        try:
            return await asked
        except Exception as error:
            if await is_away(error, (self.people,)):
                raise Unavailable from error
            raise


def build_api(people: PersonStore, catalogs: Catalogs, tokens: Tokens[str], rates: Rates, clock: Clock) -> FastAPI:
    """The read API over a store and the definitions. `tokens` says which tenant each opens."""
    desk = Desk(people, catalogs, tokens, rates, clock)
    api = FastAPI(title="Tessera segments", description="Read segments, their members, and why.", version="1")
    answer_problems(api)
    api.get("/v1/segments", responses=RESPONSES)(desk.segments)
    api.get("/v1/segments/{name}", responses=RESPONSES)(desk.segment)
    api.get("/v1/segments/{name}/members", responses=RESPONSES)(desk.members)
    api.get("/v1/segments/{name}/explain/{profile_id}", responses=RESPONSES)(desk.why)
    api.get("/v1/profiles/{profile_id}/segments", responses=RESPONSES)(desk.profile)
    return api

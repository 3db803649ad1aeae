"""What every request goes through: whose token it is, whether there is an answer, and who is asked about."""

from __future__ import annotations

from collections.abc import Awaitable
from dataclasses import dataclass
from typing import Annotated, TypeAlias, TypeVar
from uuid import UUID

from cdp_runtime.access import Tokens
from cdp_runtime.clock import Clock
from cdp_runtime.failures import is_away
from cdp_runtime.rates import Rates
from cdp_runtime.redirects import chain_of
from fastapi import Depends
from fastapi.security import HTTPAuthorizationCredentials, HTTPBearer

from cdp_segments.api.problems import NoSuchProfile, NoSuchSegment, TooMany, Unauthorized, Unavailable
from cdp_segments.domain.person import Person, person_id
from cdp_segments.domain.statuses import Come
from cdp_segments.domain.telling import milliseconds_of
from cdp_segments.standings import Standing, Standings
from cdp_segments.store import PersonStore

T = TypeVar("T")
Token: TypeAlias = Annotated[HTTPAuthorizationCredentials | None, Depends(HTTPBearer(auto_error=False))]


@dataclass(frozen=True, slots=True)
class Door:
    """Where readers come in. Redirects are followed: an absorbed profile's id answers its survivor."""

    people: PersonStore
    standings: Standings
    tokens: Tokens[str]
    rates: Rates
    clock: Clock

    @property
    def now(self) -> int:
        """In milliseconds."""
        return milliseconds_of(self.clock.now())

    def tenant(self, token: HTTPAuthorizationCredentials | None) -> str:
        """Whose segments the token opens. Takes the same time whether it is known or not."""
        holder = self.tokens.of(token.credentials if token else None)
        if holder is None:
            raise Unauthorized
        wait = self.rates.wait(holder.name)
        if wait:
            raise TooMany(wait)
        if not self.standings.ready:
            raise Unavailable
        return holder.grant

    async def standing(self, tenant: str) -> Standing:
        """What is in force for the tenant, and how far the rest has come."""
        return await self.available(self.standings.of(tenant))

    async def segment(self, tenant: str, name: str) -> Come:
        """How far a segment of the tenant has come, archived ones too."""
        found = (await self.standing(tenant)).segment(name)
        if found is None:
            raise NoSuchSegment
        return found

    async def chain(self, tenant: str, profile_id: UUID) -> list[Person]:
        """The records from a profile to the one that it is part of by now; that one is known."""
        people = await self.available(self.people.load([person_id(tenant, profile_id)]))
        found = [*chain_of(people, person_id(tenant, profile_id))]
        if not found[-1].rev:
            raise NoSuchProfile
        return found

    async def person(self, tenant: str, profile_id: UUID) -> Person:
        """Who somebody is by now."""
        return (await self.chain(tenant, profile_id))[-1]

    async def available(self, asked: Awaitable[T]) -> T:
        """The answer; a problem if the store is away."""
        try:
            return await asked
        except Exception as error:
            if await is_away(error, (self.people,)):
                raise Unavailable from error
            raise

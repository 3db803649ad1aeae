"""What every question has in common: who asks, whom it is about, and what to say when the store is away."""

from __future__ import annotations

from collections.abc import Awaitable, Mapping
from dataclasses import dataclass
from typing import Any, Final, TypeVar
from uuid import UUID

from cdp_runtime.failures import is_away
from cdp_runtime.redirects import chain_of
from fastapi import Response
from pydantic import BaseModel

from cdp_profiles.api.problems import Problem, ProblemView, not_found, unavailable
from cdp_profiles.api.readers import Asking, Reader, Readers, record_access
from cdp_profiles.domain.profile import Profile, record_id
from cdp_profiles.histories import Histories
from cdp_profiles.store import ProfileStore

T = TypeVar("T")

PROBLEMS: Final[dict[int | str, dict[str, Any]]] = {
    401: {"model": ProblemView, "description": "No token, or an unknown one."},
    403: {"model": ProblemView, "description": "Not for this token, or not without one of its purposes."},
    404: {"model": ProblemView, "description": "No such profile of this tenant, or no such trait of it."},
    422: {"model": ProblemView, "description": "No such parameter, or no such value of one."},
    429: {"model": ProblemView, "description": "This token asks too often; wait for Retry-After seconds."},
    503: {"model": ProblemView, "description": "The store is away."},
}
PRIVATE: Final = {"Cache-Control": "private, no-store", "Vary": "Authorization, X-Purpose"}


@dataclass(frozen=True, slots=True)
class Desk:
    """Where readers ask. Redirects are followed: an absorbed profile's id answers its survivor."""

    profiles: ProfileStore
    histories: Histories
    readers: Readers

    async def profile(self, reader: Reader, profile_id: UUID) -> Profile:
        """A profile by its id; raises the problem to answer if it is nobody's."""
        asked = record_id(reader.tenant, profile_id)
        *_, profile = chain_of(await self.profiles.load([asked]), asked)
        if not profile.revision:
            raise not_found()
        return profile

    async def told(self, reader: Reader, by: str, asked: Awaitable[Profile]) -> Profile:
        """Whom a question is about, noted in the log unless it is answered; raises the problem to answer."""
        try:
            return await self.available(asked)
        except Problem as problem:
            record_access(reader, by, problem.status, None)
            raise

    async def person(self, asking: Asking, profile_id: UUID, by: str) -> tuple[Reader, Profile]:
        """Who asks, and the profile of an id; noted in the log."""
        reader = self.readers.of(asking)
        profile = await self.told(reader, by, self.profile(reader, profile_id))
        record_access(reader, by, 200, profile.profile_id)
        return reader, profile

    async def available(self, asked: Awaitable[T]) -> T:
        """What was asked of a store; raises the problem to answer if that is away."""
        try:
            return await asked
        except Exception as error:
            if await is_away(error, (self.profiles, self.histories)):
                raise unavailable() from error
            raise


def page_of(view: BaseModel, headers: Mapping[str, str] | None = None, shown: set[str] | None = None) -> Response:
    """A view as an answer that nobody keeps; all of its fields, or those to be shown."""
    text = view.model_dump_json(include=shown)
    return Response(text, media_type="application/json", headers=PRIVATE | dict(headers or {}))

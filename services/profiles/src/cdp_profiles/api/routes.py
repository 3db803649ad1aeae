"""One person by id or by an identifier."""

from __future__ import annotations

from collections.abc import Awaitable
from dataclasses import dataclass
from typing import Annotated, Any, Final, Literal, TypeAlias
from uuid import UUID

from cdp_runtime.failures import is_away
from cdp_runtime.redirects import chain_of
from fastapi import Depends, FastAPI, Header, Query, Response
from fastapi.security import HTTPAuthorizationCredentials, HTTPBearer

from cdp_profiles.api.problems import (
    Problem,
    ProblemView,
    ambiguous,
    answer_problems,
    not_found,
    one_identifier,
    unavailable,
)
from cdp_profiles.api.readers import Reader, Readers, record_access
from cdp_profiles.api.views import ProfileView, view_of
from cdp_profiles.domain.events import identifier
from cdp_profiles.domain.profile import Profile, record_id
from cdp_profiles.store import ProfileStore

PROBLEMS: Final[dict[int | str, dict[str, Any]]] = {
    401: {"model": ProblemView, "description": "No token, or an unknown one."},
    404: {"model": ProblemView, "description": "No such profile of this tenant."},
    422: {"model": ProblemView, "description": "No such parameter, or no such value of one."},
    429: {"model": ProblemView, "description": "This token asks too often; wait for Retry-After seconds."},
    503: {"model": ProblemView, "description": "The store is away."},
}
UNCHANGED: Final[dict[int | str, dict[str, Any]]] = {304: {"description": "Nothing changed since If-None-Match."}}
LOOKUPS: Final[dict[int | str, dict[str, Any]]] = {
    400: {"model": ProblemView, "description": "Not exactly one identifier."},
    409: {"model": ProblemView, "description": "Several profiles have this identifier."},
}

Token: TypeAlias = Annotated[HTTPAuthorizationCredentials | None, Depends(HTTPBearer(auto_error=False))]
Include: TypeAlias = Annotated[tuple[Literal["parts"], ...], Query(description="also answer the parts")]
Known: TypeAlias = Annotated[str | None, Header(alias="If-None-Match", description="ETag of the answer you have")]
Value: TypeAlias = Annotated[str | None, Query(min_length=1, max_length=512)]


@dataclass(frozen=True, slots=True)
class Desk:
    """Where readers ask. Redirects are followed: an absorbed profile's id answers its survivor."""

    profiles: ProfileStore
    readers: Readers

    async def by_id(
        self, *, profile_id: UUID, token: Token, include: Include = (), known: Known = None
    ) -> Response:
        """One profile by its id, or by the id of a profile that became part of it."""
        reader = self._reader(token)
        return await self._answer(reader, "id", self._read(reader, profile_id), include, known)

    async def by_identifier(
        self,
        *,
        token: Token,
        user_id: Value = None,
        anonymous_id: Value = None,
        email: Value = None,
        include: Include = (),
        known: Known = None,
    ) -> Response:
        """The profile on whose events one identifier was seen; an e-mail address also as its SHA-256."""
        reader = self._reader(token)
        asked = {"user_id": user_id, "anonymous_id": anonymous_id, "email": email}
        given = [(kind, value) for kind, value in asked.items() if value is not None]
        if len(given) != 1:
            raise one_identifier()
        ((kind, value),) = given
        return await self._answer(reader, kind, self._find(reader, kind, value), include, known)

    def _reader(self, token: HTTPAuthorizationCredentials | None) -> Reader:
        return self.readers.of(token.credentials if token else None)

    async def _read(self, reader: Reader, profile_id: UUID) -> Profile:
        people = await self.profiles.load([record_id(reader.tenant, profile_id)])
        *_, profile = chain_of(people, record_id(reader.tenant, profile_id))
        if not profile.revision:
            raise not_found()
        return profile

    async def _find(self, reader: Reader, kind: str, value: str) -> Profile:
        found = await self.profiles.find(reader.tenant, identifier(kind, value))
        if not found:
            raise not_found()
        if len(found) > 1:
            raise ambiguous(tuple(sorted(UUID(profile.profile_id) for profile in found)))
        return found[0]

    async def _answer(
        self, reader: Reader, by: str, asked: Awaitable[Profile], include: tuple[str, ...], known: str | None
    ) -> Response:
        try:
            profile = await self._available(asked)
        except Problem as problem:
            record_access(reader, by, problem.status, None)
            raise
        tag = etag(profile, reader, include)
        unchanged = known is not None and (tag in known or known == "*")
        record_access(reader, by, 304 if unchanged else 200, profile.profile_id)
        headers = {"ETag": tag, "Cache-Control": "no-store", "Vary": "Authorization"}
        if unchanged:
            return Response(status_code=304, headers=headers)
        view = view_of(profile, masked=reader.masked, with_parts="parts" in include)
        text = view.model_dump_json(exclude=None if "parts" in include else {"parts"})
        return Response(text, media_type="application/json", headers=headers)

    async def _available(self, asked: Awaitable[Profile]) -> Profile:
        try:
            return await asked
        except Exception as error:
            if await is_away(error, (self.profiles,)):
                raise unavailable() from error
            raise


def etag(profile: Profile, reader: Reader, include: tuple[str, ...]) -> str:
    """Changes with everything an answer depends on."""
    view = ("masked" if reader.masked else "full", *sorted(set(include)))
    return f'"{profile.profile_id}.{profile.revision}.{".".join(view)}"'


def build_api(profiles: ProfileStore, readers: Readers) -> FastAPI:
    """The read API over a store."""
    desk = Desk(profiles, readers)
    api = FastAPI(title="Tessera profiles", description="Read one person's profile.", version="1")
    answer_problems(api)
    by_id = PROBLEMS | UNCHANGED
    api.get("/v1/profiles/{profile_id}", response_model=ProfileView, responses=by_id)(desk.by_id)
    api.get("/v1/profiles", response_model=ProfileView, responses=by_id | LOOKUPS)(desk.by_identifier)
    return api

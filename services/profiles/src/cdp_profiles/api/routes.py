"""One person by id or by an identifier."""

from __future__ import annotations

from dataclasses import dataclass
from hashlib import sha256
from typing import Annotated, Any, Final, NamedTuple, TypeAlias
from uuid import UUID

from fastapi import FastAPI, Header, Query, Response

from cdp_profiles.api.bulk import BulkDesk
from cdp_profiles.api.desk import PRIVATE, PROBLEMS, Desk, page_of
from cdp_profiles.api.past import PastDesk, histories_of
from cdp_profiles.api.problems import ProblemView, ambiguous, answer_problems, not_found, one_identifier
from cdp_profiles.api.readers import Asking, Reader, Readers, record_access
from cdp_profiles.api.views import ProfileView, view_as_of, view_of
from cdp_profiles.api.wanted import Want, Wanted
from cdp_profiles.domain.events import identifier
from cdp_profiles.domain.profile import Profile
from cdp_profiles.histories import Histories
from cdp_profiles.store import ProfileStore

UNCHANGED: Final[dict[int | str, dict[str, Any]]] = {304: {"description": "Nothing changed since If-None-Match."}}
LOOKUPS: Final[dict[int | str, dict[str, Any]]] = {
    400: {"model": ProblemView, "description": "Not exactly one identifier."},
    409: {"model": ProblemView, "description": "Several profiles have this identifier."},
}

Known: TypeAlias = Annotated[str | None, Header(alias="If-None-Match", description="ETag of the answer you have")]
Value: TypeAlias = Annotated[str | None, Query(min_length=1, max_length=512)]


class Question(NamedTuple):
    """Who asks, by which kind of identifier, what they want to be told, and which answer they have."""

    reader: Reader
    by: str
    want: Wanted
    known: str | None


@dataclass(frozen=True, slots=True)
class ProfileDesk:
    """Whoever asks for one person."""

    desk: Desk

    async def by_id(
        self,
        *,
        asking: Asking,
        want: Want,
        profile_id: UUID,
        known: Known = None,
    ) -> Response:
        """One profile by its id, or by the id of a profile that became part of it."""
        reader = self.desk.readers.of(asking)
        profile = await self.desk.told(reader, "id", self.desk.profile(reader, profile_id))
        return await self._answer(Question(reader, "id", want, known), profile)

    async def by_identifier(
        self,
        *,
        asking: Asking,
        want: Want,
        user_id: Value = None,
        anonymous_id: Value = None,
        email: Value = None,
        known: Known = None,
    ) -> Response:
        """The profile on whose events one identifier was seen; an e-mail address also as its SHA-256."""
        reader = self.desk.readers.of(asking)
        asked = {"user_id": user_id, "anonymous_id": anonymous_id, "email": email}
        given = [(kind, value) for kind, value in asked.items() if value is not None]
        if len(given) != 1:
            raise one_identifier()
        ((kind, value),) = given
        profile = await self.desk.told(reader, kind, self._find(reader, kind, value))
        return await self._answer(Question(reader, kind, want, known), profile)

    async def _find(self, reader: Reader, kind: str, value: str) -> Profile:
        found = await self.desk.profiles.find(reader.tenant, identifier(kind, value))
        if not found:
            raise not_found()
        if len(found) > 1:
            raise ambiguous(tuple(sorted(UUID(profile.profile_id) for profile in found)))
        return found[0]

    async def _answer(self, question: Question, profile: Profile) -> Response:
        reader, want = question.reader, question.want
        headers = {"Content-Location": f"/v1/profiles/{profile.profile_id}"}
        if want.as_of is not None:
            record_access(reader, question.by, 200, profile.profile_id)
            histories = await self.desk.available(histories_of(self.desk, profile))
            return page_of(view_as_of(profile, reader, histories, want.as_of, want), headers, want.shown)
        headers["ETag"] = tag = etag(profile, reader, want)
        unchanged = question.known is not None and (tag in question.known or question.known == "*")
        record_access(reader, question.by, 304 if unchanged else 200, profile.profile_id)
        if unchanged:
            return Response(status_code=304, headers=PRIVATE | headers)
        return page_of(view_of(profile, reader, want), headers, want.shown)


def etag(profile: Profile, reader: Reader, want: Wanted) -> str:
    """Changes with everything an answer depends on."""
    view = repr((*reader.view, sorted(want.shown), sorted(set(want.traits))))
    digest = sha256(view.encode("utf-8", "surrogatepass")).hexdigest()[:12]
    return f'"{profile.profile_id}.{profile.revision}.{digest}"'


def build_api(profiles: ProfileStore, histories: Histories, readers: Readers) -> FastAPI:
    """The read API over the stores."""
    desk = Desk(profiles, histories, readers)
    one, past, bulk = ProfileDesk(desk), PastDesk(desk), BulkDesk(desk)
    api = FastAPI(title="Tessera profiles", description="Read people's profiles.", version="1")
    answer_problems(api)
    by_id = PROBLEMS | UNCHANGED
    api.get("/v1/profiles/{profile_id}", response_model=ProfileView, responses=by_id)(one.by_id)
    api.get("/v1/profiles", response_model=ProfileView, responses=by_id | LOOKUPS)(one.by_identifier)
    past.add_to(api)
    bulk.add_to(api)
    return api

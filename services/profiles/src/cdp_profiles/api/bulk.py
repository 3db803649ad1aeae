"""Many people at once: up to a hundred by their ids, or all of a tenant page by page."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Annotated, Any, Final
from uuid import UUID

from cdp_runtime.redirects import chain_of
from fastapi import FastAPI, Query, Response
from prometheus_client import Counter
from pydantic import Field

from cdp_profiles.api.desk import PRIVATE, PROBLEMS, Desk
from cdp_profiles.api.readers import Asking, Reader, record_access
from cdp_profiles.api.views import ProfileView, View, view_of
from cdp_profiles.api.wanted import ProfileField, Wanted
from cdp_profiles.domain.profile import Profile, record_id

MOST: Final = 100
LINES: Final = "application/x-ndjson"
EXPORTED: Final = Counter("cdp_profiles_exported", "Profiles given out by exports", ("tenant",))


class LookupRequest(View):
    """Whom to look up."""

    ids: tuple[UUID, ...] = Field(min_length=1, max_length=MOST)
    fields: tuple[ProfileField, ...] = Field(default=(), max_length=20, description="answer these fields only")
    traits: tuple[str, ...] = Field(default=(), max_length=100, description="answer these traits only")


class FoundView(View):
    """A profile that was asked for; its own id is the survivor's if it was absorbed."""

    asked: UUID
    profile: ProfileView


class LookupView(View):
    """Who was found, in the order they were asked for, and who was not."""

    found: tuple[FoundView, ...]
    missing: tuple[UUID, ...]


@dataclass(frozen=True, slots=True)
class BulkDesk:
    """Whoever asks for many."""

    desk: Desk

    async def lookup(self, *, asking: Asking, body: LookupRequest) -> Response:
        """Up to a hundred profiles by their ids. It counts as one request."""
        reader = self.desk.readers.of(asking)
        asked = {profile_id: record_id(reader.tenant, profile_id) for profile_id in body.ids}
        people = await self.desk.available(self.desk.profiles.load(asked.values()))
        ends = {profile_id: list(chain_of(people, record))[-1] for profile_id, record in asked.items()}
        there = {profile_id: profile for profile_id, profile in ends.items() if profile.revision}
        for profile in there.values():
            record_access(reader, "ids", 200, profile.profile_id)
        wanted = Wanted(body.fields, body.traits)
        view = LookupView(
            found=tuple(
                FoundView(asked=profile_id, profile=view_of(profile, reader, wanted))
                for profile_id, profile in there.items()
            ),
            missing=tuple(profile_id for profile_id in ends if profile_id not in there),
        )
        return Response(only(view, wanted), media_type="application/json", headers=PRIVATE)

    async def export(
        self,
        *,
        asking: Asking,
        after: Annotated[UUID | None, Query(description="go on after this profile")] = None,
        limit: Annotated[int, Query(ge=1, le=1000)] = 500,
        fields: Annotated[tuple[ProfileField, ...], Query(max_length=20, description="only these fields")] = (),
    ) -> Response:
        """A page of all profiles as lines of JSON, by id. `Link` leads to the next page; the last one has none.

        For tokens with `export`. Whoever comes in meanwhile may be missed, nobody is told twice.
        """
        reader = self.desk.readers.of(asking, export=True)
        page = await self.desk.available(self.desk.profiles.page(reader.tenant, after, limit))
        record_access(reader, "export", 200, None)
        lines = list(lines_of(page.profiles, reader, Wanted(fields)))
        EXPORTED.labels(reader.tenant).inc(len(lines))
        link = {"Link": f'</v1/exports/profiles?after={page.end}>; rel="next"'} if page.end else {}
        return Response("".join(lines), media_type=LINES, headers=PRIVATE | link)

    def add_to(self, api: FastAPI) -> None:
        """The routes."""
        without = {status: said for status, said in PROBLEMS.items() if status != 404}
        lines: dict[int | str, dict[str, Any]] = {200: {"content": {LINES: {}}, "description": "Lines of JSON."}}
        api.post("/v1/profiles/lookup", response_model=LookupView, responses=without)(self.lookup)
        api.get("/v1/exports/profiles", response_class=Response, responses=without | lines)(self.export)


def lines_of(profiles: Iterable[Profile], reader: Reader, wanted: Wanted) -> Iterator[str]:
    """Profiles as lines of JSON."""
    for profile in profiles:
        yield view_of(profile, reader, wanted).model_dump_json(include=wanted.shown) + "\n"


def only(view: LookupView, wanted: Wanted) -> str:
    """What is wanted of each profile, as JSON."""
    shown: dict[str, Any] = {"asked": True, "profile": wanted.shown}
    return view.model_dump_json(include={"missing": True, "found": {"__all__": shown}})

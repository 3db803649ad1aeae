"""What a trait has been, and what a person did last."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated, Final, TypeAlias
from uuid import UUID

from fastapi import FastAPI, Path, Query, Response

from cdp_profiles.api.desk import PROBLEMS, Desk, page_of
from cdp_profiles.api.history_views import (
    HistoryView,
    Order,
    Page,
    TimelineView,
    history_view,
    order_of,
    timeline_view,
)
from cdp_profiles.api.problems import no_such_trait
from cdp_profiles.api.readers import Asking
from cdp_profiles.domain.history import (
    Told,
    places_of,
    places_of_regroupings,
    trait_histories,
)
from cdp_profiles.domain.profile import Profile
from cdp_profiles.domain.timeline import Entry
from cdp_profiles.histories import Histories, together

AT_ONCE: Final = 16

Cursor: TypeAlias = Annotated[str | None, Query(max_length=1024, description="`next` of the page before")]
Limit: TypeAlias = Annotated[int, Query(ge=1, le=200)]
Name: TypeAlias = Annotated[str, Path(min_length=1, max_length=8192, description="the trait's name")]


@dataclass(frozen=True, slots=True)
class PastDesk:
    """Whoever asks what was."""

    desk: Desk

    async def history(
        self, *, asking: Asking, profile_id: UUID, trait: Name, limit: Limit = 50, cursor: Cursor = None
    ) -> Response:
        """The values that a trait has had, each with the message that said it first; the newest first."""
        before = order_of(cursor)
        reader, profile = await self.desk.person(asking, profile_id, "history")
        found = (await self.desk.available(histories_of(self.desk, profile))).get(trait)
        if found is None:
            raise no_such_trait()
        page = Page(limit, before)
        return page_of(history_view(profile, reader.values_of(profile), trait, found, page))

    async def timeline(
        self, *, asking: Asking, profile_id: UUID, limit: Limit = 50, cursor: Cursor = None
    ) -> Response:
        """The newest events of a person with merges and partings, the newest first."""
        before = order_of(cursor)
        reader, profile = await self.desk.person(asking, profile_id, "timeline")
        newest = newest_of(self.desk.histories, profile, limit + 1, before)
        return page_of(timeline_view(profile, reader, await self.desk.available(newest), limit))

    def add_to(self, api: FastAPI) -> None:
        """The routes."""
        here = "/v1/profiles/{profile_id}"
        api.get(f"{here}/timeline", response_model=TimelineView, responses=PROBLEMS)(self.timeline)
        api.get(f"{here}/traits/{{trait:path}}/history", response_model=HistoryView, responses=PROBLEMS)(
            self.history
        )


async def histories_of(desk: Desk, profile: Profile) -> dict[str, Told]:
    """The history of every trait of a profile."""
    chronicles = await desk.histories.load(places_of(profile))
    return trait_histories(profile, chronicles.values())


async def newest_of(histories: Histories, profile: Profile, limit: int, before: Order | None) -> list[Entry]:
    """The newest entries of a person. Of parts that were last seen before all of these, none is asked."""
    found: list[Entry] = []
    regroupings, parts = places_of_regroupings(profile), places_of(profile)
    for places in (*at_once(regroupings), *at_once(list(parts))):
        if len(found) == limit and parts.get(places[0], found[-1].at) < found[-1].at:
            break
        found = together([*found, *await histories.newest(places, limit, before)], limit)
    return found


def at_once(places: list[str]) -> list[list[str]]:
    """As many places as are asked at once."""
    return [places[start : start + AT_ONCE] for start in range(0, len(places), AT_ONCE)]

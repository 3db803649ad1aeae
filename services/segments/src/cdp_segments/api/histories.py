"""What somebody entered and left, and where they were at any instant."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Annotated, Final, TypeAlias
from uuid import UUID

from cdp_contracts.segments_v1 import Reason
from fastapi import Query
from pydantic import AwareDatetime, Field

from cdp_segments.api.door import Door, Token
from cdp_segments.api.examples import HISTORY, shown
from cdp_segments.api.problems import BadCursor
from cdp_segments.api.views import View
from cdp_segments.domain.history import FLIPS_KEPT, Flip, History
from cdp_segments.domain.person import Person
from cdp_segments.domain.telling import milliseconds_of, moment_of
from cdp_segments.history.store import HistoryStore

CURSOR: Final = re.compile(r"(\d{1,15})\.(\d{1,9})\.(\d{1,9})")
Segment: TypeAlias = Annotated[str | None, Query(max_length=100, description="of this segment alone")]
AsOf: TypeAlias = Annotated[AwareDatetime | None, Query(description="as if it were this instant; default: now")]
Cursor: TypeAlias = Annotated[str | None, Query(max_length=64, description="`next` of the page before")]
Limit: TypeAlias = Annotated[int, Query(ge=1, le=FLIPS_KEPT)]


class FlipView(View):
    """Somebody entered or left a segment."""

    profile_id: UUID = Field(description="the profile that it was told of; another one before a merge")
    segment: str
    segment_version: int | None = Field(description="null if it is not known")
    entered: bool = Field(description="false: left")
    at: datetime
    since: datetime | None = Field(description="of an exit, when the membership had begun, if that is known")
    cause: str = Field(
        description="event, timer, merge, definition, ...; unseen: it was told before histories were kept"
    )
    reasons: tuple[Reason, ...] = Field(description="the first eight; long values and texts are left out")
    version: int = Field(description="of the membership message that told it")


class PastMembership(View):
    """A membership at an instant."""

    profile_id: UUID
    segment: str
    since: datetime


class HistoryPage(View):
    """The newest flips first, and the memberships at `as_of`."""

    model_config = shown(HISTORY)

    profile_id: UUID = Field(description="who the person is by now")
    asked: UUID = Field(
        description="the profile asked for; what it did before it was absorbed is part of the answer"
    )
    as_of: datetime
    complete_from: datetime | None = Field(description="nothing older is known; null: the history is whole")
    memberships: tuple[PastMembership, ...] | None = Field(
        description="the segments that the person was in at `as_of`; null if that is beyond what is known"
    )
    flips: tuple[FlipView, ...]
    next: str | None = Field(description="the cursor of the next page; null on the last")


@dataclass(frozen=True, slots=True)
class HistoryDesk:
    """Where readers ask what was."""

    door: Door
    histories: HistoryStore

    async def history(
        self,
        token: Token,
        profile_id: UUID,
        *,
        segment: Segment = None,
        as_of: AsOf = None,
        cursor: Cursor = None,
        limit: Limit = 50,
    ) -> HistoryPage:
        """What a person entered and left, newest first: the newest 200 flips of each profile are kept.

        A flip is kept a moment after it is told.
        """
        tenant = self.door.tenant(token)
        chain = await self.door.chain(tenant, profile_id)
        found = await self.door.available(self.histories.load([person.id for person in chain]))
        instant = self.door.now if as_of is None else milliseconds_of(as_of)
        flips = sorted(flips_of(chain, found, instant, segment), key=place_of, reverse=True)
        upto = None if cursor is None else parsed(cursor)
        page = [each for each in flips if upto is None or place_of(each) < upto]
        return HistoryPage(
            profile_id=UUID(chain[-1].profile_id),
            asked=profile_id,
            as_of=moment_of(instant),
            complete_from=complete_from([*found.values()]),
            memberships=memberships_at(chain, found, instant, segment),
            flips=tuple(map(view_of, page[:limit])),
            next=written(page[limit - 1]) if len(page) > limit else None,
        )


Placed: TypeAlias = tuple[int, int, str, Flip]  # which profile of the chain, which flip of it, whose, and the flip
Place: TypeAlias = tuple[int, int, int]


def flips_of(
    chain: Sequence[Person], found: dict[str, History], until: int, segment: str | None
) -> Iterator[Placed]:
    """The flips of all these profiles up to an instant."""
    for n, person in enumerate(chain):
        history = found[person.id]
        for m, flip in enumerate(history.flips, history.forgotten):
            if flip.at <= until and segment in (None, flip.segment):
                yield n, m, person.profile_id, flip


def place_of(placed: Placed) -> Place:
    """Where a flip stands among all: by time, then by profile, then in the order in which it was told."""
    n, m, _, flip = placed
    return flip.at, n, m


def written(placed: Placed) -> str:
    """The cursor behind a flip."""
    return ".".join(map(str, place_of(placed)))


def parsed(cursor: str) -> Place:
    """The inverse; BadCursor for what is none."""
    found = CURSOR.fullmatch(cursor)
    if found is None:
        raise BadCursor
    at, n, m = map(int, found.groups())
    return at, n, m


def view_of(placed: Placed) -> FlipView:
    """A flip as shown."""
    _, _, profile_id, flip = placed
    return FlipView(
        profile_id=UUID(profile_id), segment=flip.segment, segment_version=flip.segment_version,
        entered=flip.member, at=moment_of(flip.at), since=None if flip.since is None else moment_of(flip.since),
        cause=flip.cause, reasons=flip.reasons, version=flip.version,
    )  # fmt: skip


def complete_from(histories: Sequence[History]) -> datetime | None:
    """From when all is known."""
    reaches = [history.reach for history in histories if history.reach is not None]
    return moment_of(max(reaches)) if reaches else None


def memberships_at(
    chain: Sequence[Person], found: dict[str, History], instant: int, segment: str | None
) -> tuple[PastMembership, ...] | None:
    """Where all these profiles were at an instant; None beyond what is known of any."""
    then = [(person.profile_id, found[person.id].at(instant)) for person in chain]
    if any(members is None for _, members in then):
        return None
    return tuple(
        PastMembership(profile_id=UUID(profile_id), segment=name, since=moment_of(since))
        for profile_id, members in then
        for name, since in sorted((members or {}).items())
        if segment in (None, name)
    )

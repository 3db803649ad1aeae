"""What a reader is shown of the past: the values of a trait, and the newest events."""

from __future__ import annotations

import base64
import json
from datetime import datetime
from typing import Annotated, Final, NamedTuple, TypeAlias
from uuid import UUID

from pydantic import Field, JsonValue, TypeAdapter

from cdp_profiles.api.problems import bad_cursor
from cdp_profiles.api.readers import Reader, Values
from cdp_profiles.api.views import View
from cdp_profiles.domain.history import Said, Told
from cdp_profiles.domain.parts import instant
from cdp_profiles.domain.profile import Profile
from cdp_profiles.domain.timeline import OFFSET, Entry, Kind

Order: TypeAlias = tuple[int, str]
ORDER: Final[TypeAdapter[Order]] = TypeAdapter(tuple[Annotated[int, Field(gt=-OFFSET, lt=OFFSET)], str])


class ValueView(View):
    """A value that a trait has had, and the message that said it first."""

    value: JsonValue = Field(description="null where the trait was taken away, or values are masked or withheld")
    occurred_at: datetime = Field(description="when it came to hold, by the sender's clock, corrected")
    source: str
    message_id: str
    received_at: datetime | None = Field(description="when we heard of it; null while only the record says so")


class HistoryView(View):
    """The values of a trait, the newest first."""

    id: UUID = Field(description="the canonical id of the profile")
    trait: str
    values: Values
    history: tuple[ValueView, ...]
    complete_since: datetime | None = Field(description="what is older may be missing; null: nothing is")
    next: str | None = Field(description="cursor of the next page; null on the last")


class EntryView(View):
    """Something a person did, or a merge or a parting."""

    kind: Kind
    type: str
    name: str
    occurred_at: datetime
    received_at: datetime
    message_id: str
    source: str
    purposes: tuple[str, ...] = Field(description="what the event may be used for")
    properties: dict[str, JsonValue] | None = Field(
        description="null where they were too long to be kept, or values are masked or withheld"
    )
    profiles: tuple[UUID, ...] = Field(description="of a merge or a parting: with whom")


class TimelineView(View):
    """The newest of what a person did, the newest first. With a purpose, only events that allow it."""

    id: UUID = Field(description="the canonical id of the profile")
    values: Values
    entries: tuple[EntryView, ...]
    next: str | None = Field(description="cursor of the next page; null on the last")


class Page(NamedTuple):
    """How many, and of those before which one."""

    limit: int
    before: Order | None


def history_view(profile: Profile, values: Values, trait: str, told: Told, asked: Page) -> HistoryView:
    """A page of a trait's history."""
    older = [said for said in reversed(told.said) if asked.before is None or said.key < asked.before]
    page = older[: asked.limit]
    return HistoryView(
        id=UUID(profile.profile_id),
        trait=trait,
        values=values,
        history=tuple(value_view(said, values) for said in page),
        complete_since=instant(told.floor[0]) if told.floor else None,
        next=cursor_of(page[-1].key) if len(older) > asked.limit else None,
    )


def value_view(said: Said, values: Values) -> ValueView:
    """A value as a reader may see it."""
    return ValueView(
        value=said.value if values == "shown" else None,
        occurred_at=instant(said.at),
        source=said.source,
        message_id=said.message_id,
        received_at=instant(said.received_at) if said.received_at else None,
    )


def timeline_view(profile: Profile, reader: Reader, found: list[Entry], limit: int) -> TimelineView:
    """A page of a timeline, of entries of which there is one more if the page is not the last."""
    values, page = reader.values_of(profile), found[:limit]
    told = [entry for entry in page if is_told(entry, reader)]
    return TimelineView(
        id=UUID(profile.profile_id),
        values=values,
        entries=tuple(entry_view(entry, values) for entry in told),
        next=cursor_of(page[-1].order) if len(found) > limit else None,
    )


def is_told(entry: Entry, reader: Reader) -> bool:
    """Whether an entry may be read for the reader's purpose."""
    return entry.kind != "event" or reader.purpose is None or reader.purpose in entry.purposes


def entry_view(entry: Entry, values: Values) -> EntryView:
    """An entry as a reader may see it."""
    shown = values == "shown" and entry.properties is not None
    return EntryView(
        kind=entry.kind,
        type=entry.type,
        name=entry.name,
        occurred_at=instant(entry.at),
        received_at=instant(entry.received_at),
        message_id=entry.message_id,
        source=entry.source,
        purposes=entry.purposes,
        properties=entry.values if shown else None,
        profiles=tuple(map(UUID, entry.profiles)),
    )


def cursor_of(order: Order) -> str:
    """Where a page ends, as text that means nothing to anybody else."""
    return base64.urlsafe_b64encode(json.dumps(order, separators=(",", ":")).encode()).decode().rstrip("=")


def order_of(cursor: str | None) -> Order | None:
    """The inverse of `cursor_of`; raises the problem to answer for what is none."""
    if cursor is None:
        return None
    try:
        return ORDER.validate_json(base64.urlsafe_b64decode(cursor + "=" * (-len(cursor) % 4)))
    except ValueError:
        raise bad_cursor() from None

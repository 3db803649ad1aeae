"""What a person did last, event by event, and with whom they became one or were parted."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Final, Literal, NamedTuple, TypeAlias

from cdp_contracts.profiles_v1 import ProfileUpdated
from pydantic import JsonValue

from cdp_profiles.domain.history import Bounds, place_of, place_told
from cdp_profiles.domain.parts import canonical, micros

Kind: TypeAlias = Literal["event", "merged", "parted"]

TRIMMED_EVERY: Final = 32
OFFSET: Final = 10**17


class Entry(NamedTuple):
    """One entry of a timeline. Times are microseconds; `properties` is JSON text, None where it was too long."""

    place: str
    at: int
    id: str
    kind: Kind
    type: str
    name: str
    message_id: str
    source: str
    received_at: int
    purposes: tuple[str, ...] = ()
    properties: str | None = None
    profiles: tuple[str, ...] = ()

    @property
    def key(self) -> str:
        """Where it stands in its place: the same whenever it is written, and in the order of time."""
        return f"{self.place}/{self.at + OFFSET:018d}/{self.id}"

    @property
    def order(self) -> tuple[int, str]:
        """What orders the entries of all places."""
        return self.at, self.id

    @property
    def values(self) -> dict[str, JsonValue]:
        """The properties, read; none where they were too long."""
        values: dict[str, JsonValue] = json.loads(self.properties or "{}")
        return values


def entries_of(fact: ProfileUpdated, bounds: Bounds) -> Iterator[Entry]:
    """What an update adds to timelines: an event to its part's, a merge or a parting to those of the profiles."""
    if fact.event is not None:
        text = canonical(fact.event.properties)
        kept = text if len(text.encode()) <= bounds.event_bytes else None
        yield Entry(
            *_when(place_told(fact), fact), "event", fact.event.type, fact.event.name, fact.message_id,
            fact.source or "", micros(fact.received_at), fact.purposes, kept,
        )  # fmt: skip
    if fact.absorbed is not None:
        yield regrouping("merged", str(fact.profile_id), (str(fact.absorbed),), fact)
    if fact.partings:
        others = tuple(str(parting.profile_id) for parting in fact.partings)
        yield regrouping("parted", str(fact.profile_id), others, fact)
        for other in others:
            yield regrouping("parted", other, (str(fact.profile_id),), fact)


def regrouping(kind: Kind, profile_id: str, others: tuple[str, ...], fact: ProfileUpdated) -> Entry:
    """That a profile became one with others, or was parted from them."""
    when = _when(place_of(fact.tenant, profile_id), fact)
    return Entry(*when, kind, kind, kind, fact.message_id, "", micros(fact.received_at), profiles=others)


def _when(place: str, fact: ProfileUpdated) -> tuple[str, int, str]:
    return place, micros(fact.occurred_at), str(fact.id)


def is_turn_to_trim(fact: ProfileUpdated) -> bool:
    """One update in 32, by its id, has its place trimmed: always the same ones."""
    return fact.id.int % TRIMMED_EVERY == 0


def key_at(place: str, before: tuple[int, str]) -> str:
    """The key that an entry of that order has, or would have, in a place."""
    at, id_ = before
    return f"{place}/{at + OFFSET:018d}/{id_}"

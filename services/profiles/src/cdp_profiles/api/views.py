"""What a reader is shown."""

from __future__ import annotations

from datetime import datetime
from uuid import UUID

from pydantic import BaseModel, ConfigDict, Field, JsonValue

from cdp_profiles.domain.parts import GONE, Joined, Part, PartKey, Trait, instant
from cdp_profiles.domain.profile import Profile


class View(BaseModel):
    """A frozen answer."""

    model_config = ConfigDict(frozen=True)


class TraitView(View):
    """A trait and where its value comes from."""

    value: JsonValue = Field(description="null for a reader whose role is masked")
    occurred_at: datetime
    source: str
    message_id: str


class PartView(View):
    """What one identifier contributed while its events went to one profile."""

    part: str = Field(description="keyed hash of the identifier that attributed the events")
    profile_id: UUID = Field(description="the profile they went to; another one if that was absorbed")
    first_seen: datetime
    last_seen: datetime
    traits: dict[str, TraitView]
    counters: dict[str, int] = Field(description="tracked events by name, all others by type")
    identifiers: dict[str, int] = Field(description="how many identifiers of each type were seen")


class ProfileView(View):
    """One person: all parts together."""

    id: UUID = Field(description="the canonical id: the survivor's if the one asked for was absorbed")
    merged_from: tuple[UUID, ...] = Field(description="the profiles that became part of this one")
    revision: int = Field(description="rises by one with each event or merge")
    first_seen: datetime | None
    last_seen: datetime | None
    traits: dict[str, TraitView]
    counters: dict[str, int] = Field(description="tracked events by name, all others by type")
    identifiers: dict[str, int] = Field(description="how many identifiers of each type were seen")
    parts: tuple[PartView, ...] | None = Field(default=None, description="with include=parts")


def view_of(profile: Profile, *, masked: bool, with_parts: bool) -> ProfileView:
    """A profile as a reader may see it."""
    joined = profile.joined
    return ProfileView(
        id=UUID(profile.profile_id),
        merged_from=tuple(sorted(map(UUID, profile.absorbed))),
        revision=profile.revision,
        first_seen=None if joined.first_seen is None else instant(joined.first_seen),
        last_seen=None if joined.last_seen is None else instant(joined.last_seen),
        traits=trait_views(joined, masked=masked),
        counters=joined.counters,
        identifiers=types_of(joined),
        parts=tuple(part_view(key, part, masked=masked) for key, part in profile.parts.items())
        if with_parts
        else None,
    )


def part_view(key: PartKey, part: Part, *, masked: bool) -> PartView:
    """A part as a reader may see it."""
    return PartView(
        part=key.identifier,
        profile_id=UUID(key.home),
        first_seen=instant(part.first_seen),
        last_seen=instant(part.last_seen),
        traits=trait_views(part, masked=masked),
        counters=part.counters,
        identifiers=types_of(part),
    )


def trait_views(holder: Joined | Part, *, masked: bool) -> dict[str, TraitView]:
    """The traits by name, without those that were taken away."""
    return {name: trait_view(trait, masked=masked) for name, trait in holder.traits.items() if trait.text != GONE}


def trait_view(trait: Trait, *, masked: bool) -> TraitView:
    """A trait as a reader may see it."""
    return TraitView(
        value=None if masked else trait.value,
        occurred_at=instant(trait.at),
        source=trait.source,
        message_id=trait.message_id,
    )


def types_of(holder: Joined | Part) -> dict[str, int]:
    """How many identifiers of each type."""
    kinds = sorted(identifier.kind for identifier in holder.identifiers)
    return {kind: kinds.count(kind) for kind in dict.fromkeys(kinds)}

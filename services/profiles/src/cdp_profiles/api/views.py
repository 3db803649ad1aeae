"""What a reader is shown."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from uuid import UUID

from pydantic import BaseModel, ConfigDict, Field, JsonValue

from cdp_profiles.api.readers import Reader, Values
from cdp_profiles.api.wanted import EVERYTHING, Wanted
from cdp_profiles.domain.history import Told
from cdp_profiles.domain.parts import GONE, Joined, Part, PartKey, Trait, instant, micros
from cdp_profiles.domain.profile import Profile


class View(BaseModel):
    """A frozen answer."""

    model_config = ConfigDict(frozen=True)


class TraitView(View):
    """A trait and where its value comes from."""

    value: JsonValue = Field(description="null where values are masked or withheld")
    occurred_at: datetime
    source: str
    message_id: str


class ComputedView(View):
    """A trait that was computed from the person's events."""

    value: JsonValue = Field(description="null where values are masked or withheld")
    version: int = Field(description="of the definition it was computed by")
    at: datetime = Field(description="the instant it is stated for")
    note: str | None = Field(description="what the value leaves out, if anything")


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
    """One person: all parts together. Which fields there are is up to `fields`."""

    id: UUID = Field(description="the canonical id: the survivor's if the one asked for was absorbed")
    revision: int = Field(description="rises by one with each event or merge")
    values: Values = Field(
        description="whether values are shown; masked: not to this role; withheld: the person does not allow the "
        "purpose, or nothing is known of it"
    )
    merged_from: tuple[UUID, ...] = Field(default=(), description="the profiles that became part of this one")
    first_seen: datetime | None = None
    last_seen: datetime | None = None
    traits: dict[str, TraitView] = Field(default_factory=dict)
    computed: dict[str, ComputedView] = Field(
        default_factory=dict, description="traits that are computed from events"
    )
    counters: dict[str, int] = Field(
        default_factory=dict, description="tracked events by name, all others by type"
    )
    identifiers: dict[str, int] = Field(
        default_factory=dict, description="how many identifiers of each type were seen"
    )
    purposes: tuple[str, ...] | None = Field(
        default=None, description="what the newest event may be used for; null where nothing is known"
    )
    parts: tuple[PartView, ...] | None = Field(default=None, description="with include=parts")
    as_of: datetime | None = Field(default=None, description="with as_of: the traits are those of that instant")
    unknown_traits: tuple[str, ...] = Field(
        default=(), description="with as_of: traits whose value at that instant is not kept any more"
    )


def view_of(profile: Profile, reader: Reader, wanted: Wanted) -> ProfileView:
    """What is wanted of a profile as a reader may see it."""
    joined, values, shown = profile.joined, reader.values_of(profile), wanted.shown
    allowed = joined.allowed
    return ProfileView.model_construct(
        id=UUID(profile.profile_id),
        revision=profile.revision,
        values=values,
        merged_from=tuple(sorted(map(UUID, profile.absorbed))),
        first_seen=None if joined.first_seen is None else instant(joined.first_seen),
        last_seen=None if joined.last_seen is None else instant(joined.last_seen),
        traits=trait_views(joined.traits, values, wanted) if "traits" in shown else {},
        computed=computed_views(profile, values),
        counters=joined.counters,
        identifiers=types_of(joined) if "identifiers" in shown else {},
        purposes=allowed.purposes if allowed else None,
        parts=tuple(part_view(key, part, values, wanted) for key, part in profile.parts.items())
        if "parts" in shown
        else None,
    )


def view_as_of(
    profile: Profile, reader: Reader, histories: Mapping[str, Told], at: datetime, wanted: Wanted
) -> ProfileView:
    """The traits as they were at an instant, of the person as it is today."""
    moment, values = micros(at), reader.values_of(profile)
    asked = {name: told for name, told in histories.items() if wanted.has(name)}
    known = {name: told.at(moment) for name, told in asked.items() if told.is_known(moment)}
    held = {n: Trait(said.at, said.message_id, said.text, said.source) for n, said in known.items() if said}
    return ProfileView(
        id=UUID(profile.profile_id),
        revision=profile.revision,
        values=values,
        merged_from=tuple(sorted(map(UUID, profile.absorbed))),
        traits=trait_views(held, values),
        as_of=at,
        unknown_traits=tuple(sorted(asked.keys() - known.keys())),
    )


def computed_views(profile: Profile, values: Values) -> dict[str, ComputedView]:
    """The computed traits by name."""
    return {
        name: ComputedView(
            value=trait.value if values == "shown" else None,
            version=trait.version,
            at=instant(trait.at),
            note=trait.note,
        )
        for name, trait in (profile.computed.traits if profile.computed else {}).items()
    }


def part_view(key: PartKey, part: Part, values: Values, wanted: Wanted) -> PartView:
    """A part as a reader may see it."""
    return PartView(
        part=key.identifier,
        profile_id=UUID(key.home),
        first_seen=instant(part.first_seen),
        last_seen=instant(part.last_seen),
        traits=trait_views(part.traits, values, wanted),
        counters=part.counters,
        identifiers=types_of(part),
    )


def trait_views(traits: Mapping[str, Trait], values: Values, wanted: Wanted = EVERYTHING) -> dict[str, TraitView]:
    """The traits by name, without those that were taken away."""
    return {
        name: trait_view(trait, values)
        for name, trait in traits.items()
        if trait.text != GONE and wanted.has(name)
    }


def trait_view(trait: Trait, values: Values) -> TraitView:
    """A trait as a reader may see it."""
    return TraitView.model_construct(
        value=trait.value if values == "shown" else None,
        occurred_at=instant(trait.at),
        source=trait.source,
        message_id=trait.message_id,
    )


def types_of(holder: Joined | Part) -> dict[str, int]:
    """How many identifiers of each type."""
    kinds = sorted(identifier.kind for identifier in holder.identifiers)
    return {kind: kinds.count(kind) for kind in dict.fromkeys(kinds)}

"""Every knob of the profiles service. A bad value fails at start and names the variable."""

from __future__ import annotations

from typing import Annotated, Final, Literal, TypeAlias

from cdp_runtime import access
from cdp_runtime.access import parse_tokens
from cdp_runtime.settings import CONFIG, HttpBounds, KafkaSettings, MongoSettings, PrivacySettings
from pydantic import BeforeValidator, Field
from pydantic_settings import BaseSettings, NoDecode, SettingsConfigDict

from cdp_profiles.domain.history import Bounds
from cdp_profiles.domain.limits import Limits

PURPOSE: Final = r"^[a-zA-Z0-9][a-zA-Z0-9._-]{0,63}$"
Role: TypeAlias = Literal["full", "masked"]


class ReadToken(access.ReadToken):
    """It also says whether the token shows values, for which purposes it reads, and whether it may export.

    With purposes, every request names one of them, and a person who does not allow it is shown without values.
    """

    role: Role = "full"
    purposes: tuple[Annotated[str, Field(pattern=PURPOSE)], ...] = ()
    export: bool = False


class Settings(BaseSettings):
    """The settings of both roles."""

    model_config = SettingsConfigDict(**CONFIG, env_prefix="CDP_PROFILES_")

    kafka: KafkaSettings = Field(default_factory=KafkaSettings)
    mongo: MongoSettings = Field(default_factory=MongoSettings)
    privacy: PrivacySettings = Field(default_factory=PrivacySettings)
    http: HttpBounds = Field(default_factory=HttpBounds)
    read_tokens: Annotated[tuple[ReadToken, ...], NoDecode, BeforeValidator(parse_tokens)] = Field(
        default=(),
        description='JSON: {"<token>": "<tenant>"} or {"<token>": {"tenant": ..., "role": "full" or "masked", '
        '"purposes": [...], "export": true}}; without any, nobody may read',
    )
    read_seconds: float = Field(default=2, gt=0, description="time for the store to answer a reader")
    max_traits: int = Field(default=500, ge=1, description="traits on a profile")
    max_trait_bytes: int = Field(default=8 * 1024, ge=1, description="bytes of a trait's name and JSON value")
    max_parts: int = Field(default=1000, ge=1, description="identifiers that attributed events to a profile")
    max_counters: int = Field(default=1000, ge=1, description="event names counted on a profile")
    max_identifiers: int = Field(default=1000, ge=1, description="identifiers seen on a profile's events")
    max_total_bytes: int = Field(
        default=4 * 1024 * 1024, ge=1, description="bytes of traits, counters and identifiers of all parts"
    )
    history_values: int = Field(default=32, ge=1, description="values kept of a trait, for each identifier")
    history_bytes: int = Field(default=8 * 1024, ge=1, description="bytes of these values")
    timeline_events: int = Field(default=200, ge=1, description="events kept, for each identifier")
    timeline_event_bytes: int = Field(
        default=2 * 1024, ge=2, description="bytes of an event's properties; longer ones are not kept"
    )
    historian_rest_seconds: float = Field(default=1, ge=0, description="between two batches of histories")

    @property
    def limits(self) -> Limits:
        """How big a profile may grow."""
        return Limits(
            traits=self.max_traits,
            trait_bytes=self.max_trait_bytes,
            parts=self.max_parts,
            counters=self.max_counters,
            identifiers=self.max_identifiers,
            total_bytes=self.max_total_bytes,
        )

    @property
    def bounds(self) -> Bounds:
        """How far back histories and timelines go."""
        return Bounds(
            values=self.history_values,
            bytes=self.history_bytes,
            events=self.timeline_events,
            event_bytes=self.timeline_event_bytes,
        )

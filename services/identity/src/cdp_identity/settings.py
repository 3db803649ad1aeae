"""Every knob of the identity service."""

from __future__ import annotations

from typing import Annotated

from cdp_runtime.access import ReadToken, Tokens, parse_tokens
from cdp_runtime.settings import CONFIG, HttpBounds, KafkaSettings, MongoSettings, PrivacySettings
from pydantic import BeforeValidator, Field
from pydantic_settings import BaseSettings, NoDecode, SettingsConfigDict


def parse_names(value: object) -> object:
    """Names between commas."""
    if not isinstance(value, str):
        return value
    return tuple(name for each in value.split(",") if (name := each.strip()))


class Settings(BaseSettings):
    """Prefix CDP_IDENTITY_; what is shared between services has prefixes of its own."""

    model_config = SettingsConfigDict(**CONFIG, env_prefix="CDP_IDENTITY_")

    cache_size: int = Field(default=100_000, ge=0, description="identifiers whose entity a worker remembers")
    kafka: KafkaSettings = Field(default_factory=KafkaSettings)
    mongo: MongoSettings = Field(default_factory=MongoSettings)
    privacy: PrivacySettings = Field(default_factory=PrivacySettings)


class MatcherSettings(BaseSettings):
    """Of the role that proposes matches."""

    model_config = SettingsConfigDict(**CONFIG, env_prefix="CDP_IDENTITY_")

    match_purposes: Annotated[tuple[str, ...], NoDecode, BeforeValidator(parse_names)] = Field(
        default=(),
        description="purposes between commas, all of which a person must allow before traits are compared; "
        "without any, nobody's are",
    )
    match_regions: dict[str, str] = Field(
        default={},
        description='JSON: {"<source>": "<ISO 3166 country>"} where its local telephone numbers and dates belong; '
        '"*" is every other source',
    )
    match_unasked: bool = Field(
        default=False,
        description="decide at once what is certain enough (band auto); else every match waits for a person",
    )
    steward_tokens: Annotated[tuple[ReadToken, ...], NoDecode, BeforeValidator(parse_tokens)] = Field(
        default=(), description='JSON: {"<token>": "<tenant>"} of those who review; without any, nobody may'
    )
    kafka: KafkaSettings = Field(default_factory=KafkaSettings)
    mongo: MongoSettings = Field(default_factory=MongoSettings)
    privacy: PrivacySettings = Field(default_factory=PrivacySettings)
    http: HttpBounds = Field(default_factory=HttpBounds)

    @property
    def tokens(self) -> Tokens[str]:
        """Which tenant each token opens."""
        return Tokens((each.token, each.tenant) for each in self.steward_tokens)

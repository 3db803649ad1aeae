"""Every knob of the segments service. A bad value fails at start and names the variable."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

from cdp_runtime.access import ReadToken, Tokens, parse_tokens
from cdp_runtime.settings import CONFIG, SECRETS, HttpBounds, KafkaSettings, MongoSettings, RedisSettings
from pydantic import BeforeValidator, Field, FilePath
from pydantic_settings import BaseSettings, NoDecode, SettingsConfigDict


class Settings(BaseSettings):
    """The settings of the evaluator and of the readers' API."""

    model_config = SettingsConfigDict(**CONFIG, env_prefix="CDP_SEGMENTS_")

    kafka: KafkaSettings = Field(default_factory=KafkaSettings)
    mongo: MongoSettings = Field(default_factory=MongoSettings)
    redis: RedisSettings = Field(default_factory=RedisSettings)
    http: HttpBounds = Field(default_factory=HttpBounds)
    read_tokens: Annotated[tuple[ReadToken, ...], NoDecode, BeforeValidator(parse_tokens)] = Field(
        default=(), description='JSON: {"<token>": "<tenant>"}; without any, nobody may read'
    )
    read_seconds: float = Field(default=5, gt=0, description="time for the store to answer a reader")

    preview_seconds: float = Field(default=10, gt=0, description="time for a preview to ask people")

    @property
    def tokens(self) -> Tokens[str]:
        """Which tenant each token opens."""
        return Tokens((each.token, each.tenant) for each in self.read_tokens)


class SenderSettings(BaseSettings):
    """The settings of the sender, which needs no store."""

    model_config = SettingsConfigDict(**CONFIG, env_prefix="CDP_SEGMENTS_")

    kafka: KafkaSettings = Field(default_factory=KafkaSettings)
    secrets_folder: Path = Field(
        default=SECRETS, description="holds the signing secrets of destinations, each a file destination-<name>"
    )
    private_hosts: tuple[str, ...] = Field(
        default=(),
        description="JSON list: hosts of destinations that may have a private address, and plain HTTP; all others"
        " must be public",
    )
    destination_ca_file: FilePath | None = Field(
        default=None, description="PEM file of the authorities to trust for destinations instead"
    )

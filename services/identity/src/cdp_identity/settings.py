"""Every knob of the identity service."""

from __future__ import annotations

from cdp_runtime.settings import CONFIG, KafkaSettings, MongoSettings, PrivacySettings
from pydantic import Field, SecretStr
from pydantic_settings import BaseSettings, SettingsConfigDict


class Settings(BaseSettings):
    """Prefix CDP_IDENTITY_; what is shared between services has prefixes of its own."""

    model_config = SettingsConfigDict(**CONFIG, env_prefix="CDP_IDENTITY_")

    cache_size: int = Field(default=100_000, ge=0, description="identifiers whose entity a worker remembers")
    former_peppers: tuple[SecretStr, ...] = Field(
        default=(), description="JSON list, newest first: identifiers known under these keep their pseudonym"
    )
    kafka: KafkaSettings = Field(default_factory=KafkaSettings)
    mongo: MongoSettings = Field(default_factory=MongoSettings)
    privacy: PrivacySettings = Field(default_factory=PrivacySettings)

"""Every knob of the service. Environment variables; secrets also as files of the same name."""

from __future__ import annotations

from cdp_runtime.settings import CONFIG, KafkaSettings, MongoSettings, PrivacySettings
from pydantic import Field
from pydantic_settings import BaseSettings, SettingsConfigDict


class Settings(BaseSettings):
    """What the gate stands on. It has no knobs of its own: what it decides by is a policy, and a message."""

    model_config = SettingsConfigDict(**CONFIG, env_prefix="CDP_CONSENT_")

    kafka: KafkaSettings = Field(default_factory=KafkaSettings)
    mongo: MongoSettings = Field(default_factory=MongoSettings)
    privacy: PrivacySettings = Field(default_factory=PrivacySettings)

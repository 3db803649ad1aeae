"""Every knob of the segments service. A bad value fails at start and names the variable."""

from __future__ import annotations

from typing import Final

from cdp_contracts.envelope import Tenant
from cdp_runtime.settings import CONFIG, KafkaSettings, MongoSettings, RedisSettings
from pydantic import Field, SecretStr, TypeAdapter, ValidationError, field_validator
from pydantic_settings import BaseSettings, SettingsConfigDict

TOKENS: Final[TypeAdapter[dict[str, Tenant]]] = TypeAdapter(dict[str, Tenant])


class Settings(BaseSettings):
    """The settings of both roles."""

    model_config = SettingsConfigDict(**CONFIG, env_prefix="CDP_SEGMENTS_", hide_input_in_errors=True)

    kafka: KafkaSettings = Field(default_factory=KafkaSettings)
    mongo: MongoSettings = Field(default_factory=MongoSettings)
    redis: RedisSettings = Field(default_factory=RedisSettings)
    read_tokens: SecretStr = Field(
        default=SecretStr("{}"), description='JSON: {"<token>": "<tenant>"}; without any, nobody may read'
    )
    read_seconds: float = Field(default=5, gt=0, description="time for the store to answer a reader")

    @field_validator("read_tokens")
    @classmethod
    def _are_tokens(cls, value: SecretStr) -> SecretStr:
        try:
            TOKENS.validate_json(value.get_secret_value() or "{}")
        except ValidationError:
            raise ValueError('must be JSON: {"<token>": "<tenant>"}') from None  # the text holds secrets
        return value

    @property
    def tenants(self) -> dict[str, str]:
        """Which tenant each token opens."""
        return TOKENS.validate_json(self.read_tokens.get_secret_value() or "{}")

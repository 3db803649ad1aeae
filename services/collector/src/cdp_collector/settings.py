"""Every knob of the service. Environment variables; secrets also as files of the same name."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Annotated, TypeAlias

from cdp_runtime.access import ReadToken, Tokens, parse_tokens
from cdp_runtime.settings import CONFIG, HttpBounds, KafkaSettings, PrivacySettings, RedisSettings
from pydantic import AwareDatetime, BeforeValidator, Field, SecretStr
from pydantic_settings import BaseSettings, NoDecode, SettingsConfigDict

from cdp_collector.domain.limits import Limits
from cdp_collector.domain.tokens import Signer

DAY = 86400
TokenKey: TypeAlias = Annotated[SecretStr, Field(min_length=32)]


class Settings(BaseSettings):
    """What edge and validator share. The bounds must be the same for both, or they contradict each other."""

    model_config = SettingsConfigDict(**CONFIG, env_prefix="CDP_COLLECTOR_")

    kafka: KafkaSettings = Field(default_factory=KafkaSettings)
    privacy: PrivacySettings = Field(default_factory=PrivacySettings)

    max_event_bytes: int = Field(default=32 * 1024, ge=1024, description="one event, as compact JSON")
    max_batch_events: int = Field(default=2500, ge=1, description="events of one request")
    max_depth: int = Field(default=32, ge=4, le=100, description="levels of nesting in an event")
    clock_tolerance_seconds: float = Field(
        default=5, ge=0, description="difference of clocks that is taken for the way, and left alone"
    )
    future_tolerance_seconds: float = Field(
        default=DAY, ge=0, description="how far in the future is set to now; further is rejected"
    )
    earliest: AwareDatetime = Field(
        default=datetime.fromisoformat("1990-01-01T00:00:00+00:00"), description="before this is rejected"
    )
    old_after_seconds: float = Field(default=730 * DAY, gt=0, description="age that earns the flag `old`")

    def limits(self) -> Limits:
        """The bounds as the domain takes them."""
        return Limits(
            event_bytes=self.max_event_bytes,
            batch_events=self.max_batch_events,
            depth=self.max_depth,
            clock_tolerance=timedelta(seconds=self.clock_tolerance_seconds),
            future_tolerance=timedelta(seconds=self.future_tolerance_seconds),
            earliest=self.earliest,
            old_after=timedelta(seconds=self.old_after_seconds),
        )


class HttpSettings(Settings):
    """What the edge adds."""

    http: HttpBounds = Field(default_factory=HttpBounds)

    max_body_bytes: int = Field(default=500 * 1024, ge=1024, description="a request's body, unpacked")
    max_in_flight: int = Field(default=256, ge=1, description="requests in hand at once; more are told to wait")
    retry_after_seconds: int = Field(default=2, ge=1, le=300, description="what a refused sender is told to wait")
    cors_origins: tuple[str, ...] = Field(default=("*",), description="web origins that may send, as JSON")
    jurisdiction_header: str | None = Field(
        default=None, description="header in which a trusted proxy says where the sender is, such as CF-IPCountry"
    )
    token_keys: tuple[TokenKey, ...] = Field(
        default=(),
        description="JSON list: the first signs browsers' cookies, all read them; without, none is set",
    )
    token_seconds: int = Field(
        default=390 * DAY,
        ge=60,
        le=400 * DAY,
        description="life of a browser's id, however often it comes back",
    )
    visit_rest_seconds: int = Field(
        default=1800, ge=1, description="so long without a request, and a visit is over"
    )

    def signer(self) -> Signer | None:
        """What signs browsers' cookies; None without a key."""
        return Signer([key.get_secret_value().encode() for key in self.token_keys]) if self.token_keys else None


class ValidatorSettings(Settings):
    """What the validator adds."""

    redis: RedisSettings = Field(default_factory=RedisSettings)
    dedup_seconds: int = Field(default=DAY, ge=1, description="how long a message id is remembered")


class ReceiptsSettings(BaseSettings):
    """The settings of the receipts."""

    model_config = SettingsConfigDict(**CONFIG, env_prefix="CDP_COLLECTOR_")

    kafka: KafkaSettings = Field(default_factory=KafkaSettings)
    privacy: PrivacySettings = Field(default_factory=PrivacySettings)
    redis: RedisSettings = Field(default_factory=RedisSettings)
    http: HttpBounds = Field(default_factory=HttpBounds)
    read_tokens: Annotated[tuple[ReadToken, ...], NoDecode, BeforeValidator(parse_tokens)] = Field(
        default=(), description='JSON: {"<token>": "<tenant>"}; without any, nobody may read'
    )
    receipt_seconds: int = Field(default=DAY, ge=1, description="how long a receipt is kept after its last change")
    receipt_memory_share: float = Field(
        default=0.7, gt=0, le=1, description="part of Redis' maxmemory beyond which no receipt is added"
    )

    @property
    def tokens(self) -> Tokens[str]:
        """Which tenant each token opens."""
        return Tokens((each.token, each.tenant) for each in self.read_tokens)

"""Settings that every service shares. Environment variables; secrets also as files of the same name."""

from __future__ import annotations

from pathlib import Path
from typing import Final, Literal

from pydantic import Field, SecretStr
from pydantic_settings import BaseSettings, SettingsConfigDict

SECRETS: Final = Path("/run/secrets")
CONFIG: Final = SettingsConfigDict(secrets_dir=SECRETS if SECRETS.is_dir() else None, extra="ignore", frozen=True)


class KafkaSettings(BaseSettings):
    """How to reach the broker."""

    model_config = SettingsConfigDict(**CONFIG, env_prefix="CDP_KAFKA_")

    bootstrap: str = Field(default="127.0.0.1:9092", description="host:port, comma separated")
    security_protocol: Literal["PLAINTEXT", "SSL", "SASL_PLAINTEXT", "SASL_SSL"] = "PLAINTEXT"
    sasl_mechanism: Literal["PLAIN", "SCRAM-SHA-256", "SCRAM-SHA-512"] = "SCRAM-SHA-512"
    sasl_username: str | None = None
    sasl_password: SecretStr | None = None
    ca_file: Path | None = Field(default=None, description="CA bundle for SSL")
    idempotent: bool = Field(default=True, description="idempotent producer; off only where the broker has none")
    max_records: int = Field(default=2000, ge=1, description="most messages in a batch")
    drain_seconds: float = Field(default=20, gt=0, description="time to finish a batch on revocation or stop")
    session_seconds: float = Field(default=6, ge=1, description="silence after which an instance counts as dead")
    fetch_wait_ms: int = Field(default=500, ge=1, description="how long the broker may hold back an empty answer")
    send_seconds: float = Field(default=10, gt=0, description="time for the broker to acknowledge")


class MongoSettings(BaseSettings):
    """How to reach MongoDB. Each service has a database of its own."""

    model_config = SettingsConfigDict(**CONFIG, env_prefix="CDP_MONGO_")

    url: SecretStr = SecretStr("mongodb://127.0.0.1:27017")
    database_prefix: str = Field(default="cdp", description="the database is <prefix>_<service>")
    timeout_seconds: float = Field(default=10, gt=0)


class RedisSettings(BaseSettings):
    """How to reach Redis."""

    model_config = SettingsConfigDict(**CONFIG, env_prefix="CDP_REDIS_")

    url: SecretStr = SecretStr("redis://127.0.0.1:6379/0")
    timeout_seconds: float = Field(default=5, gt=0)


class HttpBounds(BaseSettings):
    """What an HTTP role takes in. The first four are kept by the protocol that uvicorn runs."""

    model_config = SettingsConfigDict(**CONFIG, env_prefix="CDP_HTTP_")

    receive_seconds: float = Field(default=20, gt=0, description="time for a request to arrive whole")
    max_headers: int = Field(default=100, ge=1, description="headers of a request")
    max_header_bytes: int = Field(default=32 * 1024, ge=1024, description="bytes of its headers and URL")
    max_request_bytes: int = Field(default=16 * 1024**2, ge=1024, description="bytes of a whole request")
    requests_per_second: float = Field(
        default=1000, ge=0, description="of one source or read token, in each process; 0: no bound"
    )
    burst_seconds: float = Field(default=2, gt=0, description="seconds' worth of requests that may come at once")


class PrivacySettings(BaseSettings):
    """The secret under which identifiers become pseudonyms; the same in every service, never changed."""

    model_config = SettingsConfigDict(**CONFIG, env_prefix="CDP_")

    pepper: SecretStr = Field(min_length=16, description="at least 16 characters, no default")


class AdminSettings(BaseSettings):
    """Who may halt and resume a role."""

    model_config = SettingsConfigDict(**CONFIG, env_prefix="CDP_")

    admin_token: SecretStr | None = Field(default=None, description="without it nobody may halt or resume")

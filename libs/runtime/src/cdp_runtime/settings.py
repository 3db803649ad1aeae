"""Settings that every service shares. Environment variables; secrets also as files of the same name."""

from __future__ import annotations

import ssl
from pathlib import Path
from typing import Annotated, Final, Literal, Self

from pydantic import Field, FilePath, SecretStr, model_validator
from pydantic_settings import BaseSettings, SettingsConfigDict

from cdp_runtime.pseudonyms import Pseudonymizer

SECRETS: Final = Path("/run/secrets")
CONFIG: Final = SettingsConfigDict(
    secrets_dir=SECRETS if SECRETS.is_dir() else None,
    extra="ignore",
    frozen=True,
    hide_input_in_errors=True,  # it may be a secret
)


class TlsSettings(BaseSettings):
    """What a connection under TLS needs beyond the system's own authorities. Servers are always checked."""

    ca_file: FilePath | None = Field(default=None, description="PEM file of the authorities to trust instead")
    cert_file: FilePath | None = Field(default=None, description="PEM file of our own certificate and its key")

    @model_validator(mode="after")
    def _files_can_be_read(self) -> Self:
        for name, file in (("CA_FILE", self.ca_file), ("CERT_FILE", self.cert_file)):
            variable = f"{self.model_config.get('env_prefix')}{name}"
            try:
                tls_context(self.ca_file, self.cert_file if name == "CERT_FILE" else None)
            except (OSError, ssl.SSLError):
                content = "certificates" if name == "CA_FILE" else "a certificate and its private key"
                raise ValueError(f"{variable}: {file} is no readable PEM file of {content}") from None
        return self


def tls_context(ca_file: Path | None, cert_file: Path | None) -> ssl.SSLContext:
    """Certificates and host names are always checked."""
    context = ssl.create_default_context(cafile=ca_file)
    if cert_file:
        context.load_cert_chain(cert_file, password=lambda: b"")  # never ask a terminal
    return context


class KafkaSettings(TlsSettings):
    """How to reach the broker."""

    model_config = SettingsConfigDict(**CONFIG, env_prefix="CDP_KAFKA_")

    bootstrap: str = Field(default="127.0.0.1:9092", description="host:port, comma separated")
    security_protocol: Literal["PLAINTEXT", "SSL", "SASL_PLAINTEXT", "SASL_SSL"] = "PLAINTEXT"
    sasl_mechanism: Literal["PLAIN", "SCRAM-SHA-256", "SCRAM-SHA-512"] = "SCRAM-SHA-512"
    sasl_username: str | None = None
    sasl_password: SecretStr | None = None
    idempotent: bool = Field(default=True, description="idempotent producer; off only where the broker has none")
    max_records: int = Field(default=2000, ge=1, description="most messages in a batch")
    drain_seconds: float = Field(default=20, gt=0, description="time to finish a batch on revocation or stop")
    session_seconds: float = Field(default=6, ge=1, description="silence after which an instance counts as dead")
    fetch_wait_ms: int = Field(default=500, ge=1, description="how long the broker may hold back an empty answer")
    send_seconds: float = Field(default=10, gt=0, description="time for the broker to acknowledge")

    @model_validator(mode="after")
    def _credentials_are_there(self) -> Self:
        if self.security_protocol.startswith("SASL") and not (self.sasl_username and self.sasl_password):
            raise ValueError("SASL needs CDP_KAFKA_SASL_USERNAME and CDP_KAFKA_SASL_PASSWORD")
        if (self.ca_file or self.cert_file) and not self.security_protocol.endswith("SSL"):
            raise ValueError(
                "CDP_KAFKA_CA_FILE and _CERT_FILE need SSL or SASL_SSL as CDP_KAFKA_SECURITY_PROTOCOL"
            )
        return self


class MongoSettings(TlsSettings):
    """How to reach MongoDB. Each service has a database of its own. A CA file or certificate turns TLS on."""

    model_config = SettingsConfigDict(**CONFIG, env_prefix="CDP_MONGO_")

    url: SecretStr = SecretStr("mongodb://127.0.0.1:27017")
    username: str | None = Field(default=None, description="if it is not in the URL")
    password: SecretStr | None = Field(default=None, description="if it is not in the URL")
    database_prefix: str = Field(default="cdp", description="the database is <prefix>_<service>")
    timeout_seconds: float = Field(default=10, gt=0)


class RedisSettings(TlsSettings):
    """How to reach Redis; under TLS with a URL that begins with rediss."""

    model_config = SettingsConfigDict(**CONFIG, env_prefix="CDP_REDIS_")

    url: SecretStr = SecretStr("redis://127.0.0.1:6379/0")
    username: str | None = Field(default=None, description="if it is not in the URL")
    password: SecretStr | None = Field(default=None, description="if it is not in the URL")
    timeout_seconds: float = Field(default=5, gt=0)

    @model_validator(mode="after")
    def _files_go_with_tls(self) -> Self:
        if (self.ca_file or self.cert_file) and not self.url.get_secret_value().startswith("rediss:"):
            raise ValueError("CDP_REDIS_CA_FILE and _CERT_FILE need a CDP_REDIS_URL that begins with rediss://")
        return self


class HttpBounds(BaseSettings):
    """What an HTTP role takes in. The first five are kept by the protocol that uvicorn runs."""

    model_config = SettingsConfigDict(**CONFIG, env_prefix="CDP_HTTP_")

    receive_seconds: float = Field(default=20, gt=0, description="time for a request to arrive whole")
    keep_alive_seconds: float = Field(
        default=75, gt=0, description="time for the next request on a connection; more than proxies in front allow"
    )
    max_headers: int = Field(default=100, ge=1, description="headers of a request")
    max_header_bytes: int = Field(default=32 * 1024, ge=1024, description="bytes of its headers and URL")
    max_request_bytes: int = Field(default=16 * 1024**2, ge=1024, description="bytes of a whole request")
    requests_per_second: float = Field(
        default=1000, ge=0, description="of one source or read token, in each process; 0: no bound"
    )
    burst_seconds: float = Field(default=2, gt=0, description="seconds' worth of requests that may come at once")


class PrivacySettings(BaseSettings):
    """The secret under which identifiers become pseudonyms; the same in every service.

    It is changed in all of them while no event is under way: infra/runbooks/change-the-pepper.md.
    """

    model_config = SettingsConfigDict(**CONFIG, env_prefix="CDP_")

    pepper: SecretStr = Field(min_length=16, description="at least 16 characters, no default")
    former_peppers: tuple[Annotated[SecretStr, Field(min_length=16)], ...] = Field(
        default=(),
        description="JSON list, newest first: what is known under these is still found",
    )

    @property
    def pseudonyms(self) -> Pseudonymizer:
        """What hashes identifiers: under the pepper, and to look them up under those before it."""
        return Pseudonymizer(_bytes(self.pepper), list(map(_bytes, self.former_peppers)))

    @property
    def lasting(self) -> Pseudonymizer:
        """Hashes under the first pepper of all, for names that must never change and leave no database."""
        return Pseudonymizer(_bytes((self.pepper, *self.former_peppers)[-1]))


def _bytes(secret: SecretStr) -> bytes:
    return secret.get_secret_value().encode()


class AdminSettings(BaseSettings):
    """Who may halt and resume a role."""

    model_config = SettingsConfigDict(**CONFIG, env_prefix="CDP_")

    admin_token: SecretStr | None = Field(default=None, description="without it nobody may halt or resume")

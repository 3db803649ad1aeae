"""Connecting to Redis by the settings, as every adapter on it does."""

from __future__ import annotations

from typing import Any

from redis.asyncio import Redis

from cdp_runtime.settings import RedisSettings


def redis_client(settings: RedisSettings) -> Redis:
    """A client. Connects with the first call."""
    options: dict[str, Any] = {"username": settings.username}
    if settings.password:
        options["password"] = settings.password.get_secret_value()
    if settings.ca_file:
        options["ssl_ca_certs"] = str(settings.ca_file)
    if settings.cert_file:
        options["ssl_certfile"] = options["ssl_keyfile"] = str(settings.cert_file)
    return Redis.from_url(
        settings.url.get_secret_value(),
        socket_timeout=settings.timeout_seconds,
        socket_connect_timeout=settings.timeout_seconds,
        **options,
    )

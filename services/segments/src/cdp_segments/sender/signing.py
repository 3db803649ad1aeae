"""Signatures by Standard Webhooks 1.0 (https://www.standardwebhooks.com): symmetric, version 1."""

from __future__ import annotations

import binascii
import hmac
from base64 import b64decode, b64encode
from collections.abc import Iterable, Sequence
from datetime import datetime
from hashlib import sha256
from pathlib import Path
from typing import Final

PREFIX: Final = "whsec_"
SHORTEST: Final = 24
LONGEST: Final = 64


class NoSecret(Exception):  # noqa: N818
    """There is no usable secret of that name. Says nothing of what is there."""


def signed(message_id: str, body: bytes, secrets: Iterable[bytes], now: datetime) -> dict[str, str]:
    """The three headers of a try: one signature a secret, so that a receiver can change its own without a gap."""
    seconds = str(int(now.timestamp()))
    content = b".".join((message_id.encode(), seconds.encode(), body))
    signatures = (b64encode(hmac.new(secret, content, sha256).digest()).decode() for secret in secrets)
    return {
        "webhook-id": message_id,
        "webhook-timestamp": seconds,
        "webhook-signature": " ".join(f"v1,{signature}" for signature in signatures),
    }


def parse(text: str) -> Sequence[bytes]:
    """The secrets of a file, one a line, newest first: `whsec_`, then 24 to 64 bytes in base64. Or NoSecret."""
    return [_secret(line) for line in text.split()] or _none()


def _secret(line: str) -> bytes:
    try:
        secret = b64decode(line.removeprefix(PREFIX), validate=True) if line.startswith(PREFIX) else b""
    except binascii.Error:
        secret = b""
    if not SHORTEST <= len(secret) <= LONGEST:
        _none()
    return secret


def _none() -> Sequence[bytes]:
    raise NoSecret


class SecretFiles:
    """The secrets of destinations, each a file `destination-<name>`, read at every try: a new one takes hold."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def named(self, name: str) -> Sequence[bytes]:
        """NoSecret if there is none, or it is none."""
        try:
            return parse((self._folder / f"destination-{name}").read_text())
        except (OSError, UnicodeDecodeError):
            raise NoSecret from None

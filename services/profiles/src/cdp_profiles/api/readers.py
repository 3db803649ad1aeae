"""Who may read, and the line in the log that says they did."""

from __future__ import annotations

import hmac
import logging
from collections.abc import Iterable
from dataclasses import dataclass
from hashlib import sha256
from typing import Final

from cdp_profiles.settings import ReadToken

log: Final = logging.getLogger("cdp.access")


@dataclass(frozen=True, slots=True)
class Reader:
    """Somebody with a token. `name` is the beginning of the token's SHA-256: it tells tokens apart in the log."""

    name: str
    tenant: str
    masked: bool


class Readers:
    """All who may read."""

    def __init__(self, tokens: Iterable[ReadToken]) -> None:
        self._known = [
            (digest, Reader(digest.hex()[:8], token.tenant, token.role == "masked"))
            for token in tokens
            for digest in [sha256(token.token.get_secret_value().encode()).digest()]
        ]

    def of(self, token: str) -> Reader | None:
        """Whose token it is. Takes the same time whether it is known or not."""
        digest = sha256(token.encode()).digest()
        found = None
        for known, reader in self._known:
            if hmac.compare_digest(known, digest):
                found = reader
        return found


def record_access(reader: Reader, by: str, status: int, profile_id: str | None) -> None:
    """Say who read which profile; never by which value they found it."""
    log.info(
        "reader=%s tenant=%s by=%s status=%d profile=%s", reader.name, reader.tenant, by, status, profile_id or "-"
    )

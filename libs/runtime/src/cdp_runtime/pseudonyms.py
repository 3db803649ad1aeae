"""Keyed hashes that stand for identifiers wherever personal data must not: keys, indexes, ledgers."""

from __future__ import annotations

import hmac
from hashlib import sha256


class Pseudonymizer:
    """HMAC-SHA-256 under one secret (the pepper), truncated to 128 bits and written as 32 hex digits."""

    def __init__(self, pepper: bytes) -> None:
        if len(pepper) < 16:
            raise ValueError("the pepper must have at least 16 bytes")
        self._keyed = hmac.new(pepper, digestmod=sha256)

    def of(self, tenant: str, kind: str, value: str) -> str:
        """The pseudonym of a value of a kind within a tenant; parts are length-prefixed, so none collide."""
        keyed = self._keyed.copy()
        for part in (tenant, kind, value):
            raw = part.encode("utf-8", "surrogatepass")
            keyed.update(len(raw).to_bytes(4, "big"))
            keyed.update(raw)
        return keyed.hexdigest()[:32]

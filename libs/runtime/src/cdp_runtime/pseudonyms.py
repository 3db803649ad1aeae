"""Keyed hashes that stand for identifiers wherever personal data must not: keys, indexes, ledgers."""

from __future__ import annotations

import hmac
from collections.abc import Sequence
from hashlib import sha256


class Pseudonymizer:
    """HMAC-SHA-256 under one secret (the pepper), truncated to 128 bits and written as 32 hex digits.

    `former`: peppers that are no longer written with, the newest first; what was stored under them can still be
    looked up. `version` tells pseudonyms of different peppers apart where they are stored, and gives nothing away;
    `versions` has those of all.
    """

    def __init__(self, pepper: bytes, former: Sequence[bytes] = ()) -> None:
        self._current, *self._former = (_keyed(each) for each in (pepper, *former))
        self.versions = tuple(_of(each, "", "", "version")[:8] for each in (self._current, *self._former))
        self.version = self.versions[0]

    def of(self, tenant: str, kind: str, value: str) -> str:
        """The pseudonym of a value of a kind within a tenant; parts are length-prefixed, so none collide."""
        return _of(self._current, tenant, kind, value)

    def all_of(self, tenant: str, kind: str, value: str) -> tuple[str, ...]:
        """Every pseudonym that the value may be stored under, the current one first."""
        return self.of(tenant, kind, value), *self.former(tenant, kind, value)

    def former(self, tenant: str, kind: str, value: str) -> tuple[str, ...]:
        """What it was called under former peppers, the newest first."""
        return tuple(_of(keyed, tenant, kind, value) for keyed in self._former) if self._former else ()


def _keyed(pepper: bytes) -> hmac.HMAC:
    if len(pepper) < 16:
        raise ValueError("the pepper must have at least 16 bytes")
    return hmac.new(pepper, digestmod=sha256)


def _of(key: hmac.HMAC, *parts: str) -> str:
    keyed = key.copy()
    for part in parts:
        raw = part.encode("utf-8", "surrogatepass")
        keyed.update(len(raw).to_bytes(4, "big"))
        keyed.update(raw)
    return keyed.hexdigest()[:32]

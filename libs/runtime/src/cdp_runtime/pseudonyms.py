"""Keyed hashes that stand for identifiers wherever personal data must not: keys, indexes, ledgers."""

from __future__ import annotations

import hmac
from collections.abc import Sequence
from hashlib import sha256
from typing import Final

MOST_BEGUN: Final = 1000


class Pseudonymizer:
    """HMAC-SHA-256 under one secret (the pepper), truncated to 128 bits and written as 32 hex digits.

    `former`: peppers that are no longer written with, the newest first; what was stored under them can still be
    looked up. `version` tells pseudonyms of different peppers apart where they are stored, and gives nothing away;
    `versions` has those of all.
    """

    def __init__(self, pepper: bytes, former: Sequence[bytes] = ()) -> None:
        self._current, *self._former = (_Key(each) for each in (pepper, *former))
        self.versions = tuple(each.of("", "", "version")[:8] for each in (self._current, *self._former))
        self.version = self.versions[0]

    def of(self, tenant: str, kind: str, value: str) -> str:
        """The pseudonym of a value of a kind within a tenant; parts are length-prefixed, so none collide."""
        return self._current.of(tenant, kind, value)

    def all_of(self, tenant: str, kind: str, value: str) -> tuple[str, ...]:
        """Every pseudonym that the value may be stored under, the current one first."""
        return self.of(tenant, kind, value), *self.former(tenant, kind, value)

    def former(self, tenant: str, kind: str, value: str) -> tuple[str, ...]:
        """What it was called under former peppers, the newest first."""
        return tuple(key.of(tenant, kind, value) for key in self._former) if self._former else ()


class _Key:
    """One pepper. What is hashed of a tenant and a kind is kept, as every value of theirs begins with it."""

    def __init__(self, pepper: bytes) -> None:
        if len(pepper) < 16:
            raise ValueError("the pepper must have at least 16 bytes")
        self._keyed = hmac.new(pepper, digestmod=sha256)
        self._begun: dict[tuple[str, str], hmac.HMAC] = {}

    def of(self, tenant: str, kind: str, value: str) -> str:
        begun = self._begun.get((tenant, kind))
        if begun is None:
            begun = self._begin(tenant, kind)
        keyed = begun.copy()
        keyed.update(_counted(value))
        return keyed.hexdigest()[:32]

    def _begin(self, tenant: str, kind: str) -> hmac.HMAC:
        begun = self._keyed.copy()
        begun.update(_counted(tenant) + _counted(kind))
        if len(self._begun) >= MOST_BEGUN:  # senders make up kinds of their own
            self._begun.clear()
        self._begun[tenant, kind] = begun
        return begun


def _counted(part: str) -> bytes:
    raw = part.encode("utf-8", "surrogatepass")
    return len(raw).to_bytes(4, "big") + raw

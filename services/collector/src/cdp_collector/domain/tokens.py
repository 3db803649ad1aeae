"""What the edge keeps in a browser: a random id and the visit, signed. Nothing in it says who the visitor is."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from hmac import compare_digest
from typing import Final

from cdp_runtime.pseudonyms import Pseudonymizer

FORM: Final = re.compile(
    r"([0-9a-f]{8})\.([0-9a-f]{32})\.([0-9]{1,12})\.([0-9a-f]{32})\.([0-9]{1,12})\.([0-9]{1,12})\.([0-9a-f]{32})"
)


@dataclass(frozen=True, slots=True)
class Token:
    """A browser's id, its visit, and when each began and the visit went on last; times in seconds since 1970."""

    id: str
    born: int
    visit: str
    started: int
    seen: int

    @property
    def text(self) -> str:
        """What is signed."""
        return f"{self.id}.{self.born}.{self.visit}.{self.started}.{self.seen}"


class Signer:
    """Signs and reads tokens by HMAC-SHA-256. The first key signs, every key reads.

    A token holds for one tenant and source; it names its key, so that keys can be changed.
    """

    def __init__(self, keys: Sequence[bytes]) -> None:
        keyed = [Pseudonymizer(key) for key in keys]
        self._first = keyed[0]
        self._by_version = {each.version: each for each in reversed(keyed)}

    def sign(self, token: Token, tenant: str, source: str) -> str:
        """The token as it is given to a browser: digits and dots, about 170 characters."""
        mac = self._first.of(tenant, _kind(source), token.text)
        return f"{self._first.version}.{token.text}.{mac}"

    def read(self, given: str, tenant: str, source: str) -> Token | None:
        """The token, if it was signed for this source with a key that is known. Compares in constant time."""
        found = FORM.fullmatch(given)
        if found is None:
            return None
        version, name, born, visit, started, seen, mac = found.groups()
        key = self._by_version.get(version)
        token = Token(name, int(born), visit, int(started), int(seen))
        if key is None or not compare_digest(key.of(tenant, _kind(source), token.text), mac):
            return None
        return token


def _kind(source: str) -> str:
    return f"visitor-token/{source}"

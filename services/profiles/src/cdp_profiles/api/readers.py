"""Who may read, and the line in the log that says they did."""

from __future__ import annotations

import logging
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Final

from cdp_runtime.access import Tokens
from cdp_runtime.rates import Rates

from cdp_profiles.api.problems import too_many, unauthorized
from cdp_profiles.settings import ReadToken

log: Final = logging.getLogger("cdp.access")


@dataclass(frozen=True, slots=True)
class Reader:
    """Somebody with a token. `name` tells tokens apart in the log."""

    name: str
    tenant: str
    masked: bool


class Readers:
    """All who may read, each so often."""

    def __init__(self, tokens: Iterable[ReadToken], rates: Rates) -> None:
        self._tokens = Tokens((token.token, token) for token in tokens)
        self._rates = rates

    def of(self, token: str | None) -> Reader:
        """Whose token it is. Raises the problem to answer: an unknown token, or one that asks too often."""
        holder = self._tokens.of(token)
        if holder is None:
            raise unauthorized()
        wait = self._rates.wait(holder.name)
        if wait:
            raise too_many(wait)
        return Reader(holder.name, holder.grant.tenant, holder.grant.role == "masked")


def record_access(reader: Reader, by: str, status: int, profile_id: str | None) -> None:
    """Say who read which profile; never by which value they found it."""
    log.info(
        "reader=%s tenant=%s by=%s status=%d profile=%s", reader.name, reader.tenant, by, status, profile_id or "-"
    )

"""Who may read what, and the line in the log that says they did."""

from __future__ import annotations

import logging
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Annotated, Final, Literal, NamedTuple, TypeAlias

from cdp_runtime.access import Tokens
from cdp_runtime.rates import Rates
from fastapi import Depends, Header
from fastapi.security import HTTPAuthorizationCredentials, HTTPBearer

from cdp_profiles.api.problems import not_for_export, too_many, unauthorized, wrong_purpose
from cdp_profiles.domain.profile import Profile
from cdp_profiles.settings import PURPOSE, ReadToken

log: Final = logging.getLogger("cdp.access")

Values: TypeAlias = Literal["shown", "masked", "withheld"]


class Credentials(NamedTuple):
    """What a request says of who asks, and what for."""

    token: str | None
    purpose: str | None


async def credentials(
    token: Annotated[HTTPAuthorizationCredentials | None, Depends(HTTPBearer(auto_error=False))],
    purpose: Annotated[
        str | None,
        Header(alias="X-Purpose", pattern=PURPOSE, description="what the data is read for, such as analytics"),
    ] = None,
) -> Credentials:
    """Taken from the headers. A coroutine, for the framework runs anything else in a thread."""
    return Credentials(token.credentials if token else None, purpose)


Asking: TypeAlias = Annotated[Credentials, Depends(credentials)]


@dataclass(frozen=True, slots=True)
class Reader:
    """Somebody with a token. `name` tells tokens apart in the log."""

    name: str
    tenant: str
    masked: bool = False
    purpose: str | None = None

    @property
    def view(self) -> tuple[str, str]:
        """What the answers depend on besides the profile."""
        return "masked" if self.masked else "full", self.purpose or ""

    def values_of(self, profile: Profile) -> Values:
        """Whether values are shown, masked for the role, or withheld: the person does not allow the purpose."""
        if self.masked:
            return "masked"
        allowed = profile.joined.allowed
        fits = self.purpose is None or (allowed is not None and self.purpose in allowed.purposes)
        return "shown" if fits else "withheld"


class Readers:
    """All who may read, each so often."""

    def __init__(self, tokens: Iterable[ReadToken], rates: Rates) -> None:
        self._tokens = Tokens((token.token, token) for token in tokens)
        self._rates = rates

    def of(self, asking: Credentials, *, export: bool = False) -> Reader:
        """Who asks. Raises the problem to answer: an unknown token, a purpose it is not for, or too often."""
        holder = self._tokens.of(asking.token)
        if holder is None:
            raise unauthorized()
        wait = self._rates.wait(holder.name)
        if wait:
            raise too_many(wait)
        grant = holder.grant
        if grant.purposes and asking.purpose not in grant.purposes:
            raise wrong_purpose()
        if export and not grant.export:
            raise not_for_export()
        return Reader(holder.name, grant.tenant, grant.role == "masked", asking.purpose)


def record_access(reader: Reader, by: str, status: int, profile_id: str | None) -> None:
    """Say who read which profile, and what for; never by which value they found it."""
    log.info(
        "reader=%s tenant=%s by=%s status=%d profile=%s purpose=%s",
        reader.name, reader.tenant, by, status, profile_id or "-", reader.purpose or "-",
    )  # fmt: skip

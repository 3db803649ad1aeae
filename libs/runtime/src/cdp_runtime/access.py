"""Who holds which bearer token, told in constant time."""

from __future__ import annotations

import hmac
import json
from collections.abc import Iterable
from dataclasses import dataclass
from hashlib import sha256
from typing import Final, Generic, TypeVar

from cdp_contracts.envelope import Tenant
from pydantic import BaseModel, ConfigDict, Field, SecretStr

T = TypeVar("T")

SHORTEST: Final = 8


class ReadToken(BaseModel):
    """A bearer token, and the tenant whose data it opens."""

    model_config = ConfigDict(frozen=True, extra="forbid", hide_input_in_errors=True)

    token: SecretStr = Field(min_length=SHORTEST)
    tenant: Tenant


@dataclass(frozen=True, slots=True)
class Holder(Generic[T]):
    """Somebody with a token. `name` is the beginning of the token's SHA-256: it tells tokens apart in logs."""

    name: str
    grant: T


class Tokens(Generic[T]):
    """All tokens that open something, and what each opens."""

    def __init__(self, grants: Iterable[tuple[SecretStr, T]]) -> None:
        self._known = [
            (digest, Holder(digest.hex()[:8], grant))
            for token, grant in grants
            for digest in [sha256(token.get_secret_value().encode()).digest()]
        ]

    def of(self, token: str | None) -> Holder[T] | None:
        """Whose token it is; nobody's when there is none. Takes the same time whether it is known or not."""
        digest = sha256((token or "").encode("utf-8", "surrogatepass")).digest()
        found = None
        for known, holder in self._known:
            if hmac.compare_digest(known, digest):
                found = holder
        return found if token else None


def parse_tokens(value: object) -> object:
    """Read a setting `{"<token>": "<tenant>" or {"tenant": …}}`. Errors do not repeat its secret text."""
    if not isinstance(value, str):
        return value
    try:
        grants = json.loads(value or "{}")
    except ValueError:
        raise ValueError("must be JSON") from None
    if not isinstance(grants, dict):
        raise ValueError("must be a JSON object of tokens")  # noqa: TRY004  # what pydantic reports
    return tuple(
        {"token": token, **(grant if isinstance(grant, dict) else {"tenant": grant})}
        for token, grant in grants.items()
    )

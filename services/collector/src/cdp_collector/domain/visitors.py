"""Whether a request's browser is known by its cookie, whether that may be asked at all, and what it keeps next."""

from __future__ import annotations

from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from hashlib import sha256
from typing import Final, Literal, TypeAlias

from cdp_contracts.definitions_v1 import FirstParty, SourceDefined
from cdp_contracts.envelope import derived_id
from cdp_contracts.events_v1 import Visit
from pydantic import JsonValue

from cdp_collector.domain.consent import read_choices
from cdp_collector.domain.tokens import Signer, Token

Outcome: TypeAlias = Literal["new", "known", "expired", "tampered", "refused", "foreign", "no-key"]

FIRST_PARTY: Final = "first-party:"
"""How an id begins that the edge gave, so that no sender's own can be taken for one."""
ATTRIBUTES: Final = "Path=/; Secure; HttpOnly; SameSite=Lax"
PREFIX: Final = "__Host-cdp-"
"""Browsers let nobody but this very host set a cookie of such a name: no other subdomain can plant one."""


@dataclass(frozen=True, slots=True)
class Reception:
    """What a request's cookie is worth, the answer's `Set-Cookie`, and what goes on the events that allow it."""

    outcome: Outcome
    cookie: str | None = None
    first_party_id: str | None = None
    visit: Visit | None = None


@dataclass(frozen=True, slots=True)
class Visitors:
    """Receives browsers. Pure but for the ids that `mint` makes. Without a `signer`, nobody is known."""

    signer: Signer | None
    mint: Callable[[], str]
    lifetime: timedelta
    rest: timedelta
    """Without a request for so long, a visit is over."""

    def receive(
        self,
        source: SourceDefined,
        *,
        origin: str | None,
        cookies: str,
        answers: Collection[bool | None],
        now: datetime,
    ) -> Reception | None:
        """What becomes of the cookie; None if this source keeps none, or nobody allowed it to be looked at.

        `answers` is what each event of the request says (`answer_of`). One refusal outweighs all: the cookie is
        taken back. An id counts from the request on that brings its cookie: what cannot keep one has no id.
        """
        if source.first_party is None or origin is None:
            return None
        if origin not in source.first_party.origins:
            return FOREIGN
        name = cookie_name(source)
        given = values_of(cookies, name)
        if False in answers:
            return Reception("refused", f"{name}=; Max-Age=0; {ATTRIBUTES}" if given else None)
        if True not in answers:
            return None
        return self._received(self.signer, source, given, int(now.timestamp())) if self.signer else NO_KEY

    def _received(self, signer: Signer, source: SourceDefined, given: Sequence[str], now: int) -> Reception:
        token = signer.read(given[0], source.tenant, source.name) if len(given) == 1 else None
        expired = token is not None and self._left(token, now) <= 0
        if token is None or expired:
            outcome: Outcome = "expired" if expired else "tampered" if given else "new"
            made = new_token(self.mint().replace("-", ""), now)
            return Reception(outcome, self._cookie(signer, source, made, now))
        renewed = self._renewed(token, now)
        since = datetime.fromtimestamp(renewed.started, UTC) - self.rest
        return Reception(
            "known",
            self._cookie(signer, source, renewed, now),
            first_party_id=FIRST_PARTY + token.id,
            visit=Visit(id=renewed.visit, since=since),
        )

    def _renewed(self, token: Token, now: int) -> Token:
        """The token after a request. A visit's id follows from the one before: requests at once agree on it."""
        if now - token.seen < self.rest.total_seconds():
            return replace(token, seen=max(now, token.seen))
        return replace(token, visit=derived_id(f"{token.visit}/{token.seen}", "visit").hex, started=now, seen=now)

    def _cookie(self, signer: Signer, source: SourceDefined, token: Token, now: int) -> str:
        signed = signer.sign(token, source.tenant, source.name)
        return f"{cookie_name(source)}={signed}; Max-Age={self._left(token, now)}; {ATTRIBUTES}"

    def _left(self, token: Token, now: int) -> int:
        """Seconds to live, from birth on: coming back makes it no longer."""
        return token.born + int(self.lifetime.total_seconds()) - now


FOREIGN: Final = Reception("foreign")
NO_KEY: Final = Reception("no-key")


def new_token(name: str, now: int) -> Token:
    """The token of a browser that was never seen."""
    return Token(name, now, derived_id(name, "visit").hex, now, now)


def cookie_name(source: SourceDefined) -> str:
    """One a source, so that two of them behind one host keep their own."""
    return PREFIX + sha256(source.id.encode()).hexdigest()[:12]


def values_of(cookies: str, name: str) -> list[str]:
    """The values under a name in a `Cookie` header. A browser sends one; of several none is to be trusted."""
    pairs = (part.strip().partition("=") for part in cookies.split(";"))
    return [value for key, _, value in pairs if key == name]


def answer_of(consent: JsonValue, rule: FirstParty | None, *, gpc: bool) -> bool | None:
    """Whether an event allows a cookie: True, False, or None if it does not say all that is needed, legibly."""
    if rule is None:
        return None
    return False if gpc else allowed(consent, rule.consent)


def allowed(consent: JsonValue, names: Collection[str]) -> bool | None:
    """Whether a consent object says yes to all of these names, in any case: one no is a no, any gap is silence."""
    choices, _ = read_choices(consent)
    wanted = {name.strip().casefold() for name in names}
    said = [(name.strip().casefold(), yes) for name, yes in (choices or {}).items()]
    if any(name in wanted and not yes for name, yes in said):
        return False
    return True if wanted <= {name for name, _ in said} else None

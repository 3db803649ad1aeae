"""What somebody decided about two identifiers: that they are one person's, or never may be."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final, Literal
from uuid import UUID

from cdp_contracts.matches_v1 import MatchDecided

from cdp_identity.domain.entities import veto_of
from cdp_identity.domain.identifiers import Identifier, Sign
from cdp_identity.domain.rules import SHIPPED, SUBJECT, RuleBook, Rules
from cdp_identity.domain.sightings import Sighting

MATCHER: Final = "matcher"


@dataclass(frozen=True, slots=True)
class Verdict:
    """A decision with an id of its own, who took it (`by`, no personal data) and when (epoch ms)."""

    id: UUID
    tenant: str
    first: Identifier
    other: Identifier
    says: Literal["link", "do-not-link"]
    by: str
    at: int
    rules: Rules = SHIPPED

    @property
    def veto(self) -> tuple[str, str]:
        """What either side is marked with, so that no union ever has both."""
        return veto_of(self.id, self.at, "+"), veto_of(self.id, self.at, "-")

    @property
    def is_a_persons(self) -> bool:
        """Whether somebody took it, not the matcher by itself."""
        return self.by != MATCHER

    @classmethod
    def of(cls, decided: MatchDecided, book: RuleBook) -> Verdict:
        """What a message says, by the rules in force when it was said. It tells no kinds of identifiers."""
        first, other = (Identifier(SUBJECT, pseudonym) for pseudonym in decided.identifiers)
        return cls(
            id=decided.id,
            tenant=decided.tenant,
            first=first,
            other=other,
            says="link" if decided.verdict == "same" else "do-not-link",
            by=decided.by,
            at=int(decided.received_at.timestamp() * 1000),
            rules=book.in_force(decided.tenant, decided.received_at),
        )

    def sighting(self) -> Sighting:
        """The verdict as evidence like any other: held against the same limits."""
        rule: Literal["match", "do-not-link"] = "match" if self.says == "link" else "do-not-link"
        signs = (Sign(self.first), Sign(self.other, rule))
        return Sighting(self.id, self.tenant, "match", self.at, signs, self.rules, by=self.by)

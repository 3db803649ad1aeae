"""What somebody decided about two identifiers: that they are one person's, or never may be."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal
from uuid import UUID

from cdp_identity.domain.identifiers import Identifier, Sign
from cdp_identity.domain.rules import SHIPPED, Rules
from cdp_identity.domain.sightings import Sighting


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
        return f"{self.id}+", f"{self.id}-"

    def sighting(self) -> Sighting:
        """The verdict as evidence like any other: held against the same limits."""
        rule: Literal["match", "do-not-link"] = "match" if self.says == "link" else "do-not-link"
        signs = (Sign(self.first), Sign(self.other, rule))
        return Sighting(self.id, self.tenant, "match", self.at, signs, self.rules, by=self.by)

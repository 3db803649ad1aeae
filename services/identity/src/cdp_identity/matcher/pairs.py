"""Two persons who may be one, as the matcher keeps them: a record of its own."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Any, Final, Literal, Self, TypeAlias

from cdp_runtime.records import Record, State

Status: TypeAlias = Literal["open", "same", "different"]

MATCHER: Final = "matcher"
ENDS: Final = ("profile", "other")
"""Where a proposal says whom it is about."""


class Pair(Record):
    """Two persons who may be one: what was proposed, and what was decided."""

    def __init__(self, id: str) -> None:  # noqa: A002
        super().__init__(id)
        self.status: Status | None = None
        self.proposal: dict[str, Any] = {}
        self.by = ""
        self.decided_at = 0

    @property
    def tenant(self) -> str:
        """Whose persons they are."""
        return self.id.split("/", 1)[0]

    def is_news(self, band: str) -> bool:
        """Whether to say so: not if a verdict was given, and again only if nobody has to be asked any more."""
        return self.status is None or (self.status == "open" and band == "auto" != self.proposal.get("band"))

    def propose(self, message: object, now: datetime, proposal: dict[str, Any]) -> None:
        """Keep what was proposed; a message's proposal once."""
        if not self.seen(str(message)):
            if self.status in {None, "open"}:
                self.status, self.proposal = "open", proposal
            self.remember(str(message), now)

    def decide(self, message: object, now: datetime, verdict: Status, by: str, at: int) -> None:
        """Keep a verdict; of two the later one, and a person's rather than the matcher's. Safe twice."""
        if self.seen(str(message)):
            return
        rank = (by != MATCHER, at)
        if self.status in {None, "open"} or rank >= (self.by != MATCHER, self.decided_at):
            self.status, self.by, self.decided_at = verdict, by, at
        self.remember(str(message), now)

    def adopt(self, other: Pair, proposal: dict[str, Any]) -> None:
        """Be what another pair was, in these words, unless this one was decided."""
        if self.status in {None, "open"}:
            self.status, self.proposal, self.by, self.decided_at = (
                other.status,
                proposal,
                other.by,
                other.decided_at,
            )
            self.touch()

    def withdraw(self) -> None:
        """Ask nobody any more; they may be proposed again."""
        self.status, self.proposal = None, {}
        self.touch()

    @classmethod
    def from_state(cls, id: str, state: State) -> Self:  # noqa: A002
        """See Record."""
        pair = cls(id)
        pair.status, pair.proposal = state["status"], dict(state["proposal"])
        pair.by, pair.decided_at = state["by"], state["decided_at"]
        return pair

    def to_state(self) -> State:
        """See Record."""
        score = self.proposal.get("score", 0.0)
        return {
            "tenant": self.tenant, "status": self.status, "score": score, "proposal": self.proposal,
            "by": self.by, "decided_at": self.decided_at,
        }  # fmt: skip


def pair_id(tenant: str, one: str, other: str) -> str:
    """The one id of two persons, whichever is named first."""
    first, second = sorted((one, other))
    return f"{tenant}/{first}.{second}"


def pair_of(tenant: str, said: Mapping[str, Any]) -> str:
    """The id of the two of whom something is said."""
    return pair_id(tenant, *(said[end] for end in ENDS))


def ends_of(tenant: str, said: Mapping[str, Any]) -> list[str]:
    """The ids of their entries."""
    return [f"{tenant}/{said[end]}" for end in ENDS]

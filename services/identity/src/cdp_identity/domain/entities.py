"""Entities, the persons of the graph, and every state they can take. Each change raises `ver` by one.

An entity only ever grows until it is merged: what broke a limit once breaks it for ever. The union
protocol relies on that.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Iterable
from dataclasses import dataclass, replace
from typing import Final, Literal, TypeAlias
from uuid import UUID

from cdp_identity.domain.identifiers import Identifier, Kind, Rule

State: TypeAlias = Literal["active", "merging", "merged"]

# Constants and no settings: workers that disagreed about a limit could undo each other's merges.
LIMITS: Final[dict[Kind, int]] = {"user_id": 1, "email": 5}
MAX_IDENTIFIERS: Final = 1000
MAX_MERGES: Final = 100


def pair_of(first: str, other: str) -> str:
    """The key of two identifiers seen together."""
    return f"{first}.{other}"


@dataclass(frozen=True, slots=True)
class Link:
    """Why two identifiers are taken for one person, and the event that said so. `seen_at` in epoch ms."""

    tenant: str
    event: UUID
    rule: Rule
    first: str
    other: str
    source: str
    seen_at: int

    @property
    def pair(self) -> str:
        """The two identifiers as one key."""
        return pair_of(self.first, self.other)


@dataclass(frozen=True, slots=True)
class Merge:
    """A merge that no one can take back: the survivor holds it."""

    absorbed: UUID
    survivor: UUID
    link: Link


@dataclass(frozen=True, slots=True)
class Refusal:
    """Two entities that share an event but stay apart: the limit that one entity would break."""

    profile_id: UUID
    other: UUID
    limit: str
    link: Link


@dataclass(frozen=True, slots=True)
class Entity:
    """A person. `claims` are its identifiers of limited kinds; `size` counts all, and never too few.

    `absorbed` holds every merge below it, its own and those of the entities it absorbed.
    """

    id: UUID
    tenant: str
    born: int
    ver: int = 1
    state: State = "active"
    into: UUID | None = None
    link: Link | None = None
    claims: frozenset[Identifier] = frozenset()
    size: int = 0
    absorbed: tuple[Merge, ...] = ()

    @property
    def age(self) -> tuple[int, UUID]:
        """The one fixed order in which entities survive: the oldest first. It makes cycles impossible."""
        return self.born, self.id

    def has_absorbed(self, ids: Iterable[UUID]) -> bool:
        """Whether all of these became part of it."""
        return {merge.absorbed for merge in self.absorbed}.issuperset(ids)

    def merges_by(self, event: UUID) -> tuple[Merge, ...]:
        """The merges that an event brought about."""
        return tuple(merge for merge in self.absorbed if merge.link.event == event)

    def limit_against(self, other: Entity) -> str | None:
        """The limit that the two would break as one, such as user_id:1; None if they may merge."""
        merges = len(self.absorbed) + len(other.absorbed) + 1
        return broken_limit(self.claims | other.claims, self.size + other.size, merges)

    def limit_against_new(self, identifiers: Collection[Identifier]) -> str | None:
        """The limit that it would break with these identifiers added; None if it may have them."""
        claims = self.claims.union(limited(identifiers))
        return broken_limit(claims, self.size + len(identifiers), len(self.absorbed))

    def claiming(self, identifiers: Collection[Identifier]) -> Entity:
        """It, with these identifiers added. They are to point to it only after this is stored."""
        claims = self.claims.union(limited(identifiers))
        return replace(self, ver=self.ver + 1, claims=claims, size=self.size + len(identifiers))

    def frozen(self, into: UUID, link: Link) -> Entity:
        """It, on its way into another: nothing can be added to it any more."""
        return replace(self, ver=self.ver + 1, state="merging", into=into, link=link)

    def thawed(self) -> Entity:
        """It, when the other has meanwhile become one that it must not be part of."""
        return replace(self, ver=self.ver + 1, state="active", into=None, link=None)

    def absorbing(self, loser: Entity) -> Entity:
        """It, with all that a frozen entity holds. From here on the merge is a fact."""
        if loser.link is None:
            raise ValueError("only a frozen entity can be absorbed")
        merge = Merge(loser.id, self.id, loser.link)
        return replace(
            self,
            ver=self.ver + 1,
            claims=self.claims | loser.claims,
            size=self.size + loser.size,
            absorbed=(*self.absorbed, *loser.absorbed, merge),
        )

    def merged(self, into: UUID) -> Entity:
        """It, as a redirect, which stays for ever."""
        return replace(self, ver=self.ver + 1, state="merged", into=into)


def limited(identifiers: Iterable[Identifier]) -> frozenset[Identifier]:
    """Those of a kind that a person may have only so many of."""
    return frozenset(identifier for identifier in identifiers if identifier.kind in LIMITS)


def broken_limit(claims: frozenset[Identifier], size: int, merges: int) -> str | None:
    """The first limit broken, as kind:number; None if none is."""
    held = Counter(identifier.kind for identifier in claims)
    for kind, most in LIMITS.items():
        if held[kind] > most:
            return f"{kind}:{most}"
    if size > MAX_IDENTIFIERS:
        return f"identifiers:{MAX_IDENTIFIERS}"
    return f"merges:{MAX_MERGES}" if merges > MAX_MERGES else None

"""What the graph asks of a store: tiny operations, each atomic for one document. No transaction, no lock."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from typing import Protocol
from uuid import UUID

from cdp_identity.domain.entities import Entity, Link, Refusal
from cdp_identity.domain.identifiers import Identifier
from cdp_identity.domain.splitting import Split
from cdp_identity.store.history import History


@dataclass(frozen=True, slots=True)
class Pointer:
    """Whose an identifier is: an entity, or one that redirects to it."""

    identifier: Identifier
    tenant: str
    entity: UUID


class GraphStore(Protocol):
    """Pointers, entities, links and refusals. Each call is one round trip; all raise when the store is away.

    Reads see every write that has returned. `add_*` insert what is absent, leave alone what is there and
    return the keys that were there.
    """

    async def pointers(self, pseudonyms: Collection[str]) -> dict[str, UUID]:
        """The entity that each identifier points to; unknown ones are left out."""
        ...

    async def add_pointers(self, pointers: Sequence[Pointer]) -> set[str]:
        """Point identifiers for the first time."""
        ...

    async def repoint(self, moves: Sequence[tuple[str, UUID, UUID]]) -> None:
        """Move identifiers (pseudonym, from, to) that still point to where they did."""
        ...

    async def entities(self, ids: Collection[UUID]) -> dict[UUID, Entity]:
        """The entities of these ids; unknown ones are left out."""
        ...

    async def add_entities(self, entities: Sequence[Entity]) -> set[UUID]:
        """Store new entities."""
        ...

    async def swap(self, entity: Entity) -> bool:
        """Compare and set: store this if what is stored is exactly one `ver` older; whether it was."""
        ...

    async def add_links(self, links: Sequence[Link]) -> None:
        """Append evidence, each pair and event once."""
        ...

    async def refusals(self, keys: Collection[str]) -> dict[str, Refusal]:
        """What was refused under these keys, each a pair of identifiers and a limit."""
        ...

    async def add_refusals(self, refusals: Sequence[Refusal]) -> set[str]:
        """Note refusals, each pair of identifiers and limit once."""
        ...

    async def asked(self, pseudonyms: Collection[str], since: int) -> dict[str, int]:
        """How many other identifiers each was refused to by links after a moment (epoch ms); none: left out."""
        ...

    async def members(self, tenant: str, entities: Collection[UUID]) -> list[Pointer]:
        """The identifiers that point to any of these."""
        ...

    async def links_of(self, pseudonyms: Collection[str]) -> list[Link]:
        """All evidence about these identifiers, also that which counts no more, oldest first."""
        ...

    async def revert(self, links: Collection[Link], unmerge: UUID) -> None:
        """Note on links that an unmerge took them back, unless one had before."""
        ...

    async def add_splits(self, splits: Sequence[Split]) -> None:
        """Note what is about to be split. It came to pass if the entity that keeps its id says so."""
        ...

    async def splits(self, unmerge: UUID) -> list[Split]:
        """What was about to be split because of an unmerge."""
        ...

    async def history(self, tenant: str, most: int) -> History:
        """The oldest so many links of a tenant, and what has become of them."""
        ...

    async def ping(self) -> None:
        """Raise if the store does not answer."""
        ...

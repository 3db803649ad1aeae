"""A person as the graph knows them: identifiers, the evidence that holds them together, what was refused."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from uuid import UUID

from cdp_identity.domain.entities import Entity, Link
from cdp_identity.domain.evidence import counting
from cdp_identity.domain.identifiers import Identifier
from cdp_identity.domain.rules import SUBJECT
from cdp_identity.store.partings import members_of, whose
from cdp_identity.store.ports import GraphStore
from cdp_identity.store.unions import Unions
from cdp_identity.store.view import PointerCache, View


class Unknown(LookupError):  # noqa: N818
    """The graph has never seen this identifier or person."""


@dataclass(frozen=True, slots=True)
class Portrait:
    """A person's entity, its identifiers (oldest first), and all links about them, also reverted ones."""

    entity: Entity
    members: Sequence[Identifier]
    links: Sequence[Link]

    @property
    def names(self) -> Collection[str]:
        """The pseudonyms of its identifiers."""
        return {identifier.pseudonym for identifier in self.members}

    @property
    def evidence(self) -> list[Link]:
        """The links that hold it together, oldest first."""
        return counting(self.links, self.names)


async def portrait_of(store: GraphStore, tenant: str, name: str) -> Portrait:
    """The person of an identifier, by pseudonym. Unknown as there, also if it is another tenant's."""
    view, identifier = View(store, PointerCache(0)), Identifier(SUBJECT, name)
    await view.load([identifier])
    if view.pointer(identifier) is None:
        raise Unknown
    return await _portrait(view, tenant, await whose(view, identifier))


async def portrait_of_person(store: GraphStore, tenant: str, person: UUID) -> Portrait:
    """A person by id, or whoever has absorbed it since. Unknown as there."""
    if not await store.entities([person]):
        raise Unknown
    view = View(store, PointerCache(0))
    return await _portrait(view, tenant, await view.root(person))


async def _portrait(view: View, tenant: str, entity: Entity) -> Portrait:
    if entity.tenant != tenant:
        raise Unknown
    entity = await Unions(view).active(entity.id)
    members = await members_of(view, entity)
    return Portrait(entity, members, await view.store.links_of([member.pseudonym for member in members]))

"""What one pass over the graph has read: each thing once, and nothing older than the pass."""

from __future__ import annotations

import asyncio
from collections import OrderedDict
from collections.abc import Awaitable, Callable, Coroutine, Iterable, Sequence
from typing import Any, TypeAlias
from uuid import UUID

from cdp_identity.domain.entities import Entity, Link
from cdp_identity.domain.identifiers import Identifier
from cdp_identity.store.ports import GraphStore, Pointer

Beside: TypeAlias = Callable[..., Awaitable[Sequence[Any]]]


async def side_by_side(*actions: Coroutine[Any, Any, Any]) -> Sequence[Any]:
    """Do all at once; what each gave. If any fails, all have ended before that is raised."""
    done = await asyncio.gather(*actions, return_exceptions=True)
    for each in done:
        if isinstance(each, BaseException):
            raise each
    return done


class PointerCache:
    """The identifiers used last and where they pointed.

    A stale one is harmless: entities redirect for ever, and remember whom they were parted from.
    """

    def __init__(self, size: int) -> None:
        self._size = size
        self._pointers: OrderedDict[Identifier, UUID] = OrderedDict()

    def get(self, identifier: Identifier) -> UUID | None:
        """Where it pointed when it was last read, if that is remembered."""
        entity = self._pointers.get(identifier)
        if entity is not None:
            self._pointers.move_to_end(identifier)
        return entity

    def put(self, identifier: Identifier, entity: UUID) -> None:
        """Remember where it points."""
        self._pointers[identifier] = entity
        self._pointers.move_to_end(identifier)
        if len(self._pointers) > self._size:
            self._pointers.popitem(last=False)


class View:
    """Pointers and entities of one pass, read through to the store.

    Pointers may come from the cache. Entities never do, and are always read after the pointers that lead to
    them, and a root is read again if it does not know of a redirect on the way to it. So a root always tells
    every merge that its identifiers have gone through, whoever finished it.
    """

    def __init__(self, store: GraphStore, cache: PointerCache, beside: Beside = side_by_side) -> None:
        self.store = store
        self._cache = cache
        self._beside = beside
        self._pointers: dict[Identifier, UUID] = {}
        self._entities: dict[UUID, Entity] = {}
        self.marked = False  # whether any identifier of this pass may be shared or blocked

    async def load(self, identifiers: Iterable[Identifier]) -> None:
        """Read what leads from these identifiers to their roots: one trip each for pointers and entities.

        The entities of those whose pointers are cached are read beside the pointers of the others. Each redirect
        on the way costs a trip for all of them together.
        """
        unread: list[Identifier] = []
        for identifier in dict.fromkeys(identifiers):
            entity = self._cache.get(identifier)
            if entity is None:
                unread.append(identifier)
            else:
                self._pointers[identifier] = entity
        cached = set(self._pointers.values()) - self._entities.keys()
        if unread and cached:
            await self._beside(self._read_pointers(unread), self._read_entities(cached))
            # Entities are never older than the pointers to them: these may have been read before.
            self.forget(self._pointers[identifier] for identifier in unread if identifier in self._pointers)
        else:
            await self._read_pointers(unread)
        await self._read_entities(self._pointers.values())

    def pointer(self, identifier: Identifier) -> UUID | None:
        """Where the identifier points; None if it is new."""
        return self._pointers.get(identifier)

    async def entity(self, entity_id: UUID) -> Entity:
        """An entity as it was when this pass read it."""
        if entity_id not in self._entities:
            await self._read_entities((entity_id,))
        return self._entities[entity_id]

    async def person(self, identifier: Identifier) -> Entity | None:
        """Whose the identifier is; None if it is new."""
        entity = self._pointers.get(identifier)
        return None if entity is None else await self.root(entity, identifier.pseudonym)

    async def root(self, entity_id: UUID, pseudonym: str = "") -> Entity:
        """Where the redirects lead: an active entity, or one on its way into another.

        An identifier is also followed to where it was parted; only ever to where it was parted later, for what was
        parted may have come back by a merge.
        """
        known = self._entities.get(entity_id)
        if known is not None and known.state == "active" and not known.parted:
            return known  # as nearly always: every identifier of an event asks several times
        trail: list[UUID] = []
        epoch = 0
        entity = await self.entity(entity_id)
        while True:
            away = entity.parted.get(pseudonym)
            leaves = away is not None and away.epoch > epoch
            if entity.into and entity.state == "merged" and not leaves:
                trail.append(entity.id)
                entity = await self.entity(entity.into)
            elif trail and not entity.has_absorbed(trail):  # read before the merges that lead to it
                self.forget((entity.id,))
                entity = await self.entity(entity.id)
            elif away is not None and leaves:
                epoch, trail = away.epoch, []
                entity = await self.entity(away.entity)
            else:
                return entity

    async def swap(self, entity: Entity) -> bool:
        """Compare and set; who loses reads the entity again when it is next asked for."""
        if await self.store.swap(entity):
            self._entities[entity.id] = entity
            return True
        self.forget((entity.id,))
        return False

    async def bear(self, entities: Sequence[Entity], links: Sequence[Link] = ()) -> set[UUID]:
        """Store new entities; those that were there already are returned and will be read.

        Evidence may be stored beside them: nothing leads to them yet.
        """
        there: set[UUID]
        if links:
            there, _ = await self._beside(self.store.add_entities(entities), self.store.add_links(links))
        else:
            there = await self.store.add_entities(entities)
        self._entities.update((entity.id, entity) for entity in entities if entity.id not in there)
        return there

    async def point(self, pointers: Sequence[Pointer]) -> None:
        """Point new identifiers. Whom another worker has pointed meanwhile stays there, and is read."""
        if not pointers:
            return
        there = await self.store.add_pointers(pointers)
        lost: list[Identifier] = []
        for pointer in pointers:
            if pointer.identifier.pseudonym in there:
                lost.append(pointer.identifier)
            else:
                self._remember(pointer.identifier, pointer.entity)
        await self._read_pointers(lost)
        self.forget(self._pointers[identifier] for identifier in lost)

    def forget(self, ids: Iterable[UUID]) -> None:
        """Read these entities again when they are next asked for."""
        for entity_id in ids:
            self._entities.pop(entity_id, None)

    async def compress(self) -> None:
        """Point every identifier of this pass straight at its root, so that the next pass is one hop."""
        roots = {
            identifier: (await self.root(entity, identifier.pseudonym)).id
            for identifier, entity in self._pointers.items()
        }
        moved = {identifier: root for identifier, root in roots.items() if root != self._pointers[identifier]}
        if not moved:
            return
        await self.store.repoint([(i.pseudonym, self._pointers[i], root) for i, root in moved.items()])
        for identifier, root in moved.items():  # not before: what is cached as moved is not moved again
            self._cache.put(identifier, root)

    async def _read_pointers(self, identifiers: Sequence[Identifier]) -> None:
        if not identifiers:
            return
        found = await self.store.pointers([identifier.pseudonym for identifier in identifiers])
        for identifier in identifiers:
            if identifier.pseudonym in found:
                self._remember(identifier, found[identifier.pseudonym])

    async def _read_entities(self, ids: Iterable[UUID]) -> None:
        wanted = set(ids) - self._entities.keys()
        while wanted:
            found = await self.store.entities(wanted)
            if len(found) < len(wanted):
                raise LookupError("an identifier or a redirect leads to an entity that is not stored")
            self._entities.update(found)
            self.marked = self.marked or any(entity.marks for entity in found.values())
            wanted = {entity.into for entity in found.values() if entity.into} - self._entities.keys()

    def _remember(self, identifier: Identifier, entity: UUID) -> None:
        self._pointers[identifier] = entity
        self._cache.put(identifier, entity)

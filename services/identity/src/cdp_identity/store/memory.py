"""The graph in this process, with the promises of the real store."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import replace
from typing import TypeVar
from uuid import UUID

from cdp_identity.domain.entities import Entity, Link, Refusal
from cdp_identity.domain.splitting import Split
from cdp_identity.store.history import History, Ways
from cdp_identity.store.ports import Pointer

K = TypeVar("K")
V = TypeVar("V")


class MemoryGraphStore:
    """See GraphStore."""

    def __init__(self) -> None:
        self.pointing: dict[str, Pointer] = {}
        self.population: dict[UUID, Entity] = {}
        self.evidence: dict[str, Link] = {}
        self.refused: dict[str, Refusal] = {}
        self.planned: dict[str, Split] = {}
        self._askers: dict[str, dict[str, int]] = {}

    async def pointers(self, pseudonyms: Collection[str]) -> dict[str, UUID]:
        """See GraphStore."""
        return {i: pointer.entity for i, pointer in _found(self.pointing, pseudonyms).items()}

    async def add_pointers(self, pointers: Sequence[Pointer]) -> set[str]:
        """See GraphStore."""
        return _add(self.pointing, {pointer.identifier.pseudonym: pointer for pointer in pointers})

    async def repoint(self, moves: Sequence[tuple[str, UUID, UUID]]) -> None:
        """See GraphStore."""
        for pseudonym, old, new in moves:
            pointer = self.pointing[pseudonym]
            if pointer.entity == old:
                self.pointing[pseudonym] = Pointer(pointer.identifier, pointer.tenant, new)

    async def entities(self, ids: Collection[UUID]) -> dict[UUID, Entity]:
        """See GraphStore."""
        return _found(self.population, ids)

    async def add_entities(self, entities: Sequence[Entity]) -> set[UUID]:
        """See GraphStore."""
        return _add(self.population, {entity.id: entity for entity in entities})

    async def swap(self, entity: Entity) -> bool:
        """See GraphStore."""
        stored = self.population.get(entity.id)
        if stored is None or stored.ver != entity.ver - 1:
            return False
        self.population[entity.id] = entity
        return True

    async def add_links(self, links: Sequence[Link]) -> None:
        """See GraphStore."""
        _add(self.evidence, {link.key: link for link in links})

    async def refusals(self, keys: Collection[str]) -> dict[str, Refusal]:
        """See GraphStore."""
        return _found(self.refused, keys)

    async def add_refusals(self, refusals: Sequence[Refusal]) -> set[str]:
        """See GraphStore."""
        new = {refusal.key: refusal for refusal in refusals if refusal.key not in self.refused}
        for refusal in new.values():
            for one, two in (ends := (refusal.link.first, refusal.link.other), ends[::-1]):
                by = self._askers.setdefault(one, {})
                by[two] = max(refusal.link.seen_at, by.get(two, 0))
        return _add(self.refused, {refusal.key: refusal for refusal in refusals})

    async def asked(self, pseudonyms: Collection[str], since: int) -> dict[str, int]:
        """See GraphStore."""
        askers = _found(self._askers, pseudonyms)
        counts = {name: sum(at > since for at in by.values()) for name, by in askers.items()}
        return {name: count for name, count in counts.items() if count}

    async def members(self, tenant: str, entities: Collection[UUID]) -> list[Pointer]:
        """See GraphStore."""
        return [p for p in self.pointing.values() if p.tenant == tenant and p.entity in entities]

    async def links_of(self, pseudonyms: Collection[str]) -> list[Link]:
        """See GraphStore."""
        about = (link for link in self.evidence.values() if {link.first, link.other} & set(pseudonyms))
        return sorted(about, key=lambda link: (link.seen_at, link.key))

    async def revert(self, links: Collection[Link], unmerge: UUID) -> None:
        """See GraphStore."""
        for key in [link.key for link in links]:
            if not self.evidence[key].reverted_by:
                self.evidence[key] = replace(self.evidence[key], reverted_by=str(unmerge))

    async def add_splits(self, splits: Sequence[Split]) -> None:
        """See GraphStore."""
        _add(self.planned, {split.key: split for split in splits})

    async def splits(self, unmerge: UUID) -> list[Split]:
        """See GraphStore."""
        return [split for split in self.planned.values() if split.unmerge == unmerge]

    async def history(self, tenant: str, most: int) -> History:
        """See GraphStore."""
        links = sorted((link for link in self.evidence.values() if link.tenant == tenant), key=lambda x: x.seen_at)
        pointers = {name: p for name, p in self.pointing.items() if p.tenant == tenant}
        ways = Ways.of(self.population.values())
        return History(
            links=links[:most],
            kinds={name: pointer.identifier.kind for name, pointer in pointers.items()},
            owners={name: ways.lead(pointer.entity, name) for name, pointer in pointers.items()},
            refused={(r.link.first, r.link.other) for r in self.refused.values() if r.link.tenant == tenant},
            whole=len(links) <= most,
        )

    async def ping(self) -> None:
        """See GraphStore."""


def _found(stored: Mapping[K, V], keys: Collection[K]) -> dict[K, V]:
    return {key: stored[key] for key in keys if key in stored}


def _add(stored: dict[K, V], new: Mapping[K, V]) -> set[K]:
    there = stored.keys() & new.keys()
    stored.update((key, value) for key, value in new.items() if key not in there)
    return there

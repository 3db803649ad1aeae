"""Everybody at once: how many there are, who is in two segments, and a sample that is the same for everyone.

Each live record has a number drawn from its profile's id. The sample of n are the n people with the lowest
numbers: a wider one has all of a narrower one in it.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Sequence
from typing import Final, Protocol

from cdp_runtime.records import State

from cdp_segments.domain.person import Person
from cdp_segments.domain.standing import standing
from cdp_segments.store import MemoryPersonStore, MongoPersonStore, is_member

PAGE: Final = 500
SAMPLE_INDEX: Final = "tenant_draw"
NOT_MEASURED: Final = dict.fromkeys(("recent", "members", "shares", "leaving", "latches", "told", "fired"), 0)


class Census(Protocol):
    """Reads over all people of a tenant. Every method raises when the store is away."""

    async def population(self, tenant: str) -> int:
        """How many people are known, those who became part of others not counted."""
        ...

    async def both(self, tenant: str, one: str, other: str) -> int:
        """How many are in both segments."""
        ...

    def people(self, tenant: str) -> AsyncIterator[Sequence[Person]]:
        """Everybody in the order of their numbers, page by page: of each what conditions are held against."""
        ...


class MemoryCensus:
    """Over the store in memory; same promises as on MongoDB."""

    def __init__(self, people: MemoryPersonStore) -> None:
        self._store = people

    async def population(self, tenant: str) -> int:
        """See Census."""
        return len(self._live(tenant))

    async def both(self, tenant: str, one: str, other: str) -> int:
        """See Census."""
        return sum(is_member(d, tenant, one) and is_member(d, tenant, other) for d in self._live(tenant))

    async def people(self, tenant: str) -> AsyncIterator[Sequence[Person]]:
        """See Census."""
        live = sorted(self._live(tenant), key=lambda document: int(document["draw"]))
        for start in range(0, len(live), PAGE):
            yield [standing(document) for document in live[start : start + PAGE]]

    def _live(self, tenant: str) -> list[State]:
        documents = self._store.records.documents.values()
        return [d for d in documents if d["tenant"] == tenant and d["draw"] is not None]


class MongoCensus:
    """Over the collection of people."""

    def __init__(self, people: MongoPersonStore) -> None:
        self._collection = people.collection

    async def population(self, tenant: str) -> int:
        """See Census."""
        return await self._collection.count_documents({"tenant": tenant, "draw": {"$gte": 0}})

    async def both(self, tenant: str, one: str, other: str) -> int:
        """See Census."""
        found = {"tenant": tenant, "members.segment": one, "members": {"$elemMatch": {"segment": other}}}
        return await self._collection.count_documents(found)

    async def people(self, tenant: str) -> AsyncIterator[Sequence[Person]]:
        """See Census."""
        found = self._collection.find({"tenant": tenant, "draw": {"$gte": 0}}, NOT_MEASURED)
        page: list[Person] = []
        async for document in found.sort("draw", 1).batch_size(PAGE):
            page.append(standing(document))
            if len(page) == PAGE:
                yield page
                page = []
        yield page

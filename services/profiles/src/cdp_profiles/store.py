"""Where profiles are kept. Reads follow redirects; writes are compare-and-sets of single records."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Final, Protocol

from cdp_runtime.records import MemoryRecords, MongoRecords, Records, State
from cdp_runtime.settings import MongoSettings
from motor.motor_asyncio import AsyncIOMotorClient, AsyncIOMotorCollection

from cdp_profiles.domain.profile import Profile

MOST_FOUND: Final = 20
LOOKUP_INDEX: Final = "tenant_identifiers"


class ProfileStore(Protocol):
    """The records of all people. Every method raises when the store is away."""

    async def load(self, ids: Iterable[str]) -> dict[str, Profile]:
        """These records and all that they redirect to, blank where nothing is stored.

        One round trip, and one more for each redirect on the longest way.
        """
        ...

    async def save(self, people: Mapping[str, Profile]) -> None:
        """Write those that changed; Conflict if any was written by somebody else since. One round trip."""
        ...

    async def find(self, tenant: str, lookup: str) -> list[Profile]:
        """The live profiles of a tenant on which an identifier was seen: at most 20 records are looked at."""
        ...

    async def ping(self) -> None:
        """Raise if the store does not answer."""
        ...


class MemoryProfileStore:
    """Profiles in this process; same promises as the store on MongoDB."""

    def __init__(self) -> None:
        self.records = MemoryRecords(Profile)

    async def load(self, ids: Iterable[str]) -> dict[str, Profile]:
        """See ProfileStore."""
        return await with_targets(self.records, ids)

    async def save(self, people: Mapping[str, Profile]) -> None:
        """See ProfileStore."""
        await self.records.save(people)

    async def find(self, tenant: str, lookup: str) -> list[Profile]:
        """See ProfileStore."""
        documents = self.records.documents.items()
        found = [i for i, d in documents if d["tenant"] == tenant and lookup in d["identifiers"]]
        return alive(await self.load(found[:MOST_FOUND]))

    async def ping(self) -> None:
        """See ProfileStore."""


class MongoProfileStore:
    """Profiles in a MongoDB collection. Nothing connects before the first call."""

    def __init__(self, settings: MongoSettings) -> None:
        milliseconds = int(settings.timeout_seconds * 1000)
        self._client: AsyncIOMotorClient[State] = AsyncIOMotorClient(
            settings.url.get_secret_value(), serverSelectionTimeoutMS=milliseconds, timeoutMS=milliseconds
        )
        self.collection: AsyncIOMotorCollection[State] = self._client[
            f"{settings.database_prefix}_profiles"
        ].profiles
        self._records = MongoRecords(self.collection, Profile)

    async def load(self, ids: Iterable[str]) -> dict[str, Profile]:
        """See ProfileStore."""
        return await with_targets(self._records, ids)

    async def save(self, people: Mapping[str, Profile]) -> None:
        """See ProfileStore."""
        await self._records.save(people)

    async def find(self, tenant: str, lookup: str) -> list[Profile]:
        """See ProfileStore."""
        query = {"tenant": tenant, "identifiers": lookup}
        found = [d["_id"] async for d in self.collection.find(query, {"_id": 1}).limit(MOST_FOUND)]
        return alive(await self.load(found))

    async def migrate(self) -> None:
        """Make the index that `find` needs. Idempotent."""
        await self.collection.create_index([("tenant", 1), ("identifiers", 1)], name=LOOKUP_INDEX)

    async def ping(self) -> None:
        """See ProfileStore."""
        await self._records.ping()

    async def close(self) -> None:
        """Let go of the connections."""
        self._client.close()


async def with_targets(records: Records[Profile], ids: Iterable[str]) -> dict[str, Profile]:
    """Load records, then the records they redirect to, until none is missing."""
    people = await records.load(ids)
    while missing := {p.target for p in people.values() if p.target and p.target not in people}:
        people |= await records.load(missing)
    return people


def alive(people: Mapping[str, Profile]) -> list[Profile]:
    """Those that are no redirects."""
    return [profile for profile in people.values() if profile.into is None]

"""Where histories and sums are kept."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from datetime import timedelta
from typing import Final, Protocol

from cdp_runtime.mongo import mongo_client
from cdp_runtime.records import MemoryRecords, MongoRecords
from cdp_runtime.settings import MongoSettings

from cdp_segments.domain.activity import DAYS_KEPT, Activity, days_id
from cdp_segments.domain.history import History

EXPIRES_INDEX: Final = "day"


class HistoryStore(Protocol):
    """Histories by person and sums by segment. Every method raises when the store is away."""

    async def load(self, ids: Iterable[str]) -> dict[str, History]:
        """The histories of people, blank where nothing is stored."""
        ...

    async def save(self, people: Mapping[str, History]) -> None:
        """Write those that changed; Conflict if any was written by somebody else since."""
        ...

    async def load_activity(self, ids: Iterable[str]) -> dict[str, Activity]:
        """Sums, blank where nothing is stored."""
        ...

    async def save_activity(self, sums: Mapping[str, Activity]) -> None:
        """Write those that changed; Conflict as in `save`."""
        ...

    async def activity(self, tenant: str, segment: str, first: int, last: int) -> Sequence[Activity]:
        """All sums of a segment from one day to another, both included (days since 1970)."""
        ...

    async def ping(self) -> None:
        """Raise if the store does not answer."""
        ...


class MemoryHistoryStore:
    """In this process; same promises as the store on MongoDB."""

    def __init__(self) -> None:
        self.people = MemoryRecords(History)
        self.sums = MemoryRecords(Activity)

    async def load(self, ids: Iterable[str]) -> dict[str, History]:
        """See HistoryStore."""
        return await self.people.load(ids)

    async def save(self, people: Mapping[str, History]) -> None:
        """See HistoryStore."""
        await self.people.save(people)

    async def load_activity(self, ids: Iterable[str]) -> dict[str, Activity]:
        """See HistoryStore."""
        return await self.sums.load(ids)

    async def save_activity(self, sums: Mapping[str, Activity]) -> None:
        """See HistoryStore."""
        await self.sums.save(sums)

    async def activity(self, tenant: str, segment: str, first: int, last: int) -> Sequence[Activity]:
        """See HistoryStore."""
        begin, end = days_id(tenant, segment, first), days_id(tenant, segment, last + 1)
        return [*(await self.sums.load(id_ for id_ in self.sums.documents if begin <= id_ < end)).values()]

    async def ping(self) -> None:
        """See HistoryStore."""


class MongoHistoryStore:
    """Two MongoDB collections. Nothing connects before the first call."""

    def __init__(self, settings: MongoSettings) -> None:
        self._client = mongo_client(settings, timeoutMS=int(settings.timeout_seconds * 1000))
        database = self._client[f"{settings.database_prefix}_segments"]
        self.people = MongoRecords(database.histories, History)
        self.sums = MongoRecords(database.activity, Activity)

    async def load(self, ids: Iterable[str]) -> dict[str, History]:
        """See HistoryStore."""
        return await self.people.load(ids)

    async def save(self, people: Mapping[str, History]) -> None:
        """See HistoryStore."""
        await self.people.save(people)

    async def load_activity(self, ids: Iterable[str]) -> dict[str, Activity]:
        """See HistoryStore."""
        return await self.sums.load(ids)

    async def save_activity(self, sums: Mapping[str, Activity]) -> None:
        """See HistoryStore."""
        await self.sums.save(sums)

    async def activity(self, tenant: str, segment: str, first: int, last: int) -> Sequence[Activity]:
        """See HistoryStore."""
        within = {"$gte": days_id(tenant, segment, first), "$lt": days_id(tenant, segment, last + 1)}
        found = self.sums.collection.find({"_id": within})
        return [self.sums.restored(document["_id"], document) async for document in found]

    async def migrate(self) -> None:
        """Make the index by which sums expire. Idempotent."""
        keep = int(timedelta(days=DAYS_KEPT + 2).total_seconds())
        await self.sums.collection.create_index("ends", name=EXPIRES_INDEX, expireAfterSeconds=keep)

    async def ping(self) -> None:
        """See HistoryStore."""
        await self.people.ping()

    async def close(self) -> None:
        """Let go of the connections."""
        self._client.close()

"""Where the histories of traits and the events of people are kept, by the part they belong to."""

from __future__ import annotations

import asyncio
from collections.abc import Collection, Iterable, Mapping
from typing import Final, Protocol

from cdp_runtime.mongo import Document, mongo_client
from cdp_runtime.records import MemoryRecords, MongoRecords, lost_inserts
from cdp_runtime.settings import MongoSettings
from motor.motor_asyncio import AsyncIOMotorCollection
from pymongo import DeleteMany, InsertOne
from pymongo.errors import BulkWriteError

from cdp_profiles.domain.history import Chronicle
from cdp_profiles.domain.timeline import Entry, key_at

CONNECTIONS: Final = 8
KEEP_BYTES: Final = 8 * 1024 * 1024
FIRST: Final = "/0"
LAST: Final = "/9"


class Histories(Protocol):
    """What is kept beside the records. Every method raises when the store is away."""

    async def load(self, places: Iterable[str]) -> dict[str, Chronicle]:
        """The histories of these places, blank where nothing is stored. One round trip."""
        ...

    async def save(self, chronicles: Mapping[str, Chronicle]) -> None:
        """Write those that changed; Conflict if any was written by somebody else since. One round trip."""
        ...

    async def note(self, entries: Iterable[Entry]) -> None:
        """Keep these entries; what is kept already is not kept twice. One round trip."""
        ...

    async def newest(
        self, places: Collection[str], limit: int, before: tuple[int, str] | None = None
    ) -> list[Entry]:
        """The newest entries of these places together, the newest first, or the newest before one of them."""
        ...

    async def trim(self, places: Collection[str], keep: int) -> None:
        """Let each place go of all but its newest entries."""
        ...

    async def ping(self) -> None:
        """Raise if the store does not answer."""
        ...


class MemoryHistories:
    """Histories in this process; same promises as the store on MongoDB."""

    def __init__(self) -> None:
        self.records = MemoryRecords(Chronicle)
        self.entries: dict[str, Entry] = {}

    async def load(self, places: Iterable[str]) -> dict[str, Chronicle]:
        """See Histories."""
        return await self.records.load(places)

    async def save(self, chronicles: Mapping[str, Chronicle]) -> None:
        """See Histories."""
        await self.records.save(chronicles)

    async def note(self, entries: Iterable[Entry]) -> None:
        """See Histories."""
        for entry in entries:
            self.entries.setdefault(entry.key, entry)

    async def newest(
        self, places: Collection[str], limit: int, before: tuple[int, str] | None = None
    ) -> list[Entry]:
        """See Histories."""
        known = (entry for entry in self.entries.values() if entry.place in places)
        return together((e for e in known if before is None or e.order < before), limit)

    async def trim(self, places: Collection[str], keep: int) -> None:
        """See Histories."""
        for place in places:
            keys = sorted(entry.key for entry in self.entries.values() if entry.place == place)
            for key in keys[: max(0, len(keys) - keep)]:
                del self.entries[key]

    async def ping(self) -> None:
        """See Histories."""


class MongoHistories:
    """Histories in MongoDB: `histories` has one document a part, `timelines` one an entry.

    The id of an entry begins with its place and time, so that the index on ids finds the newest of a place and
    none of our own has to be maintained. Nothing connects before the first call.
    """

    def __init__(self, settings: MongoSettings) -> None:
        milliseconds = int(settings.timeout_seconds * 1000)
        self._client = mongo_client(
            settings, appname="cdp-profiles", socketTimeoutMS=milliseconds, maxPoolSize=CONNECTIONS
        )
        database = self._client[f"{settings.database_prefix}_profiles"]
        self.timelines: AsyncIOMotorCollection[Document] = database["timelines"]
        self._records = MongoRecords(database["histories"], Chronicle, keep_bytes=KEEP_BYTES)

    async def load(self, places: Iterable[str]) -> dict[str, Chronicle]:
        """See Histories."""
        return await self._records.load(places)

    async def save(self, chronicles: Mapping[str, Chronicle]) -> None:
        """See Histories."""
        await self._records.save(chronicles)

    async def note(self, entries: Iterable[Entry]) -> None:
        """See Histories."""
        inserts = [InsertOne(document_of(entry)) for entry in entries]
        if not inserts:
            return
        try:
            await self.timelines.bulk_write(inserts, ordered=False)
        except BulkWriteError as error:
            lost_inserts(error)

    async def newest(
        self, places: Collection[str], limit: int, before: tuple[int, str] | None = None
    ) -> list[Entry]:
        """See Histories."""
        found = await asyncio.gather(*(self._newest(place, limit, before) for place in places))
        return together((entry for entries in found for entry in entries), limit)

    async def _newest(self, place: str, limit: int, before: tuple[int, str] | None) -> list[Entry]:
        end = key_at(place, before) if before else f"{place}{LAST}"
        within = {"_id": {"$gte": f"{place}{FIRST}", "$lt": end}}
        documents = await self.timelines.find(within).sort("_id", -1).limit(limit).to_list(None)
        return [entry_of(document) for document in documents]

    async def trim(self, places: Collection[str], keep: int) -> None:
        """See Histories."""
        ends = [end for end in await asyncio.gather(*(self._end(place, keep) for place in places)) if end]
        if ends:
            await self.timelines.bulk_write([DeleteMany({"_id": within}) for within in ends], ordered=False)

    async def _end(self, place: str, keep: int) -> Document | None:
        """The ids of what is too old in a place; None if nothing is."""
        begin = f"{place}{FIRST}"
        within = {"_id": {"$gte": begin, "$lt": f"{place}{LAST}"}}
        found = self.timelines.find(within, {"_id": 1}).sort("_id", -1).skip(keep).limit(1)
        newest = await found.to_list(None)
        return {"$gte": begin, "$lte": newest[0]["_id"]} if newest else None

    async def ping(self) -> None:
        """See Histories."""
        await self._records.ping()

    async def close(self) -> None:
        """Let go of the connections."""
        self._client.close()


def together(entries: Iterable[Entry], limit: int) -> list[Entry]:
    """The newest of all, the newest first; what stands in two places once."""
    return sorted({entry.order: entry for entry in entries}.values(), key=lambda e: e.order, reverse=True)[:limit]


def document_of(entry: Entry) -> Document:
    """As it is stored, once."""
    return {"_id": entry.key, **entry._asdict()}


def entry_of(document: Document) -> Entry:
    """The inverse of `document_of`."""
    del document["_id"]
    stored = Entry(**document)
    return stored._replace(purposes=tuple(stored.purposes), profiles=tuple(stored.profiles))

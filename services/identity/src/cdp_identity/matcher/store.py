"""Where the matcher keeps its records: four collections of one database, or this process's memory."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Final, Protocol

from cdp_runtime.mongo import mongo_client
from cdp_runtime.records import MemoryRecords, MongoRecords, Records, copied
from cdp_runtime.settings import MongoSettings

from cdp_identity.matcher.entries import Block, Counter, Entry, Pair

MOST_LISTED: Final = 200


class Pairs(Records[Pair], Protocol):
    """Pairs of persons, some of which wait for a verdict."""

    async def waiting(self, tenant: str, limit: int) -> list[Pair]:
        """The tenant's open pairs, likeliest first."""
        ...


@dataclass(frozen=True, slots=True)
class MatcherStore:
    """All that the matcher keeps."""

    entries: Records[Entry]
    blocks: Records[Block]
    counters: Records[Counter]
    pairs: Pairs

    async def ping(self) -> None:
        """Raise if the store does not answer."""
        await self.entries.ping()


class MemoryPairs(MemoryRecords[Pair]):
    """Pairs in this process."""

    def __init__(self) -> None:
        super().__init__(Pair)

    async def waiting(self, tenant: str, limit: int) -> list[Pair]:
        """See Pairs."""
        found = [
            (i, state)
            for i, state in self.documents.items()
            if state["status"] == "open" and state["tenant"] == tenant
        ]
        found.sort(key=lambda item: (-item[1]["score"], item[0]))
        return [self.restored(i, copied(state)) for i, state in found[:limit]]


def memory_store() -> MatcherStore:
    """A store in this process; same promises as the one on MongoDB."""
    return MatcherStore(MemoryRecords(Entry), MemoryRecords(Block), MemoryRecords(Counter), MemoryPairs())


class MongoPairs(MongoRecords[Pair]):
    """Pairs in MongoDB; `waiting` needs the index that `migrate` makes."""

    async def waiting(self, tenant: str, limit: int) -> list[Pair]:
        """See Pairs."""
        query = {"tenant": tenant, "status": "open"}
        found = self.collection.find(query).sort([("score", -1), ("_id", 1)]).limit(limit)
        return [self.restored(str(state["_id"]), state) for state in await found.to_list(None)]


class MongoMatcherStore:
    """The records in MongoDB. Nothing connects before the first call."""

    def __init__(self, settings: MongoSettings) -> None:
        milliseconds = int(settings.timeout_seconds * 1000)
        self._client = mongo_client(settings, appname="cdp-identity-matcher", socketTimeoutMS=milliseconds)
        database = self._client[f"{settings.database_prefix}_identity"]
        self._pairs = MongoPairs(database["match_pairs"], Pair)
        self.records = MatcherStore(
            MongoRecords(database["match_entries"], Entry),
            MongoRecords(database["match_blocks"], Block),
            MongoRecords(database["match_counters"], Counter),
            self._pairs,
        )

    async def migrate(self) -> None:
        """Make the index of the review queue. Idempotent."""
        keys = [("tenant", 1), ("status", 1), ("score", -1), ("_id", 1)]
        await self._pairs.collection.create_index(keys, name="waiting")

    async def ping(self) -> None:
        """Raise if the store does not answer."""
        await self.records.ping()

    async def close(self) -> None:
        """Let go of the connections."""
        self._client.close()


async def with_survivors(entries: Records[Entry], ids: Iterable[str]) -> dict[str, Entry]:
    """Entries, and all that they redirect to."""
    found = await entries.load(ids)
    while missing := {entry.into for entry in found.values() if entry.into} - found.keys():
        found |= await entries.load(missing)
    return found


def survivor(entries: Mapping[str, Entry], id_: str) -> Entry:
    """Where the redirects lead."""
    entry = entries[id_]
    while entry.into:
        entry = entries[entry.into]
    return entry

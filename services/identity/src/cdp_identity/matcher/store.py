"""Where the matcher keeps its records: four collections of one database, or this process's memory."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Final, Protocol

from cdp_runtime.mongo import mongo_client
from cdp_runtime.records import MemoryRecords, MongoRecords, Records, copied
from cdp_runtime.redirects import chain_of
from cdp_runtime.settings import MongoSettings

from cdp_identity.matcher.entries import Block, Counter, Entry
from cdp_identity.matcher.pairs import ENDS, Pair

MOST_LISTED: Final = 200


class Pairs(Records[Pair], Protocol):
    """Pairs of persons, some of which wait for a verdict."""

    async def waiting(self, tenant: str, limit: int) -> list[Pair]:
        """The tenant's open pairs, likeliest first."""
        ...

    async def about(self, tenant: str, profiles: Iterable[str]) -> list[Pair]:
        """The tenant's pairs in which one of these profiles was proposed."""
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

    async def about(self, tenant: str, profiles: Iterable[str]) -> list[Pair]:
        """See Pairs."""
        wanted = set(profiles)
        return [
            self.restored(i, copied(state))
            for i, state in sorted(self.documents.items())
            if state["tenant"] == tenant and not wanted.isdisjoint(map(state["proposal"].get, ENDS))
        ]


def memory_store() -> MatcherStore:
    """A store in this process; same promises as the one on MongoDB."""
    return MatcherStore(MemoryRecords(Entry), MemoryRecords(Block), MemoryRecords(Counter), MemoryPairs())


class MongoPairs(MongoRecords[Pair]):
    """Pairs in MongoDB; all but `load` and `save` needs the indexes that `migrate` makes."""

    async def waiting(self, tenant: str, limit: int) -> list[Pair]:
        """See Pairs."""
        query = {"tenant": tenant, "status": "open"}
        found = self.collection.find(query).sort([("score", -1), ("_id", 1)]).limit(limit)
        return [self.restored(str(state["_id"]), state) for state in await found.to_list(None)]

    async def about(self, tenant: str, profiles: Iterable[str]) -> list[Pair]:
        """See Pairs."""
        wanted = {"$in": sorted(profiles)}
        query = {"tenant": tenant, "$or": [{f"proposal.{end}": wanted} for end in ENDS]}
        found = self.collection.find(query).sort("_id", 1)
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
        """Make the indexes of the review queue and of the pairs of a profile. Idempotent."""
        keys = [("tenant", 1), ("status", 1), ("score", -1), ("_id", 1)]
        await self._pairs.collection.create_index(keys, name="waiting")
        for end in ENDS:
            await self._pairs.collection.create_index([("tenant", 1), (f"proposal.{end}", 1)], name=end)

    async def ping(self) -> None:
        """Raise if the store does not answer."""
        await self.records.ping()

    async def close(self) -> None:
        """Let go of the connections."""
        self._client.close()


async def with_survivors(entries: Records[Entry], ids: Iterable[str]) -> dict[str, Entry]:
    """Entries, and all that they lead to, by redirects or partings."""
    found = await entries.load(ids)
    while missing := {target for entry in found.values() for target in entry.targets} - found.keys():
        found |= await entries.load(sorted(missing))
    return found


def survivor(entries: Mapping[str, Entry], id_: str, identifier: str | None = None) -> Entry:
    """Where the redirects lead; with an identifier, whose that is by now."""
    *_, entry = chain_of(entries, id_, identifier)
    return entry

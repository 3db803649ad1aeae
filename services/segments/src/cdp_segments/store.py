"""Where the records of people are kept. Reads follow redirects; writes are compare-and-sets of single records."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterable, Mapping, Sequence
from typing import Final, NamedTuple, Protocol

from cdp_runtime.mongo import found, mongo_client
from cdp_runtime.records import MemoryRecords, MongoRecords, Records, State
from cdp_runtime.settings import MongoSettings
from motor.motor_asyncio import AsyncIOMotorCollection
from pymongo import UpdateOne

from cdp_segments.domain.draws import draw
from cdp_segments.domain.moving import release
from cdp_segments.domain.person import Person
from cdp_segments.timers import Alarm

PAGE: Final = 1000
KEEP_BYTES: Final = 32 * 1024 * 1024
DRAWN_AT_ONCE: Final = 1000
DRAW_INDEX: Final = "tenant_draw"
MEMBERS_INDEX: Final = "tenant_segment"
HELD_INDEX: Final = "tenant_partition_definitions"
ALARMS_INDEX: Final = "partition_wake_at"


class Membership(NamedTuple):
    """Somebody in a segment; times in milliseconds."""

    profile_id: str
    since: int
    expires_at: int | None


class PersonStore(Protocol):
    """The records of all people. Every method raises when the store is away."""

    async def load(self, ids: Iterable[str]) -> dict[str, Person]:
        """These records and all that they lead to, blank where nothing is stored.

        One round trip at most, and one more for each redirect or parting on the longest way. What this process
        wrote last it does not read again, so a record may be out of date: then `save` refuses it.
        """
        ...

    async def save(self, people: Mapping[str, Person]) -> None:
        """Write those that changed; Conflict if any was written by somebody else since.

        Whoever has something for others to take is written before them, and lets go of it afterwards: a crash in
        between loses nothing.
        """
        ...

    async def size(self, tenant: str, segment: str) -> int:
        """How many people are in a segment."""
        ...

    async def members(self, tenant: str, segment: str, after: str, limit: int) -> Sequence[Membership]:
        """The people in a segment in the order of their ids, beyond one of them."""
        ...

    async def stale(self, tenant: str, partition: int, fingerprint: str, limit: int) -> Sequence[str]:
        """The ids of some records of a partition that were held against other definitions than these."""
        ...

    def alarms(self, partition: int, until: int) -> AsyncIterator[Sequence[Alarm]]:
        """Whom the clock has to look at up to an instant, page by page, in any order."""
        ...

    async def stored_alarms(self, ids: Iterable[str]) -> Sequence[Alarm]:
        """The timers that these people need, as it stands in the store now."""
        ...

    async def ping(self) -> None:
        """Raise if the store does not answer."""
        ...


class MemoryPersonStore:
    """People in this process; same promises as the store on MongoDB."""

    def __init__(self) -> None:
        self.records = MemoryRecords(Person)

    async def load(self, ids: Iterable[str]) -> dict[str, Person]:
        """See PersonStore."""
        return await with_targets(self.records, ids)

    async def save(self, people: Mapping[str, Person]) -> None:
        """See PersonStore."""
        await save_in_order(self.records, people)

    async def size(self, tenant: str, segment: str) -> int:
        """See PersonStore."""
        return sum(1 for document in self._documents() if is_member(document, tenant, segment))

    async def members(self, tenant: str, segment: str, after: str, limit: int) -> Sequence[Membership]:
        """See PersonStore."""
        found = [d for d in self._documents() if is_member(d, tenant, segment) and d["_id"] > f"{tenant}/{after}"]
        return [membership(document, segment) for document in found[:limit]]

    async def stale(self, tenant: str, partition: int, fingerprint: str, limit: int) -> Sequence[str]:
        """See PersonStore."""
        return [d["_id"] for d in self._documents() if is_stale(d, tenant, partition, fingerprint)][:limit]

    async def alarms(self, partition: int, until: int) -> AsyncIterator[Sequence[Alarm]]:
        """See PersonStore."""
        mine = (alarm(d) for d in self._documents() if d["partition"] == partition and d["wake_at"] is not None)
        yield [alarm for alarm in mine if alarm.at <= until]

    async def stored_alarms(self, ids: Iterable[str]) -> Sequence[Alarm]:
        """See PersonStore."""
        return [alarm(d) for i in ids if (d := self.records.documents.get(i)) and d["wake_at"] is not None]

    async def ping(self) -> None:
        """See PersonStore."""

    def _documents(self) -> list[State]:
        return [document for _, document in sorted(self.records.documents.items())]


class MongoPersonStore:
    """People in a MongoDB collection. Nothing connects before the first call."""

    def __init__(self, settings: MongoSettings) -> None:
        self._client = mongo_client(settings, timeoutMS=int(settings.timeout_seconds * 1000))
        database = self._client[f"{settings.database_prefix}_segments"]
        self.collection: AsyncIOMotorCollection[State] = database.people
        self._records = MongoRecords(self.collection, Person, keep_bytes=KEEP_BYTES)

    async def load(self, ids: Iterable[str]) -> dict[str, Person]:
        """See PersonStore."""
        return await with_targets(self._records, ids)

    async def save(self, people: Mapping[str, Person]) -> None:
        """See PersonStore."""
        await save_in_order(self._records, people)

    async def size(self, tenant: str, segment: str) -> int:
        """See PersonStore."""
        return await self.collection.count_documents({"tenant": tenant, "members.segment": segment})

    async def members(self, tenant: str, segment: str, after: str, limit: int) -> Sequence[Membership]:
        """See PersonStore."""
        query = {"tenant": tenant, "members.segment": segment, "_id": {"$gt": f"{tenant}/{after}"}}
        found = self.collection.find(query, {"members": 1}).sort("_id", 1).limit(limit)
        return [membership(document, segment) async for document in found]

    async def stale(self, tenant: str, partition: int, fingerprint: str, limit: int) -> Sequence[str]:
        """See PersonStore."""
        query = {
            "tenant": tenant, "partition": partition, "into": None, "definitions": {"$nin": ["", fingerprint]}
        }  # fmt: skip
        return [document["_id"] async for document in self.collection.find(query, {"_id": 1}).limit(limit)]

    async def alarms(self, partition: int, until: int) -> AsyncIterator[Sequence[Alarm]]:
        """See PersonStore."""
        query = {"partition": partition, "wake_at": {"$lte": until}}
        page: list[Alarm] = []
        async for document in self.collection.find(query, {"partition": 1, "wake_at": 1}).batch_size(PAGE):
            page.append(alarm(document))
            if len(page) == PAGE:
                yield page
                page = []
        yield page

    async def stored_alarms(self, ids: Iterable[str]) -> Sequence[Alarm]:
        """See PersonStore."""
        documents = await found(self.collection, ids)
        return [alarm(document) for document in documents.values() if document["wake_at"] is not None]

    async def migrate(self) -> None:
        """Make the indexes that `size`, `members`, `stale`, `alarms` and the census need. Idempotent."""
        held = [("tenant", 1), ("partition", 1), ("into", 1), ("definitions", 1)]
        await self.collection.create_index(held, name=HELD_INDEX)
        await self.collection.create_index([("tenant", 1), ("members.segment", 1), ("_id", 1)], name=MEMBERS_INDEX)
        await self.collection.create_index([("partition", 1), ("wake_at", 1)], name=ALARMS_INDEX)
        await self.collection.create_index([("tenant", 1), ("draw", 1)], name=DRAW_INDEX)
        await self._draw()

    async def _draw(self) -> None:
        """Draw the numbers of people whom an earlier version wrote."""
        found = self.collection.find({"draw": {"$exists": False}, "into": None}, {"_id": 1})
        while page := await found.to_list(DRAWN_AT_ONCE):
            ids = [document["_id"] for document in page]
            drawn = [UpdateOne({"_id": i}, {"$set": {"draw": draw(i.partition("/")[2])}}) for i in ids]
            await self.collection.bulk_write(drawn, ordered=False)

    async def ping(self) -> None:
        """See PersonStore."""
        await self._records.ping()

    async def close(self) -> None:
        """Let go of the connections."""
        self._client.close()


async def with_targets(records: Records[Person], ids: Iterable[str]) -> dict[str, Person]:
    """Load records, then the records they lead to, until none is missing."""
    people = await records.load(ids)
    while missing := {target for p in people.values() for target in p.targets} - people.keys():
        people |= await records.load(missing)
    return people


async def save_in_order(records: Records[Person], people: Mapping[str, Person]) -> None:
    """First who has something for others to take: redirects, and who was parted. Last, those without it."""
    turns: list[dict[str, Person]] = [{}, {}, {}]
    for id_, person in people.items():
        turns[0 if person.into else 1 if person.leaving else 2][id_] = person
    for turn in turns:
        await records.save(turn)
    if released := release(people.values()):
        await records.save(released)


def is_member(document: State, tenant: str, segment: str) -> bool:
    """Whether a document says that its person is in the segment."""
    return document["tenant"] == tenant and any(m["segment"] == segment for m in document["members"])


def is_stale(document: State, tenant: str, partition: int, fingerprint: str) -> bool:
    """Whether a document says that its person was held against other definitions."""
    place = document["tenant"], document["partition"], document["into"]
    return place == (tenant, partition, None) and document["definitions"] not in ("", fingerprint)


def membership(document: State, segment: str) -> Membership:
    """The membership in a document of a member."""
    found = next(m for m in document["members"] if m["segment"] == segment)
    _, _, profile_id = document["_id"].partition("/")
    return Membership(profile_id, found["since"], found["expires_at"])


def alarm(document: State) -> Alarm:
    """The timer that a document asks for."""
    return Alarm(document["partition"], document["_id"], document["wake_at"])

"""Where profiles are kept. Reads follow redirects; writes are compare-and-sets of single records."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Final, Protocol
from uuid import UUID

import bson
from bson.codec_options import CodecOptions
from bson.raw_bson import RawBSONDocument
from cdp_runtime.mongo import Document, mongo_client
from cdp_runtime.pseudonyms import Pseudonymizer
from cdp_runtime.records import MemoryRecords, MongoRecords, Records, lost_inserts
from cdp_runtime.settings import MongoSettings
from motor.motor_asyncio import AsyncIOMotorCollection
from pymongo import InsertOne
from pymongo.errors import BulkWriteError

from cdp_profiles.domain.events import lookup_text
from cdp_profiles.domain.parting import taker_of
from cdp_profiles.domain.parts import Identifier
from cdp_profiles.domain.profile import Profile, record_id

MOST_FOUND: Final = 20
CONNECTIONS: Final = 8
KEEP_BYTES: Final = 16 * 1024 * 1024
PAGE_BYTES: Final = 8 * 1024 * 1024
RAW: Final = CodecOptions(document_class=RawBSONDocument)


class ProfileStore(Protocol):
    """The records of all people. Every method raises when the store is away."""

    async def load(self, ids: Iterable[str]) -> dict[str, Profile]:
        """These records and all that they lead to, blank where nothing is stored.

        One round trip at most, and one more for each redirect on the longest way. What this process wrote last
        it does not read again, so a record may be out of date: then `save` refuses it.
        """
        ...

    async def save(self, people: Mapping[str, Profile]) -> None:
        """Write those that changed; Conflict if any was written by somebody else since.

        One round trip, and one before it for identifiers that are new on a profile.
        """
        ...

    async def find(self, tenant: str, identifier: Identifier) -> list[Profile]:
        """The live profiles of a tenant on which an identifier was seen, among the first 20 records found."""
        ...

    async def page(self, tenant: str, after: UUID | None, limit: int) -> Page:
        """Live profiles of a tenant in the order of their ids, from at most so many records and 8 MiB of them."""
        ...

    async def ping(self) -> None:
        """Raise if the store does not answer."""
        ...


@dataclass(frozen=True, slots=True)
class Page:
    """Some profiles, and the id after which there may be more; None if there are none."""

    profiles: list[Profile]
    end: str | None


@dataclass(frozen=True, slots=True)
class Sighting:
    """An identifier was seen on a record. Known by its pseudonym; what it was is in the record."""

    lookup: str
    record: str


class MemoryProfileStore:
    """Profiles in this process; same promises as the store on MongoDB."""

    def __init__(self, pseudonyms: Pseudonymizer) -> None:
        self.records = MemoryRecords(Profile)
        self._pseudonyms = pseudonyms
        self._seen_on: dict[str, set[str]] = defaultdict(set)

    async def load(self, ids: Iterable[str]) -> dict[str, Profile]:
        """See ProfileStore."""
        return await with_targets(self.records, ids)

    async def save(self, people: Mapping[str, Profile]) -> None:
        """See ProfileStore."""
        for sighting in sightings(people, self._pseudonyms):
            self._seen_on[sighting.lookup].add(sighting.record)
        await self.records.save(people)

    async def find(self, tenant: str, identifier: Identifier) -> list[Profile]:
        """See ProfileStore."""
        names = names_of(tenant, identifier, self._pseudonyms)
        found = sorted({record for name in names for record in self._seen_on.get(f"{tenant}/{name}", ())})
        return holders(await self.load(found[:MOST_FOUND]), identifier, names)

    async def page(self, tenant: str, after: UUID | None, limit: int) -> Page:
        """See ProfileStore."""
        first, end = ids_of(tenant, after)
        found = sorted(i for i in self.records.documents if first < i < end)[:limit]
        people = await self.records.load(found)
        return page_of(list(people.values()), limit)

    async def ping(self) -> None:
        """See ProfileStore."""


class MongoProfileStore:
    """Profiles in MongoDB: `profiles` has the records, `sightings` finds them by identifier.

    Sightings are documents of their own, written once: an index on the records would be maintained with every
    event. What is `only_read` saves nothing, and leaves out what records remember of messages: that may be most
    of a record. Nothing connects before the first call.
    """

    def __init__(self, settings: MongoSettings, pseudonyms: Pseudonymizer, *, only_read: bool = False) -> None:
        milliseconds = int(settings.timeout_seconds * 1000)
        self._client = mongo_client(
            settings, appname="cdp-profiles", socketTimeoutMS=milliseconds, maxPoolSize=CONNECTIONS
        )
        self.database = self._client[f"{settings.database_prefix}_profiles"]
        self.sightings: AsyncIOMotorCollection[Document] = self.database["sightings"]
        profiles = self.database["profiles"]
        self._records = MongoRecords(profiles, Profile, keep_bytes=KEEP_BYTES, only_read=only_read)
        self._pseudonyms = pseudonyms

    async def load(self, ids: Iterable[str]) -> dict[str, Profile]:
        """See ProfileStore."""
        return await with_targets(self._records, ids)

    async def save(self, people: Mapping[str, Profile]) -> None:
        """See ProfileStore."""
        # First, so that no record is without its sightings; one of a record that was not saved finds nobody.
        await self._note([InsertOne(sighting_document(s)) for s in sightings(people, self._pseudonyms)])
        await self._records.save(people)

    async def _note(self, inserts: list[InsertOne[Document]]) -> None:
        if not inserts:
            return
        try:
            await self.sightings.bulk_write(inserts, ordered=False)
        except BulkWriteError as error:
            lost_inserts(error)

    async def find(self, tenant: str, identifier: Identifier) -> list[Profile]:
        """See ProfileStore."""
        names = names_of(tenant, identifier, self._pseudonyms)
        seen = {"lookup": {"$in": [f"{tenant}/{name}" for name in names]}}
        found = await self.sightings.find(seen, {"record": 1}).limit(MOST_FOUND).to_list(None)
        people = await self.load(document["record"] for document in found)
        return holders(people, identifier, names)

    async def page(self, tenant: str, after: UUID | None, limit: int) -> Page:
        """See ProfileStore."""
        first, end = ids_of(tenant, after)
        within = {"_id": {"$gt": first, "$lt": end}}
        profiles, size = [], 0
        raw = self._records.collection.with_options(RAW).find(within, {"recent": 0}).sort("_id", 1).limit(limit)
        async for document in raw:
            size += len(document.raw)
            profiles.append(self._records.restored(document["_id"], bson.decode(document.raw)))
            if size > PAGE_BYTES:
                return page_of(profiles, len(profiles))
        return page_of(profiles, limit)

    async def migrate(self) -> None:
        """Make the index that `find` needs. Idempotent."""
        await self.sightings.create_index([("lookup", 1)], name="lookup")

    async def ping(self) -> None:
        """See ProfileStore."""
        await self._records.ping()

    async def close(self) -> None:
        """Let go of the connections."""
        self._client.close()


async def with_targets(records: Records[Profile], ids: Iterable[str]) -> dict[str, Profile]:
    """Load records, then the records they lead to, until none is missing."""
    people = await records.load(ids)
    while missing := {target for profile in people.values() for target in profile.targets} - people.keys():
        people |= await records.load(missing)
    return people


def ids_of(tenant: str, after: UUID | None) -> tuple[str, str]:
    """Between which ids the records of a tenant are, after one of them."""
    return record_id(tenant, after or ""), f"{tenant}0"  # the character after "/"


def page_of(records: list[Profile], most: int) -> Page:
    """The live ones of these records; if they are as many as there may be, there may be more."""
    live = [record for record in records if record.into is None and record.revision]
    return Page(live, records[-1].profile_id if records and len(records) >= most else None)


def holders(people: Mapping[str, Profile], identifier: Identifier, pseudonyms: Iterable[str]) -> list[Profile]:
    """Those who have the identifier, are no redirects, and were not parted from it under any of its pseudonyms."""
    text = lookup_text(identifier)
    return [
        profile
        for profile in people.values()
        if profile.into is None
        and any(i.kind == identifier.kind and lookup_text(i) == text for i in profile.joined.identifiers)
        and all(taker_of(people, profile, pseudonym) is profile for pseudonym in pseudonyms)
    ]


def sightings(people: Mapping[str, Profile], pseudonyms: Pseudonymizer) -> Iterator[Sighting]:
    """The identifiers that are new on these records."""
    for profile in people.values():
        for identifier in profile.sighted:
            current, *_ = names_of(profile.tenant, identifier, pseudonyms)
            yield Sighting(f"{profile.tenant}/{current}", profile.id)


def names_of(tenant: str, identifier: Identifier, pseudonyms: Pseudonymizer) -> tuple[str, ...]:
    """The pseudonyms that an identifier may be known by, the current one first."""
    return pseudonyms.all_of(tenant, identifier.kind, lookup_text(identifier))


def sighting_document(sighting: Sighting) -> Document:
    """As it is stored, once."""
    return {"_id": f"{sighting.lookup}/{sighting.record}", "lookup": sighting.lookup, "record": sighting.record}

"""What is known of every id: its state as a record, and its ledger.

The newest entries of a chain live in the record, written by the same compare-and-set as the state they
prove. The next choice moves them to the ledger first, and only then takes their place. So a crash between
any two writes leaves the chain whole: an entry leaves the record only when the ledger has it, and nothing
that lost a compare-and-set is ever in the ledger.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterable, Mapping
from datetime import UTC, datetime
from typing import Final, Protocol, Self, TypeAlias

from cdp_contracts.events_v1 import Purpose
from cdp_runtime.mongo import mongo_client
from cdp_runtime.records import MemoryRecords, MongoRecords, Record, Records, State, lost_inserts
from cdp_runtime.settings import MongoSettings
from motor.motor_asyncio import AsyncIOMotorDatabase
from pydantic import TypeAdapter, ValidationError
from pymongo import ASCENDING, InsertOne
from pymongo.errors import BulkWriteError

from cdp_consent.domain.choices import Choices, Mark
from cdp_consent.domain.ledger import GENESIS, Entry, Subject

Database: TypeAlias = AsyncIOMotorDatabase[State]

NEVER: Final = datetime.min.replace(tzinfo=UTC)
MARKS: Final[TypeAdapter[list[tuple[Purpose, Mark]]]] = TypeAdapter(list[tuple[Purpose, Mark]])
SIGNALS: Final[TypeAdapter[list[tuple[Purpose, datetime]]]] = TypeAdapter(list[tuple[Purpose, datetime]])
ENTRY: Final[TypeAdapter[Entry]] = TypeAdapter(Entry)


class SubjectRecord(Record):
    """A subject with its newest entries. Purposes are values in it, never field names: they may hold dots."""

    def __init__(self, id: str) -> None:  # noqa: A002  # as the runtime's record calls it
        super().__init__(id)
        self.subject = Subject(id)
        self._tail: list[State] = []

    @classmethod
    def from_state(cls, id: str, state: State) -> Self:  # noqa: A002
        """See Record."""
        record = cls(id)
        choices = Choices(
            marks=dict(MARKS.validate_python(state["marks"])), gpc=dict(SIGNALS.validate_python(state["gpc"]))
        )
        record.subject = Subject(id, state["tenant"], choices, state["seq"], state["head"])
        record._tail = state["tail"]
        return record

    def to_state(self) -> State:
        """See Record."""
        subject = self.subject
        return {
            "tenant": subject.tenant,
            "seq": subject.seq,
            "head": subject.head,
            "marks": MARKS.dump_python(list(subject.choices.marks.items()), mode="json"),
            "gpc": SIGNALS.dump_python(list(subject.choices.gpc.items()), mode="json"),
            "tail": [document_of(entry) for entry in subject.appended] or self._tail,
        }

    @property
    def tail(self) -> tuple[Entry, ...]:
        """The newest entries that are stored; those that are new since are the subject's."""
        return tuple(map(entry_in, self._tail))

    @property
    def displaced(self) -> tuple[Entry, ...]:
        """The entries that new ones take the place of."""
        return self.tail if self.subject.appended else ()


def document_of(entry: Entry) -> State:
    """An entry as BSON can hold it. Its id sorts by subject, then by seq."""
    document: State = ENTRY.dump_python(entry, mode="json")
    return {
        **document,
        "_id": f"{entry.subject}:{entry.seq:010d}",
        "states": [[purpose, standing] for purpose, standing in entry.states.items()],
    }


def entry_in(document: State) -> Entry:
    """The inverse of document_of."""
    return ENTRY.validate_python({**document, "states": dict(document["states"])})


def entry_found(document: State) -> Entry:
    """An entry of the ledger. One that can no longer be read as one holds no seal, so that `verify` finds it."""
    try:
        return entry_in(document)
    except (ValidationError, KeyError, TypeError, ValueError):
        subject, _, seq = document["_id"].partition(":")
        return Entry(subject, "", int(seq), {}, "", "", 0, "", "", NEVER, NEVER, NEVER, GENESIS)


class Ledger(Protocol):
    """Entries for good."""

    async def add(self, entries: Iterable[Entry]) -> None:
        """Insert what is not there yet. Never overwrites."""
        ...

    def entries(self, subject: str | None = None) -> AsyncIterator[Entry]:
        """The entries of one subject or of all, in the order of subject and seq."""
        ...


class Subjects(Records[SubjectRecord], Protocol):
    """The records of all ids."""

    def all(self) -> AsyncIterator[SubjectRecord]:
        """Every record, in the order of id."""
        ...


class ConsentStore:
    """State and ledger together."""

    def __init__(self, subjects: Subjects, ledger: Ledger) -> None:
        self.subjects = subjects
        self.ledger = ledger

    async def load(self, ids: Iterable[str]) -> dict[str, SubjectRecord]:
        """What is known of these ids, read afresh. One round trip."""
        return await self.subjects.load(ids)

    async def save(self, records: Mapping[str, SubjectRecord]) -> None:
        """Write what changed, if anything did. Conflict if somebody else wrote one of them since the load."""
        displaced = [entry for record in records.values() for entry in record.displaced]
        if displaced:
            await self.ledger.add(displaced)
        await self.subjects.save(records)

    async def chain(self, subject: str) -> tuple[Subject, list[Entry]]:
        """A subject and every entry of its chain."""
        record = (await self.subjects.load([subject]))[subject]
        return record.subject, joined([entry async for entry in self.ledger.entries(subject)], record.tail)

    async def chains(self) -> AsyncIterator[tuple[Subject, list[Entry]]]:
        """Every chain, in the order of subjects; one whose state is gone comes with a blank subject."""
        held = _by_subject(self.ledger.entries())
        subject, entries = await anext(held)
        async for record in self.subjects.all():
            while entries and subject < record.id:
                yield Subject(subject), entries
                subject, entries = await anext(held)
            own = entries if subject == record.id else []
            yield record.subject, joined(own, record.tail)
            if own:
                subject, entries = await anext(held)
        while entries:
            yield Subject(subject), entries
            subject, entries = await anext(held)

    async def ping(self) -> None:
        """Raise if the store does not answer."""
        await self.subjects.ping()


async def _by_subject(entries: AsyncIterator[Entry]) -> AsyncIterator[tuple[str, list[Entry]]]:
    """The entries of each subject, and once nothing after the last."""
    group: list[Entry] = []
    async for entry in entries:
        if group and entry.subject != group[0].subject:
            yield group[0].subject, group
            group = []
        group.append(entry)
    if group:
        yield group[0].subject, group
    yield "", []


def joined(ledger: list[Entry], tail: Iterable[Entry]) -> list[Entry]:
    """The ledger's entries and those it does not have yet."""
    known = {entry.seq for entry in ledger}
    return ledger + [entry for entry in tail if entry.seq not in known]


class MemorySubjects(MemoryRecords[SubjectRecord]):
    """Records in this process."""

    def __init__(self) -> None:
        super().__init__(SubjectRecord)

    async def all(self) -> AsyncIterator[SubjectRecord]:
        """See Subjects."""
        for i, document in sorted(self.documents.items()):
            yield self.restored(i, document)


class MemoryLedger:
    """Entries in this process."""

    def __init__(self) -> None:
        self.documents: dict[str, State] = {}

    async def add(self, entries: Iterable[Entry]) -> None:
        """See Ledger."""
        for document in map(document_of, entries):
            self.documents.setdefault(document["_id"], document)

    async def entries(self, subject: str | None = None) -> AsyncIterator[Entry]:
        """See Ledger."""
        for _, document in sorted(self.documents.items()):
            if subject in (None, document["subject"]):
                yield entry_found(document)


class MemoryConsentStore(ConsentStore):
    """State and ledger in this process."""

    def __init__(self) -> None:
        super().__init__(MemorySubjects(), MemoryLedger())


class MongoSubjects(MongoRecords[SubjectRecord]):
    """Records in the collection `states`."""

    def __init__(self, database: Database) -> None:
        super().__init__(database["states"], SubjectRecord)

    async def all(self) -> AsyncIterator[SubjectRecord]:
        """See Subjects."""
        async for document in self.collection.find().sort("_id", ASCENDING):
            yield self.restored(document["_id"], document)


class MongoLedger:
    """Entries in the collection `ledger`, which is only ever inserted to."""

    def __init__(self, database: Database) -> None:
        self._collection = database["ledger"]

    async def add(self, entries: Iterable[Entry]) -> None:
        """See Ledger."""
        try:
            await self._collection.bulk_write([InsertOne(document_of(e)) for e in entries], ordered=False)
        except BulkWriteError as error:
            lost_inserts(error)

    async def entries(self, subject: str | None = None) -> AsyncIterator[Entry]:
        """See Ledger."""
        mine = {"_id": {"$gt": f"{subject}:", "$lt": f"{subject};"}} if subject else {}
        async for document in self._collection.find(mine).sort("_id", ASCENDING):
            yield entry_found(document)


class MongoConsentStore(ConsentStore):
    """State and ledger in MongoDB. Nothing connects before the first call."""

    def __init__(self, settings: MongoSettings) -> None:
        self._client = mongo_client(settings, timeoutMS=int(settings.timeout_seconds * 1000))
        self.database: Database = self._client[f"{settings.database_prefix}_consent"]
        super().__init__(MongoSubjects(self.database), MongoLedger(self.database))

    async def migrate(self) -> None:
        """Make the ledger readable by tenant and time. Idempotent."""
        await self.database["ledger"].create_index([("tenant", ASCENDING), ("recorded_at", ASCENDING)])

    async def close(self) -> None:
        """Let go of the connections."""
        self._client.close()

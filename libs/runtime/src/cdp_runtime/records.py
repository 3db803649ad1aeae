"""The record: one document with a revision and the ids of what was applied to it.

One compare-and-set write applies a batch's messages to a record and notes their ids, with whatever part of
the outcome cannot be rebuilt. A message found there is not applied again; what it caused is emitted again.
"""

from __future__ import annotations

import pickle  # nosec B403  # for copies in memory alone
from collections import OrderedDict
from collections.abc import Iterable, Mapping
from datetime import datetime
from typing import Any, ClassVar, Final, Generic, Protocol, Self, TypeAlias, TypeVar, cast
from uuid import UUID

import bson
from bson.codec_options import CodecOptions
from bson.raw_bson import RawBSONDocument
from motor.motor_asyncio import AsyncIOMotorCollection
from pydantic import JsonValue
from pymongo import InsertOne, ReplaceOne
from pymongo.errors import BulkWriteError

from cdp_runtime.failures import Conflict, NewerRecord
from cdp_runtime.mongo import found
from cdp_runtime.recent import Recent

State: TypeAlias = dict[str, Any]  # what BSON can hold
D = TypeVar("D", State, State | None)

DUPLICATE_KEY: Final = 11000


class Record:
    """One document. Subclasses hold the state and say how it is written down.

    `schema_version` is raised with any change of the state that the version before would misread. Older records
    are understood by `from_state`. For a newer one the stage waits (NewerRecord): nothing is lost when a rollout
    is not complete or is taken back.
    """

    schema_version: ClassVar[int] = 1

    def __init__(self, id: str) -> None:  # noqa: A002  # the field's name
        self.id = id
        self.rev = 0
        self.recent = Recent()
        self.changed = False

    @classmethod
    def blank(cls, id: str) -> Self:  # noqa: A002
        """The record of which nothing is stored yet."""
        return cls(id)

    @classmethod
    def from_state(cls, id: str, state: State) -> Self:  # noqa: A002
        """The record that `to_state` wrote, in this version or in the earlier one that `schema_version` names."""
        raise NotImplementedError

    def to_state(self) -> State:
        """The state as BSON can hold it; the store adds `_id`, `schema_version`, `rev` and `recent`."""
        raise NotImplementedError

    @property
    def written_as(self) -> int:
        """The version it is written in: the oldest that can hold it, so that older readers wait for no more."""
        return self.schema_version

    def seen(self, message_id: UUID | str) -> bool:
        """Whether the message was applied before."""
        return message_id in self.recent

    def outcome(self, message_id: UUID | str) -> JsonValue:
        """What was remembered when it was applied."""
        return self.recent.outcome(message_id)

    def remember(self, message_id: UUID | str, now: datetime, outcome: JsonValue = None) -> None:
        """Note that the message is applied; the record will be saved."""
        self.recent.add(message_id, now, outcome)
        self.changed = True

    def touch(self) -> None:
        """The record will be saved."""
        self.changed = True


R = TypeVar("R", bound=Record)


class Records(Protocol[R]):
    """A store of records."""

    async def load(self, ids: Iterable[str]) -> dict[str, R]:
        """Every record asked for, blank where nothing is stored. One round trip.

        Raises NewerRecord if any was written by a newer version of the service.
        """
        ...

    async def save(self, records: Mapping[str, R]) -> None:
        """Write those that changed, each only if nobody wrote it since it was loaded.

        Raises Conflict if any lost; the others are written then, and safe to be applied again.
        """
        ...

    async def ping(self) -> None:
        """Raise if the store does not answer."""
        ...


class MemoryRecords(Generic[R]):
    """Records in this process; same promises as the store on MongoDB."""

    def __init__(self, kind: type[R]) -> None:
        self._kind = kind
        self.documents: dict[str, State] = {}

    async def load(self, ids: Iterable[str]) -> dict[str, R]:
        """See Records."""
        return {i: self.restored(i, copied(self.documents.get(i))) for i in dict.fromkeys(ids)}

    def restored(self, id_: str, document: State | None) -> R:
        """The record in a document of this store."""
        return restored(self._kind, id_, document, self._kind.__name__)

    async def save(self, records: Mapping[str, R]) -> None:
        """See Records."""
        lost = 0
        for record in records.values():
            if not record.changed:
                continue
            stored = self.documents.get(record.id)
            if (stored["rev"] if stored else 0) != record.rev:
                lost += 1
                continue
            self.documents[record.id] = copied(document_of(record))
            settle(record)
        if lost:
            raise Conflict(f"{lost} of {len(records)} records were written by somebody else")

    async def ping(self) -> None:
        """See Records."""


def copied(document: D) -> D:
    """A copy that shares nothing: what is done to one does not show in the other."""
    copy: D = pickle.loads(pickle.dumps(document, pickle.HIGHEST_PROTOCOL))  # noqa: S301  # nosec B301  # our own bytes; deepcopy is six times slower
    return copy


class Kept:
    """Documents that this process wrote last, as bytes; the ones not asked for the longest go first.

    What is taken is gone, until it has been written and acknowledged again: a failure leaves nothing behind.
    """

    def __init__(self, most_bytes: int, options: CodecOptions[State]) -> None:
        self._most = most_bytes
        self._options = options
        self._size = 0
        self._documents: OrderedDict[str, bytes] = OrderedDict()

    def put(self, id_: str, document: bytes) -> None:
        """Keep a document."""
        self.take(id_)
        self._documents[id_] = document
        self._size += len(document)
        while self._size > self._most:
            _, oldest = self._documents.popitem(last=False)
            self._size -= len(oldest)

    def take(self, id_: str) -> State | None:
        """The document as it was written, if it is still kept."""
        document = self._documents.pop(id_, None)
        if document is None:
            return None
        self._size -= len(document)
        return bson.decode(document, self._options)


class MongoRecords(Generic[R]):
    """Records as documents of a MongoDB collection; needs no index beyond `_id`, no transaction.

    With `keep_bytes`, records that this process wrote last are not read again. They may be out of date once
    somebody else writes them: for stages whose every decision is followed by a save, which is then refused.
    With `only_read`, what records remember of messages stays where it is: for those who save nothing.
    """

    def __init__(
        self,
        collection: AsyncIOMotorCollection[State],
        kind: type[R],
        *,
        keep_bytes: int = 0,
        only_read: bool = False,
    ) -> None:
        self.collection = collection
        self._kind = kind
        self._without = ("recent",) if only_read else ()
        self._kept = Kept(keep_bytes, collection.codec_options)

    async def load(self, ids: Iterable[str]) -> dict[str, R]:
        """See Records."""
        wanted = {i: self._kept.take(i) for i in dict.fromkeys(ids)}
        unknown = [i for i, kept in wanted.items() if kept is None]
        documents = await found(self.collection, unknown, self._without)
        return {i: self.restored(i, kept or documents.get(i)) for i, kept in wanted.items()}

    def restored(self, id_: str, document: State | None) -> R:
        """The record in a document of this collection."""
        where = f"{self.collection.database.name}.{self.collection.name}"
        return restored(self._kind, id_, document, where)

    async def save(self, records: Mapping[str, R]) -> None:
        """See Records."""
        changed = {record.id: record for record in records.values() if record.changed}
        encoded = {i: bson.encode(document_of(record)) for i, record in changed.items()}
        new = [InsertOne(raw(encoded[i])) for i, record in changed.items() if record.rev == 0]
        known = [ReplaceOne({"_id": i, "rev": r.rev}, raw(encoded[i])) for i, r in changed.items() if r.rev > 0]
        lost = await self._insert(new) + await self._update(known)
        if lost:
            raise Conflict(f"{lost} of {len(changed)} records were written by somebody else")
        for i, record in changed.items():
            settle(record)
            self._kept.put(i, encoded[i])

    async def _insert(self, writes: list[InsertOne[State]]) -> int:
        if not writes:
            return 0
        try:
            await self.collection.bulk_write(writes, ordered=False)
        except BulkWriteError as error:
            return lost_inserts(error)
        return 0

    async def _update(self, writes: list[ReplaceOne[State]]) -> int:
        if not writes:
            return 0
        result = await self.collection.bulk_write(writes, ordered=False)
        return len(writes) - result.matched_count

    async def ping(self) -> None:
        """See Records."""
        await self.collection.database.command("ping")


def restored(kind: type[R], id: str, document: State | None, where: str) -> R:  # noqa: A002
    """The record in a document found there, blank if there is none; NewerRecord if it cannot be read."""
    if document is None:
        return kind.blank(id)
    written = document.get("schema_version", 1)
    if written > kind.schema_version:
        raise NewerRecord(where, written, kind.schema_version)
    record = kind.from_state(id, document)
    record.rev = document["rev"]
    record.recent = Recent.parse(document["recent"]) if "recent" in document else Recent()
    return record


def document_of(record: Record) -> State:
    """The document of a record's next revision."""
    return {
        **record.to_state(),
        "_id": record.id,
        "schema_version": record.written_as,
        "rev": record.rev + 1,
        "recent": record.recent.dump(),
    }


class Encoded(RawBSONDocument):
    """A document that the driver sends on as it is; to ask whether it is empty would decode it."""

    def __bool__(self) -> bool:
        """It has at least an `_id`."""
        return True


def raw(document: bytes) -> State:
    """A document in bytes, where the driver wants one."""
    return cast("State", Encoded(document))


def settle(record: Record) -> None:
    """The record stands as it is stored."""
    record.rev += 1
    record.changed = False


def lost_inserts(error: BulkWriteError) -> int:
    """How many inserts failed because the document was there; raises the error if anything else failed."""
    errors = error.details["writeErrors"]
    if any(e["code"] != DUPLICATE_KEY for e in errors) or error.details.get("writeConcernErrors"):
        raise error
    return len(errors)

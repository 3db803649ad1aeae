"""One suite for the record stores: in memory, and on MongoDB's wire."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import suppress
from datetime import UTC, datetime, timedelta
from typing import Any, TypeAlias
from uuid import uuid4

import bson
import pytest
from bson.codec_options import CodecOptions
from cdp_devstack.servers import Stack
from cdp_runtime.failures import Conflict, NewerRecord
from cdp_runtime.recent import KEEP, Recent
from cdp_runtime.records import Kept, MemoryRecords, MongoRecords, Record, Records, State
from hypothesis import given
from hypothesis import strategies as st
from motor.motor_asyncio import AsyncIOMotorClient, AsyncIOMotorCollection

NOON = datetime(2026, 1, 5, 12, 0, tzinfo=UTC)


class Counter(Record):
    """A number."""

    def __init__(self, id: str) -> None:  # noqa: A002
        super().__init__(id)
        self.value = 0

    @classmethod
    def from_state(cls, id: str, state: State) -> Counter:  # noqa: A002
        counter = cls(id)
        counter.value = state["value"]
        return counter

    def to_state(self) -> State:
        return {"value": self.value}

    def add(self, message_id: str, amount: int) -> None:
        if not self.seen(message_id):
            self.value += amount
            self.remember(message_id, NOON, {"after": self.value})


class NamedCounter(Counter):
    """What a later version makes of it: state that the version before would lose."""

    schema_version = 2
    name = ""

    @classmethod
    def from_state(cls, id: str, state: State) -> NamedCounter:  # noqa: A002
        counter = cls(id)
        counter.value, counter.name = state["value"], state["name"] if state["schema_version"] > 1 else ""
        return counter

    def to_state(self) -> State:
        return {"value": self.value, "name": self.name}


Store: TypeAlias = Records[Counter]


@pytest.fixture(scope="module")
def mongo() -> Iterator[Callable[[], str]]:
    started: list[Stack] = []

    def url() -> str:
        if not started:
            started.append(Stack.start("embedded", only=("mongo",)))
        return started[0].mongo

    yield url
    for stack in started:
        stack.stop()


KEEP_BYTES = {"mongo": 0, "mongo-keeping": 1024 * 1024}


@pytest.fixture
async def collection(mongo: Callable[[], str]) -> AsyncIterator[AsyncIOMotorCollection[State]]:
    client: AsyncIOMotorClient[State] = AsyncIOMotorClient(mongo(), tz_aware=True)
    yield client["tests"][f"counters-{uuid4().hex}"]
    client.close()


@pytest.fixture(params=["memory", *(pytest.param(kind, marks=pytest.mark.wire) for kind in KEEP_BYTES)])
def store(request: pytest.FixtureRequest) -> Store:
    if request.param == "memory":
        return MemoryRecords(Counter)
    return MongoRecords(request.getfixturevalue("collection"), Counter, keep_bytes=KEEP_BYTES[request.param])


async def test_what_is_not_there_comes_blank(store: Store) -> None:
    records = await store.load(["a", "b", "a"])
    assert [(r.id, r.rev, r.value) for r in records.values()] == [("a", 0, 0), ("b", 0, 0)]


async def test_a_record_comes_back_as_it_was_saved(store: Store) -> None:
    records = await store.load(["a"])
    records["a"].add("m1", 5)
    await store.save(records)
    again = (await store.load(["a"]))["a"]
    assert (again.value, again.rev, again.seen("m1"), again.seen("m2")) == (5, 1, True, False)
    assert again.outcome("m1") == {"after": 5}


async def test_a_saved_record_can_be_saved_again_without_loading(store: Store) -> None:
    records = await store.load(["a"])
    for n in range(3):
        records["a"].add(f"m{n}", 1)
        await store.save(records)
    assert (await store.load(["a"]))["a"].value == 3


def newer(store: Store) -> Store:
    """The same documents as a later version of the service sees them."""
    if isinstance(store, MemoryRecords):
        after = MemoryRecords(NamedCounter)
        after.documents = store.documents
        return after
    assert isinstance(store, MongoRecords)
    return MongoRecords(store.collection, NamedCounter)


async def test_a_record_of_a_newer_version_is_not_read_and_nothing_of_it_is_told(store: Store) -> None:
    later = newer(store)
    records = await later.load(["ann@example.org", "b"])
    records["ann@example.org"].add("m1", 424242)
    await later.save(records)
    with pytest.raises(NewerRecord, match=r"in \S*ounter\S* was written with schema version 2,.* 1:") as error:
        await store.load(["b", "ann@example.org"])
    assert "ann" not in str(error.value)
    assert "424242" not in str(error.value)
    assert (await store.load(["b"]))["b"].rev == 0, "what else there is can be read"


async def test_what_this_version_kept_of_a_record_is_not_written_over_a_newer_one(store: Store) -> None:
    records = await store.load(["a"])
    records["a"].add("m1", 1)
    await store.save(records)
    after = await newer(store).load(["a"])
    after["a"].add("m2", 1)
    await newer(store).save(after)
    records["a"].add("m3", 1)
    with pytest.raises(Conflict):
        await store.save(records)
    with suppress(NewerRecord, Conflict):  # a store that keeps what it wrote meets it when it writes
        stale = await store.load(["a"])
        stale["a"].add("m4", 1)
        await store.save(stale)
    with pytest.raises(NewerRecord):
        await store.load(["a"])


async def test_a_record_of_an_earlier_version_is_read_and_written_in_the_new_one(store: Store) -> None:
    records = await store.load(["a"])
    records["a"].add("m1", 5)
    await store.save(records)
    after = await newer(store).load(["a"])
    assert after["a"].value == 5
    after["a"].add("m2", 1)
    await newer(store).save(after)
    again = (await newer(store).load(["a"]))["a"]
    assert (again.value, again.rev, again.seen("m1")) == (6, 2, True)


async def test_what_did_not_change_is_not_written(store: Store) -> None:
    first, second = await store.load(["a"]), await store.load(["a"])
    await store.save(first)
    second["a"].add("m1", 1)
    await store.save(second)
    assert (await store.load(["a"]))["a"].rev == 1


@pytest.mark.parametrize("known", [False, True], ids=["insert", "update"])
async def test_of_two_writers_one_loses_and_nothing_is_lost(store: Store, *, known: bool) -> None:
    if known:
        records = await store.load(["a"])
        records["a"].add("m0", 100)
        await store.save(records)
    one, two = await store.load(["a", "b"]), await store.load(["a", "c"])
    one["a"].add("m1", 1)
    one["b"].add("m1", 1)
    two["a"].add("m2", 2)
    two["c"].add("m2", 2)
    await store.save(one)
    with pytest.raises(Conflict):
        await store.save(two)
    again = await store.load(["a", "c"])
    assert again["c"].value == 2
    for record in again.values():
        record.add("m2", 2)
    await store.save(again)
    final = await store.load(["a", "b", "c"])
    assert {i: r.value for i, r in final.items()} == {"a": 103 if known else 3, "b": 1, "c": 2}


@pytest.mark.wire
async def test_a_record_kept_while_somebody_else_wrote_it_loses_and_is_read_afresh(
    collection: AsyncIOMotorCollection[State],
) -> None:
    mine, theirs = (MongoRecords(collection, Counter, keep_bytes=1024 * 1024) for _ in range(2))
    for n, writer in enumerate([mine, theirs]):
        records = await writer.load(["a"])
        records["a"].add(f"m{n}", 1)
        await writer.save(records)
    stale = await mine.load(["a"])
    stale["a"].add("m2", 1)
    with pytest.raises(Conflict):
        await mine.save(stale)
    fresh = await mine.load(["a"])
    assert (fresh["a"].value, fresh["a"].rev) == (2, 2)


@pytest.mark.wire
async def test_what_is_kept_is_not_read_again_and_is_what_was_written(
    collection: AsyncIOMotorCollection[State],
) -> None:
    keeping = MongoRecords(collection, Counter, keep_bytes=1024 * 1024)
    records = await keeping.load(["a"])
    records["a"].add("m1", 1)
    await keeping.save(records)
    records["a"].value = 99
    await collection.delete_many({})
    assert (await keeping.load(["a"]))["a"].value == 1
    assert (await keeping.load(["a"]))["a"].rev == 0


def test_what_was_not_asked_for_the_longest_is_let_go_first() -> None:
    kept = Kept(100, CodecOptions())
    for name in "abc":
        kept.put(name, bson.encode({"_id": name, "filling": "x" * 20}))
    assert [name for name in "abc" if kept.take(name)] == ["b", "c"]
    assert kept.take("b") is None


async def test_it_answers_a_ping(store: Store) -> None:
    await store.ping()


def test_recent_keeps_the_newest_and_grows_for_hot_records_only() -> None:
    calm, hot = Recent(), Recent()
    for n in range(500):
        calm.add(str(n), NOON + timedelta(minutes=n))
        hot.add(str(n), NOON + timedelta(milliseconds=n))
    assert len(calm) == KEEP
    assert "499" in calm
    assert len(hot) == 500


@given(st.lists(st.integers(0, 30), max_size=80), st.integers(0, 80))
def test_messages_applied_in_any_number_of_copies_count_once(ids: list[int], cut: int) -> None:
    counter = Counter("a")
    for n in ids:
        counter.add(str(n), n)
    revived = Counter.from_state("a", counter.to_state())
    revived.recent = Recent.parse(counter.recent.dump())
    for n in ids[:cut]:
        revived.add(str(n), n)
    assert revived.value == sum(set(ids))


@given(st.lists(st.integers(0, 9)), st.lists(st.integers(10, 19)))
def test_absorbing_takes_over_what_was_seen(mine: list[int], theirs: list[int]) -> None:
    a, b = Recent(), Recent()
    for n in mine:
        a.add(str(n), NOON + timedelta(seconds=n))
    for n in theirs:
        b.add(str(n), NOON + timedelta(seconds=n))
    a.absorb(b)
    assert all(str(n) in a for n in (*mine, *theirs))


REMEMBERED = st.lists(st.tuples(st.text(), st.floats(0, 2e9), st.none() | st.text() | st.lists(st.text())))


@given(REMEMBERED)
def test_what_is_remembered_is_one_json_text_and_read_as_it_was(entries: list[tuple[str, float, Any]]) -> None:
    """Whatever ids and outcomes hold. An earlier version reads the text, and wrote it without line breaks."""
    recent = Recent(entries)
    listed = [list(entry) for entry in recent]
    assert json.loads(recent.dump()) == listed
    for dumped in (recent.dump(), json.dumps(listed, separators=(",", ":"), ensure_ascii=False)):
        again = Recent.parse(dumped)
        assert [list(entry) for entry in again] == listed
        assert all(id_ in again and again.outcome(id_) == outcome for id_, _, outcome in listed)
        assert again.dump() == recent.dump()

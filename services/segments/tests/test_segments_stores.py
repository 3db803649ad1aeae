"""One suite for the store in memory and the store on MongoDB's wire."""

from __future__ import annotations

import asyncio
from uuid import uuid4

import pytest
from cdp_devstack.servers import Stack
from cdp_runtime.failures import Conflict
from cdp_runtime.settings import MongoSettings
from cdp_segments.domain.engine import involved, react, wake
from cdp_segments.domain.person import Person
from cdp_segments.domain.telling import Delivery, milliseconds_of
from cdp_segments.store import MemoryPersonStore, MongoPersonStore
from cdp_segments.timers import Alarm
from pymongo.errors import ServerSelectionTimeoutError

VIEWED = {"kind": "count", "event": "view", "op": ">=", "n": 1}
RECENT = {"kind": "sliding", "seconds": 5}


@pytest.fixture(scope="module")
def mongo():
    with Stack.start("embedded", only=["mongo"]) as stack:
        yield stack.mongo


@pytest.fixture(params=["memory", pytest.param("mongo", marks=pytest.mark.wire)])
async def store(request):
    if request.param == "memory":
        yield MemoryPersonStore()
        return
    url = request.getfixturevalue("mongo")
    store = MongoPersonStore(MongoSettings(url=url, database_prefix=f"test{uuid4().hex[:8]}"))
    await store.migrate()
    yield store
    await store.close()


@pytest.fixture
def write(make, store):
    """Apply updates in one load and one save."""
    catalog = make.catalog(
        make.segment("viewed", **VIEWED),
        make.segment("active", **VIEWED, window=RECENT),
        make.segment("visited", **VIEWED, window={"kind": "session"}),
        make.segment("odd", kind="trait", trait="a.b", op="exists"),
    )

    async def write(*updates, partition=0):
        people = await store.load(record for update in updates for record in involved(update))
        for n, update in enumerate(updates):
            react(people, update, Delivery(partition, n, milliseconds_of(update.received_at)), catalog)
        await store.save(people)
        return people

    return write


def state_of(person: Person):
    return {**person.to_state(), "_rev": person.rev}


async def test_what_is_not_stored_is_blank(make, store):
    people = await store.load([make.person_id("ann")])
    assert [(p.rev, p.members, p.wake_at) for p in people.values()] == [(0, {}, None)]
    assert await store.load([]) == {}


async def test_a_person_comes_back_as_saved(make, store, write, noon):
    updates = [make.event(n, "ann", at=n * 1000) for n in range(5)]
    odd = make.traits(9, "ann", at=5000, a={"b": {"$set": [1.5, "é", 2**70], "x.y": None}})
    people = await write(*updates, odd)
    (ann,) = people.values()
    wake(ann, milliseconds_of(noon) + 10_000_000, make.catalog())
    ann.touch()
    await store.save(people)
    again = (await store.load([ann.id]))[ann.id]
    assert state_of(again) == state_of(ann)
    assert again.trait("a.b") == {"$set": [1.5, "é", 2**70], "x.y": None}


async def test_of_two_writers_one_conflicts(make, store, write):
    first = await store.load([make.person_id("ann")])
    await write(make.event(1, "ann"))
    for person in first.values():
        person.touch()
    with pytest.raises(Conflict):
        await store.save(first)


async def test_load_follows_redirects_and_redirects_let_go(make, store, write):
    await write(make.event(1, "device"), make.event(2, "phone"))
    await write(make.merge(3, "phone", "device"))
    await write(make.merge(4, "ann", "phone"))
    people = await store.load([make.person_id("device")])
    assert [p.target for p in people.values()] == [make.person_id("phone"), make.person_id("ann"), None]
    assert [p.holds_state for p in people.values()] == [False, False, True]
    assert people[make.person_id("ann")].members.keys() == {"viewed", "active", "visited"}


async def test_sizes_and_members_by_page(make, store, write):
    names = [f"p{n}" for n in range(7)]
    await write(*(make.event(n, name) for n, name in enumerate(names)), make.event(8, "bob", "other"))
    everybody = sorted(str(make.profile_id(name)) for name in names)
    assert await store.size("demo", "viewed") == 7
    assert [await store.size(*who) for who in (("demo", "odd"), ("other", "viewed"))] == [0, 0]
    first = await store.members("demo", "viewed", "", 4)
    rest = await store.members("demo", "viewed", first[-1].profile_id, 4)
    assert [m.profile_id for m in (*first, *rest)] == everybody
    (member, *_) = await store.members("demo", "active", "", 1)
    assert member.expires_at == member.since + 5000


async def test_an_absorbed_person_is_no_member(make, store, write):
    await write(make.event(1, "ann"), make.event(2, "device"))
    await write(make.merge(3, "ann", "device"))
    assert await store.size("demo", "viewed") == 1


async def test_alarms_by_partition_and_time(make, store, write, noon, monkeypatch):
    monkeypatch.setattr("cdp_segments.store.PAGE", 2)
    start = milliseconds_of(noon)
    await write(*(make.event(n, f"p{n}", at=n) for n in range(5)))
    await write(make.event(7, "bob"), partition=1)

    async def found(partition, until):
        return {alarm async for page in store.alarms(partition, until) for alarm in page}

    expected = {Alarm(0, make.person_id(f"p{n}"), start + 5000 + n * 1000) for n in range(3)}
    assert await found(0, start + 7000) == expected
    assert await found(1, start + 7000) == {Alarm(1, make.person_id("bob"), start + 5000)}
    assert await found(1, start) == set()


async def test_the_timers_of_people_as_they_stand(make, store, write, noon):
    await write(make.event(1, "ann"), make.event(2, "bob", "other"))
    asked = [make.person_id(name) for name in ("ann", "bob", "nobody")]
    assert list(await store.stored_alarms(asked)) == [Alarm(0, asked[0], milliseconds_of(noon) + 5000)]


async def test_ping(store):
    await store.ping()


@pytest.mark.wire
async def test_migrate_may_run_again(mongo):
    store = MongoPersonStore(MongoSettings(url=mongo, database_prefix=f"test{uuid4().hex[:8]}"))
    await asyncio.gather(store.migrate(), store.migrate())
    indexes = await store.collection.index_information()
    assert indexes["tenant_segment"]["key"] == [("tenant", 1), ("members.segment", 1), ("_id", 1)]
    assert indexes["partition_wake_at"]["key"] == [("partition", 1), ("wake_at", 1)]
    await store.close()


async def test_a_store_that_is_away_says_so():
    store = MongoPersonStore(MongoSettings(url="mongodb://127.0.0.1:9", timeout_seconds=0.1))
    for asked in (store.load(["demo/x"]), store.size("demo", "s"), store.ping()):
        with pytest.raises(ServerSelectionTimeoutError):
            await asked
    await store.close()

"""One suite for what is read of everybody, in memory and on MongoDB's wire."""

from __future__ import annotations

from uuid import uuid4

import pytest
from cdp_devstack.servers import Stack
from cdp_runtime.failures import Conflict
from cdp_runtime.settings import MongoSettings
from cdp_segments.census import MemoryCensus, MongoCensus
from cdp_segments.domain.activity import DAY, activity_id
from cdp_segments.domain.draws import draw
from cdp_segments.domain.engine import involved, react
from cdp_segments.domain.history import Flip
from cdp_segments.domain.telling import Delivery, milliseconds_of
from cdp_segments.history.store import MemoryHistoryStore, MongoHistoryStore
from cdp_segments.store import MemoryPersonStore, MongoPersonStore
from stories import SESSION, count

TRAIT = {"kind": "trait", "trait": "plan", "op": "==", "value": "pro"}
SPENT = {"kind": "aggregate", "function": "sum", "event": "view", "property": "price", "value": 5}


@pytest.fixture(scope="module")
def mongo():
    with Stack.start("embedded", only=["mongo"]) as stack:
        yield stack.mongo


@pytest.fixture(params=["memory", pytest.param("mongo", marks=pytest.mark.wire)])
async def stores(request):
    """People, everybody at once, and histories."""
    if request.param == "memory":
        people = MemoryPersonStore()
        yield people, MemoryCensus(people), MemoryHistoryStore()
        return
    settings = MongoSettings(url=request.getfixturevalue("mongo"), database_prefix=f"test{uuid4().hex[:8]}")
    people, histories = MongoPersonStore(settings), MongoHistoryStore(settings)
    await people.migrate()
    await histories.migrate()
    yield people, MongoCensus(people), histories
    await people.close()
    await histories.close()


@pytest.fixture
def catalog(make):
    return make.catalog(
        make.segment("viewed", **count("view")), make.segment("pro", **TRAIT), make.segment("spent", **SPENT),
        make.segment("visited", **count("view", n=2), **SESSION),
    )  # fmt: skip


@pytest.fixture
def write(stores, catalog):
    async def write(*updates):
        people = await stores[0].load(record for update in updates for record in involved(update))
        for n, update in enumerate(updates):
            react(people, update, Delivery(0, n, milliseconds_of(update.received_at)), catalog)
        await stores[0].save(people)

    return write


async def everybody(census, tenant="demo"):
    return [person async for page in census.people(tenant) for person in page]


async def test_everybody_once_in_the_order_of_their_numbers(stores, make, write, monkeypatch):
    _, census, _ = stores
    monkeypatch.setattr("cdp_segments.census.PAGE", 3)
    await write(*(make.event(n, f"p{n}") for n in range(7)), make.merge(9, "p0", "p1"))
    people = await everybody(census)
    assert [person.profile_id for person in people] == sorted(
        (str(make.profile_id(f"p{n}")) for n in (0, 2, 3, 4, 5, 6)), key=draw
    )
    assert (await census.population("demo"), await census.population("other")) == (6, 0)
    assert await everybody(census, "other") == []


async def test_of_each_there_is_what_conditions_ask_for(stores, make, write, catalog, noon):
    people, census, _ = stores
    await write(
        make.event(1, "ann", price=3), make.event(2, "ann", at=5, price=2),
        make.traits(3, "ann", at=6, plan="pro"),
        make.event(4, "bob", price=4, part="d" * 32),
    )  # fmt: skip
    whole = await people.load([make.person_id("ann"), make.person_id("bob")])
    now = milliseconds_of(noon) + 6000
    for person in await everybody(census):
        truths = {name: segment.truth(person, now) for name, segment in catalog.segments.items()}
        assert {name for name, truth in truths.items() if truth} == whole[person.id].members.keys()
        assert person.evaluated_at == whole[person.id].evaluated_at


async def test_who_is_in_both(stores, make, write):
    await write(make.event(1, "ann"), make.traits(2, "ann", plan="pro"), make.event(3, "bob"))
    await write(make.traits(4, "eve", plan="pro"))
    _, census, _ = stores
    assert await census.both("demo", "viewed", "pro") == 1
    assert await census.both("demo", "viewed", "viewed") == 2
    assert await census.both("other", "viewed", "pro") == 0


@pytest.mark.wire
async def test_numbers_are_drawn_for_people_of_an_earlier_version(mongo, make):
    store = MongoPersonStore(MongoSettings(url=mongo, database_prefix=f"test{uuid4().hex[:8]}"))
    old = [{"_id": f"demo/{n}", "tenant": "demo", "into": None} for n in range(5)]
    await store.collection.insert_many([*old, {"_id": "demo/9", "tenant": "demo", "into": "1"}])
    await store.migrate()
    drawn = {d["_id"]: d.get("draw") async for d in store.collection.find()}
    assert drawn == {"demo/9": None, **{d["_id"]: draw(d["_id"][5:]) for d in old}}
    assert await MongoCensus(store).population("demo") == 5
    await store.close()


def flip(day, segment="viewed", *, entered=True, hour=0):
    return Flip(day * DAY + hour * 3_600_000, segment, 1, entered, "event", None, 1, ())


async def test_sums_by_day_and_partition(stores):
    histories = stores[2]
    flips = [flip(n) for n in range(20_000, 20_005)] + [flip(20_001, "other"), flip(20_001, "viewed-too")]
    for partition in (0, 1, 10):
        ids = [activity_id("demo", each, partition) for each in flips]
        sums = await histories.load_activity(ids)
        for id_, each in zip(ids, flips, strict=True):
            sums[id_].count(each, 7)
        await histories.save_activity(sums)
    found = await histories.activity("demo", "viewed", 20_001, 20_003)
    assert sorted(each.day for each in found) == sorted([20_001, 20_002, 20_003] * 3)
    assert [sum(each.counts.values()) for each in found] == [1] * 9
    assert await histories.activity("other", "viewed", 20_000, 20_005) == []


async def test_what_a_sum_has_counted_it_counts_no_more(stores):
    histories = stores[2]
    id_ = activity_id("demo", flip(20_000), 0)
    for offsets in ([1, 2, 2], [2, 1], [2, 3]):
        sums = await histories.load_activity([id_])
        for offset in offsets:
            sums[id_].count(flip(20_000, entered=offset != 2), offset)
        await histories.save_activity(sums)
    (found,) = await histories.activity("demo", "viewed", 20_000, 20_000)
    assert sorted((cell.entered, n) for cell, n in found.counts.items()) == [(False, 2), (True, 2)]


async def test_of_two_writers_one_conflicts(stores):
    histories = stores[2]
    one, other = [await histories.load(["demo/ann"]) for _ in range(2)]
    for found in (one, other):
        found["demo/ann"].touch()
    await histories.save(one)
    with pytest.raises(Conflict):
        await histories.save(other)
    await histories.ping()


@pytest.mark.wire
async def test_sums_expire(mongo):
    settings = MongoSettings(url=mongo, database_prefix=f"test{uuid4().hex[:8]}")
    histories = MongoHistoryStore(settings)
    await histories.migrate()
    await histories.migrate()
    indexes = await histories.sums.collection.index_information()
    assert indexes["day"]["expireAfterSeconds"] == 102 * 86400
    await histories.close()

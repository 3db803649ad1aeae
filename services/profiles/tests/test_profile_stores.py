"""One suite for the store in memory and the store on MongoDB's wire."""

from __future__ import annotations

import asyncio
from uuid import UUID, uuid4

import pytest
from cdp_contracts.identities_v1 import Parting
from cdp_devstack.servers import Stack
from cdp_profiles.domain.events import identifier
from cdp_profiles.domain.limits import Limits
from cdp_profiles.domain.merging import absorb, freeze, release
from cdp_profiles.domain.parting import hand_over, note
from cdp_profiles.domain.parts import micros
from cdp_profiles.domain.updating import update
from cdp_profiles.store import MemoryProfileStore, MongoProfileStore
from cdp_runtime.failures import Conflict
from cdp_runtime.pseudonyms import Pseudonymizer
from cdp_runtime.settings import MongoSettings
from pymongo.errors import ServerSelectionTimeoutError

PEPPER = b"pepper for the tests"


@pytest.fixture(scope="module")
def mongo():
    with Stack.start("embedded", only=["mongo"]) as stack:
        yield stack.mongo


def fresh(url):
    """A database of its own on that server."""
    return MongoSettings(url=url, database_prefix=f"test{uuid4().hex[:8]}")


@pytest.fixture(params=["memory", pytest.param("mongo", marks=pytest.mark.wire)])
async def store(request, make):
    if request.param == "memory":
        yield MemoryProfileStore(make.pseudonyms)
        return
    url = request.getfixturevalue("mongo")
    store = MongoProfileStore(fresh(url), make.pseudonyms)
    await store.migrate()
    yield store
    await store.close()


@pytest.fixture
def write(make, noon, store):
    """Apply events in one load and one save."""

    async def write(*events):
        people = await store.load(make.record_id(name) for name in ("ann", "bob", "device"))
        facts = [update(people, event, Limits(), noon).fact for event in events]
        await store.save(people)
        return facts

    return write


async def reload(make, store, name):
    people = await store.load([make.record_id(name)])
    return people[make.record_id(name)]


async def test_what_is_not_stored_is_blank(make, store):
    ann = await reload(make, store, "ann")
    assert (ann.rev, ann.revision, ann.parts) == (0, 0, {})
    assert await store.load([]) == {}


async def test_a_profile_comes_back_as_it_was_saved(make, store, write, noon):
    nested = {"deep": None, "$set": {"a.b": [1, 2.5, "é"]}, "": True, "huge": 2**70}
    for level in range(150):
        nested["deep"] = {"level": level, "deep": nested["deep"]}
    odd = (noon.replace(microsecond=123457) - noon).total_seconds()
    events = [
        make.identify(1, "ann", at=odd, **{"$plan": "pro", "a.b": nested, "email": "a@b.example"}),
        make.event(2, "ann", name="Product.Viewed\0", user_id="u1"),
    ]
    await write(*events)
    people = make.blank("ann")
    for event in events:
        update(people, event, Limits(), noon)
    (expected,) = people.values()
    ann = await reload(make, store, "ann")
    assert ann.parts == expected.parts
    assert ann.joined.values(["a.b"]) == {"a.b": nested}
    assert ann.joined.first_seen == micros(noon) + 123457
    assert (ann.rev, ann.revision, ann.recent.dump()) == (1, 2, expected.recent.dump())


async def test_told_in_the_same_words_from_the_store(make, write):
    events = [make.identify(n, "ann", plan=n) for n in range(3)]
    assert await write(*events) == await write(*events)


async def test_of_two_writers_one_conflicts(make, store, write, noon):
    await write(make.event(0, "bob"))
    for name in ("ann", "bob"):  # a new record, and one that is there
        copies = [await store.load([make.record_id(name)]) for _ in range(2)]
        for n, copy in enumerate(copies):
            update(copy, make.event(n + 1, name), Limits(), noon)
        await store.save(copies[0])
        with pytest.raises(Conflict):
            await store.save(copies[1])


async def test_a_record_can_be_saved_again_without_loading(make, store, noon):
    people = await store.load([make.record_id("ann")])
    for n in range(3):
        update(people, make.event(n, "ann"), Limits(), noon)
        await store.save(people)
    assert (await reload(make, store, "ann")).joined.counters == {"Product Viewed": 3}


async def test_load_follows_redirects(make, store, write, noon):
    await write(make.event(1, "device"))
    for merge in (make.merge("bob", "device"), make.merge("ann", "bob")):
        people = await store.load([make.record_id(name) for name in ("ann", "bob", "device")])
        freeze(people, [merge])
        absorb(people, merge, noon)
        release(people, [merge])
        await store.save(people)
    people = await store.load([make.record_id("device")])
    assert people.keys() == {make.record_id(name) for name in ("ann", "bob", "device")}
    assert people[make.record_id("ann")].joined.counters == {"Product Viewed": 1}


async def test_find_sees_who_has_the_identifier(make, store, write):
    await write(
        make.event(1, "ann", user_id="u1", anonymous_id="tablet"),
        make.event(2, "bob", user_id="u2", anonymous_id="tablet"),
    )  # fmt: skip

    async def found(kind, value, tenant="demo"):
        return {profile.id for profile in await store.find(tenant, identifier(kind, value))}

    assert await found("user_id", "u1") == {make.record_id("ann")}
    assert await found("anonymous_id", "tablet") == {make.record_id("ann"), make.record_id("bob")}
    assert await found("user_id", "tablet") == set()
    assert await found("user_id", "u1", tenant="other") == set()
    await write(make.event(3, "ann", user_id="u1", anonymous_id="tablet"))
    assert await found("user_id", "u1") == {make.record_id("ann")}


async def test_find_follows_redirects(make, store, write, noon):
    await write(make.event(1, "device", anonymous_id="tablet"), make.event(2, "ann", anonymous_id="tablet"))
    people = await store.load([make.record_id("ann"), make.record_id("device")])
    for step in (freeze, lambda people, merges: absorb(people, merges[0], noon), release):
        step(people, [make.merge("ann", "device")])
        await store.save(people)
        found = await store.find("demo", identifier("anonymous_id", "tablet"))
        assert [profile.id for profile in found] == [make.record_id("ann")]


@pytest.mark.parametrize("rotates", [False, True], ids=["one pepper", "a pepper that was changed since"])
async def test_who_was_parted_is_found_where_they_are(make, store, write, noon, rotates):
    tablet = store_lookup(make, "tablet")
    await write(
        make.event(1, "ann", user_id="u1", anonymous_id="tablet"),
        make.event(2, "ann", anonymous_id="tablet").model_copy(update={"part": tablet}),
    )  # fmt: skip
    parting = Parting(profile_id=make.profile_id("device"), identifiers=(tablet,))
    unmerge = make.unmerge("ann", 1, device=["tablet"]).model_copy(update={"partings": (parting,)})
    people = await store.load(make.record_id(name) for name in ("ann", "device"))
    note(people, [unmerge], noon)
    list(hand_over(people, unmerge))
    await store.save(people)
    if rotates:
        store._pseudonyms = changed(make)
    found = await store.find("demo", identifier("anonymous_id", "tablet"))
    assert [profile.id for profile in found] == [make.record_id("device")]


def store_lookup(make, value):
    """What the graph calls an anonymous id."""
    return make.pseudonyms.of("demo", "anonymous_id", value)


async def test_who_was_seen_under_a_former_pepper_is_found_and_once(make, store, write):
    await write(make.event(1, "ann", user_id="u1"), make.event(2, "bob", user_id="u2"))
    store._pseudonyms = changed(make)
    await write(make.event(3, "ann", user_id="u1", anonymous_id="new"), make.event(4, "device", user_id="u1"))
    ids = [profile.id for profile in await store.find("demo", identifier("user_id", "u1"))]
    assert sorted(ids) == sorted([make.record_id("ann"), make.record_id("device")])
    assert [p.id for p in await store.find("demo", identifier("anonymous_id", "new"))] == [make.record_id("ann")]
    assert [p.id for p in await store.find("demo", identifier("user_id", "u2"))] == [make.record_id("bob")]


def changed(make):
    """The pseudonyms after a change of the pepper."""
    return Pseudonymizer(b"a pepper of next year", [PEPPER])


async def test_find_passes_over_who_is_not_there_yet(make, store, write):
    await write(make.event(1, "device", anonymous_id="tablet"))
    people = await store.load([make.record_id("ann"), make.record_id("device")])
    freeze(people, [make.merge("ann", "device")])
    await store.save(people)
    assert await store.find("demo", identifier("anonymous_id", "tablet")) == []


@pytest.mark.wire
async def test_who_only_reads_leaves_out_what_is_remembered_of_messages(make, noon, mongo):
    settings = fresh(mongo)
    writing, reading = (MongoProfileStore(settings, make.pseudonyms, only_read=only) for only in (False, True))
    people = await writing.load([make.record_id("ann")])
    update(people, make.event(1, "ann"), Limits(), noon)
    await writing.save(people)
    found = await reload(make, reading, "ann")
    assert (found.parts, found.revision, len(found.recent)) == (people[found.id].parts, 1, 0)
    for store in (writing, reading):
        await store.close()


@pytest.mark.parametrize("limit", [1, 2, 9])
async def test_all_live_profiles_of_a_tenant_come_in_pages(make, store, write, noon, limit):
    await write(make.event(1, "ann"), make.event(2, "bob"), make.event(3, "device"))
    people = await store.load([make.record_id("ann"), make.record_id("device")])
    freeze(people, [make.merge("ann", "device")])
    absorb(people, make.merge("ann", "device"), noon)
    await store.save(people)
    found, after = [], None
    while True:
        page = await store.page("demo", after, limit)
        found += [profile.id for profile in page.profiles]
        if page.end is None:
            break
        after = UUID(page.end)
    assert found == sorted(make.record_id(name) for name in ("ann", "bob"))
    assert (await store.page("dem", None, limit)).profiles == []


async def test_ping(store):
    await store.ping()


@pytest.mark.wire
async def test_migrate_may_run_again(make, mongo):
    store = MongoProfileStore(fresh(mongo), make.pseudonyms)
    await asyncio.gather(store.migrate(), store.migrate())
    indexes = await store.sightings.index_information()
    assert indexes["lookup"]["key"] == [("lookup", 1)]
    await store.close()


async def test_a_store_that_is_away_says_so(make):
    store = MongoProfileStore(MongoSettings(url="mongodb://127.0.0.1:9", timeout_seconds=0.1), make.pseudonyms)
    with pytest.raises(ServerSelectionTimeoutError):
        await store.load(["demo/x"])
    with pytest.raises(ServerSelectionTimeoutError):
        await store.ping()
    await store.close()

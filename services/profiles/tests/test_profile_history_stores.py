"""One suite for histories in memory and on MongoDB's wire, and a historian that is killed at every step."""

from __future__ import annotations

from uuid import uuid4

import pytest
from cdp_contracts.topics import PROFILES_UPDATED
from cdp_devstack.servers import Stack
from cdp_profiles.domain.history import Bounds, Chronicle, Said
from cdp_profiles.domain.limits import Limits
from cdp_profiles.domain.timeline import Entry
from cdp_profiles.domain.updating import update
from cdp_profiles.handlers import historian_stages
from cdp_profiles.histories import MemoryHistories, MongoHistories
from cdp_runtime.failures import Conflict
from cdp_runtime.settings import MongoSettings
from cdp_testkit import Crash, LocalBus

SMALL = Bounds(values=3, events=4)


@pytest.fixture(scope="module")
def mongo():
    with Stack.start("embedded", only=["mongo"]) as stack:
        yield stack.mongo


@pytest.fixture(params=["memory", pytest.param("mongo", marks=pytest.mark.wire)])
async def histories(request):
    if request.param == "memory":
        yield MemoryHistories()
        return
    url = request.getfixturevalue("mongo")
    store = MongoHistories(MongoSettings(url=url, database_prefix=f"test{uuid4().hex[:8]}"))
    yield store
    await store.close()


def entry(place, at, id_="a", **more):
    said = {"kind": "event", "type": "track", "name": "Viewed\0", "message_id": "m", "source": "web"}
    return Entry(place, at, id_, received_at=at, **(said | more))


async def test_what_is_not_stored_is_blank(histories):
    assert (await histories.load(["demo/x/y"]))["demo/x/y"].traits == {}
    assert await histories.newest(["demo/x/y"], 5) == []
    await histories.save({})
    await histories.note([])
    await histories.trim(["demo/x/y"], 1)
    await histories.ping()


async def test_a_chronicle_comes_back_as_it_was_saved(histories):
    chronicles = await histories.load(["demo/x/y"])
    for n in range(9):
        chronicles["demo/x/y"].add("$set.a", Said(n, f"m{n}", f'"é{n}"', "web", n + 1), SMALL)
    await histories.save(chronicles)
    again = (await histories.load(["demo/x/y"]))["demo/x/y"]
    assert (again.traits, again.rev) == (chronicles["demo/x/y"].traits, 1)
    assert not again.changed


async def test_of_two_writers_one_conflicts(histories):
    copies = [Chronicle("demo/x/y") for _ in range(2)]
    for n, copy in enumerate(copies):
        copy.add("plan", Said(n, "m", "1", "web", n), SMALL)
    await histories.save({"demo/x/y": copies[0]})
    with pytest.raises(Conflict):
        await histories.save({"demo/x/y": copies[1]})


async def test_entries_are_kept_once_and_told_newest_first(histories):
    full = entry("demo/x/y", 3, purposes=("analytics",), properties='{"$a.b":1}', profiles=("p",))
    entries = [entry("demo/x/y", 1), full, entry("demo/x/z", 2), entry("demo/other/y", 9), entry("demo/x/", 0)]
    await histories.note(entries)
    await histories.note([*reversed(entries), entry("demo/x/y", -5)])
    found = await histories.newest(["demo/x/y", "demo/x/z", "demo/x/"], 10)
    assert [e.at for e in found] == [3, 2, 1, 0, -5]
    assert found[0] == full
    assert await histories.newest(["demo/x/y", "demo/x/z"], 2) == found[:2]
    assert await histories.newest(["demo/x/y", "demo/x/z"], 2, before=found[1].order) == [found[2], found[4]]


async def test_what_stands_in_two_places_is_told_once(histories):
    await histories.note([entry("demo/x/y", 1), entry("demo/z/y", 1), entry("demo/z/y", 1, "b")])
    assert [e.id for e in await histories.newest(["demo/x/y", "demo/z/y"], 5)] == ["b", "a"]


async def test_a_place_lets_go_of_all_but_its_newest(histories):
    await histories.note([entry(place, n) for place in ("demo/x/y", "demo/x/z") for n in range(5)])
    await histories.trim(["demo/x/y"], 2)
    assert [e.at for e in await histories.newest(["demo/x/y"], 9)] == [4, 3]
    assert len(await histories.newest(["demo/x/z"], 9)) == 5


class Historian:
    """The historian on a bus of its own; killed after so many steps."""

    def __init__(self) -> None:
        self.left = -1
        self.bus = LocalBus()
        self.bus.script = self.step
        self.histories = MemoryHistories()
        self.bus.attach("profiles-historian", historian_stages(Stepping(self), SMALL))

    def step(self, *_):
        self.left -= 1
        if self.left == 0:
            raise Crash

    async def tell(self, facts, kill=-1):
        self.left = kill
        for fact in facts:
            await self.bus.publish(PROFILES_UPDATED, fact)
        while True:
            try:
                return await self.bus.drain()
            except Crash:
                continue


class Stepping:
    """Histories whose every write is a step."""

    def __init__(self, historian):
        self.historian = historian

    async def load(self, places):
        return await self.historian.histories.load(places)

    async def ping(self):
        """It is there."""

    def __getattr__(self, name):
        async def write(*args):
            self.historian.step()
            await getattr(self.historian.histories, name)(*args)
            self.historian.step()

        return write


def facts_of(make, noon):
    people = make.blank("ann")
    events = [make.event(n, "ann", traits={"plan": n // 2}, part="pq"[n % 2]) for n in range(9)]
    return [update(people, event, Limits(), noon).fact for event in events]


def kept(historian):
    states = {i: d["traits"] for i, d in historian.histories.records.documents.items()}
    return states, historian.histories.entries


async def test_killed_at_any_step_the_historian_keeps_the_same(make, noon):
    whole = Historian()
    await whole.tell(facts_of(make, noon))
    steps = -whole.left
    assert steps > 6
    for step in range(1, steps):
        historian = Historian()
        await historian.tell(facts_of(make, noon), kill=step)
        assert kept(historian) == kept(whole), f"killed at step {step}"


async def test_told_again_the_historian_writes_nothing_new(make, noon):
    historian = Historian()
    await historian.tell(facts_of(make, noon))
    before = dict(historian.histories.records.documents)
    historian.bus.redeliver()
    await historian.tell([])
    assert historian.histories.records.documents == before

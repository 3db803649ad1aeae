"""A snapshot, then every flip once by version: kills at every call, compaction, copies, erasure, rebalances."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from uuid import UUID

import pytest
from aiokafka import TopicPartition
from cdp_client import Unreadable, follow, reading
from cdp_client.following import Following, Versions, Wanted
from cdp_contracts.topics import MEMBERSHIP_CHANGED
from cdp_runtime.transport import Incoming
from cdp_testkit import LocalBus
from cdp_testkit.builders import entered, left, person
from hypothesis import given, settings
from hypothesis import strategies as st
from subscriber_world import NOON, SEGMENT, TOPIC, Consumer, Process, World, settled


@pytest.fixture(autouse=True, scope="module")
def commits_often() -> Iterator[None]:
    """So that stories of a few messages have commits among their calls."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(reading, "COMMIT_MESSAGES", 2)
        yield


PEOPLE = st.integers(0, 4)
STEPS = st.one_of(
    st.tuples(st.just("flip"), PEOPLE, st.sampled_from([("vip",), ("other",), ("vip", "other")])),
    st.tuples(st.just("flip"), PEOPLE, st.sampled_from([("vip",), ("other",)])),
    st.tuples(st.just("merged"), PEOPLE),
    st.tuples(st.just("erase"), PEOPLE),
    st.tuples(st.just("repeat"), st.integers(0, 1), st.integers(1, 4)),
    st.tuples(st.just("compact"), st.integers(0, 1)),
    st.tuples(st.just("run"), st.integers(0, 40), st.integers(0, 12)),
    st.tuples(st.just("share"), st.integers(0, 5), st.integers(0, 5)),
)


async def play(world: World, step: tuple) -> None:
    match step:
        case ("flip", who, segments):
            world.flip(who, *segments)
        case ("merged", who):
            world.flip(who, cause="merge")
        case ("erase", who):
            world.erase(who)
        case ("repeat", partition, last):
            world.repeat(partition, last)
        case ("compact", partition):
            world.compact(partition)
        case ("run", killed_at, away_at):
            process = Process(world, Consumer(world, killed_at=killed_at, away_at=away_at))
            await process.runs()
            await process.dies()
        case ("share", first, second):
            await shared(world, first, second)


async def shared(world: World, first: int, second: int) -> None:
    """A second instance comes and takes a partition over, and goes again."""
    here, there = (TopicPartition(TOPIC, n) for n in range(2))
    one = Process(world, Consumer(world))
    if not await one.runs(first):
        return
    if one.consumer.assignment():
        await one.consumer.assign([here])
    other = Process(world, Consumer(world, mine=[1]))
    await other.runs(second)
    await other.stream.aclose()
    if one.consumer.assignment():
        await one.consumer.assign([here, there])
    await one.runs()
    await one.stream.aclose()


@settings(max_examples=300, deadline=None)
@given(st.lists(STEPS, max_size=30))
def test_whatever_happens_the_subscriber_knows_what_is_true(steps: list[tuple]) -> None:
    async def story() -> None:
        world = World()
        for step in steps:
            await play(world, step)
        await settled(world)

    asyncio.run(story())


def history(world: World) -> None:
    """Five people, flips of two segments, copies, a merge, an erasure."""
    for who in range(5):
        world.flip(who, "vip")
    world.flip(1, "other")
    world.flip(2, "vip")
    world.repeat(0, 3)
    world.erase(3)
    world.flip(4, cause="merge")


async def lived(killed_at: int, *, compacted: bool) -> int:
    """A subscriber that is killed at that call, in a story that goes on after it; how many calls it made."""
    world = World()
    history(world)
    process = Process(world, Consumer(world, killed_at=killed_at))
    await process.runs()
    world.flip(0, "vip")
    world.flip(1, "vip", "other")
    world.flip(2, "vip")
    process.stream = process.stream if killed_at else follow(process.consumer, SEGMENT)
    await process.dies()
    if compacted:
        world.flip(1, "other")
        world.compact(0)
        world.compact(1)
    second = Process(world, Consumer(world, killed_at=killed_at))
    await second.runs()
    await second.dies()
    await settled(world)
    return max(process.consumer.calls, second.consumer.calls)


@pytest.mark.parametrize("compacted", [False, True])
async def test_killed_at_every_call_nothing_is_lost(*, compacted: bool) -> None:
    calls = await lived(0, compacted=compacted)
    assert calls > 12
    for killed_at in range(1, calls + 1):
        await lived(killed_at, compacted=compacted)


async def flips_of(bus: LocalBus, group: str, **options) -> list[tuple[UUID, bool, int, bool]]:
    stream = follow(bus.subscriber(group), "vip", **options)
    return [(flip.profile_id, flip.entered, flip.version, flip.snapshot) async for flip in stream]


async def test_a_new_group_gets_the_members_then_the_flips() -> None:
    bus, ada, bob, eve = LocalBus(), *map(person, ("ada", "bob", "eve"))
    await bus.publish(
        MEMBERSHIP_CHANGED, entered("vip", ada), entered("vip", bob), left("vip", bob), entered("x", eve)
    )
    assert await flips_of(bus, "mail") == [(ada, True, 1, True)]
    assert await flips_of(bus, "mail") == []
    await bus.publish(MEMBERSHIP_CHANGED, left("vip", ada), entered("vip", bob, version=3))
    assert sorted(await flips_of(bus, "mail"), key=str) == sorted(
        [(ada, False, 2, False), (bob, True, 3, False)], key=str
    )
    assert await flips_of(bus, "other") == [(bob, True, 3, True)]


async def test_without_a_snapshot_it_gets_the_flips_that_are_kept() -> None:
    bus, ada = LocalBus(), person("ada")
    await bus.publish(MEMBERSHIP_CHANGED, entered("vip", ada), left("vip", ada), entered("vip", ada, version=3))
    assert [flip[1:] for flip in await flips_of(bus, "mail", snapshot=False)] == [
        (True, 1, False), (False, 2, False), (True, 3, False),
    ]  # fmt: skip


async def test_an_empty_topic_has_an_empty_snapshot_and_what_comes_then_is_a_flip() -> None:
    bus, ada = LocalBus(), person("ada")
    assert await flips_of(bus, "mail") == []
    await bus.publish(MEMBERSHIP_CHANGED, entered("vip", ada), left("vip", ada))
    assert await flips_of(bus, "mail") == [(ada, True, 1, False), (ada, False, 2, False)]


@pytest.mark.parametrize(("tenant", "found"), [("demo", 1), ("other", 0), (None, 1)])
async def test_other_tenants_are_not_told(tenant: str | None, found: int) -> None:
    bus = LocalBus()
    await bus.publish(MEMBERSHIP_CHANGED, entered("vip", person("ada")))
    assert len(await flips_of(bus, "mail", tenant=tenant)) == found


async def test_what_cannot_be_read_is_named_by_its_place_and_stays_ahead() -> None:
    bus = LocalBus()
    assert await flips_of(bus, "mail") == []
    bus.publish_raw(MEMBERSHIP_CHANGED.name, b'{"tenant": "canary"}', b"k")
    for _ in range(2):
        with pytest.raises(Unreadable, match=r"partition \d, offset 0") as failure:
            await flips_of(bus, "mail")
        assert "canary" not in str(failure.value)


async def test_a_flip_whose_handler_failed_comes_again() -> None:
    bus, ada = LocalBus(), person("ada")
    assert await flips_of(bus, "mail") == []
    await bus.publish(MEMBERSHIP_CHANGED, entered("vip", ada), left("vip", ada))
    stream = follow(bus.subscriber("mail"), "vip")
    assert (await anext(stream)).version == 1
    await stream.aclose()
    assert [flip[2] for flip in await flips_of(bus, "mail")] == [1, 2]


def test_memory_is_bounded_and_who_moved_last_is_remembered() -> None:
    versions = Versions(most=2)
    ada, bob, eve = (entered("vip", UUID(int=n)) for n in range(3))
    assert [versions.is_news(m) for m in (ada, bob, ada, eve, bob, ada)] == [True, True, False, True, False, True]


def test_a_copy_of_what_was_handled_before_a_restart_is_known_from_the_records_before_the_position() -> None:
    value = entered("vip", person("ada"), version=7).model_dump_json().encode()
    records = [Incoming(TOPIC, 0, offset, NOON, b"k", value, ()) for offset in (4, 9)]
    looks_back, does_not = (Following(Wanted("vip"), 9, states=True) for _ in range(2))
    assert [looks_back.take(record) for record in records] == [[], []]
    assert [flip.version for flip in does_not.take(records[1])] == [7]
    assert looks_back.reached == 10

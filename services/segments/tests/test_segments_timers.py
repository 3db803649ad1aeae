"""One suite for the timer queue in memory and the one in Redis."""

from __future__ import annotations

import pytest
from cdp_devstack.servers import Stack
from cdp_runtime.settings import RedisSettings
from cdp_segments.timers import Alarm, MemoryTimers, RedisTimers
from redis.asyncio import Redis
from redis.exceptions import ConnectionError as RedisConnectionError

NOW = 1_767_614_400_000


@pytest.fixture(scope="module")
def redis():
    with Stack.start("embedded", only=["redis"]) as stack:
        yield stack.redis


@pytest.fixture(params=["memory", pytest.param("redis", marks=pytest.mark.wire)])
async def timers(request):
    if request.param == "memory":
        yield MemoryTimers()
        return
    url = request.getfixturevalue("redis")
    async with Redis.from_url(url) as client:
        await client.flushall()
    timers = RedisTimers(RedisSettings(url=url))
    yield timers
    await timers.close()


async def test_nothing_is_due_before_its_time(timers):
    await timers.set([Alarm(0, "demo/ann", NOW + 1)])
    assert await timers.due({0: NOW}, 10) == []
    assert await timers.due({0: NOW + 1}, 10) == [Alarm(0, "demo/ann", NOW + 1)]
    assert await timers.due({}, 10) == []


async def test_a_timer_is_set_to_the_earliest(timers):
    await timers.set([Alarm(0, "demo/ann", NOW + 9)])
    await timers.set([Alarm(0, "demo/ann", NOW + 5)])
    await timers.set([Alarm(0, "demo/ann", NOW + 7)])
    assert await timers.due({0: NOW + 99}, 10) == [Alarm(0, "demo/ann", NOW + 5)]


async def test_the_earliest_come_first_and_only_so_many_a_partition(timers):
    await timers.set(Alarm(p, f"demo/p{n}", NOW - n) for n in range(5) for p in (0, 1))
    found = await timers.due({1: NOW, 0: NOW - 4}, 2)
    assert found == [Alarm(1, "demo/p4", NOW - 4), Alarm(1, "demo/p3", NOW - 3), Alarm(0, "demo/p4", NOW - 4)]


async def test_timers_move_on_or_go(timers):
    ann, bob = Alarm(0, "demo/ann", NOW), Alarm(0, "demo/bob", NOW)
    await timers.set([ann, bob])
    await timers.move_on([(ann, NOW + 5), (bob, None)])
    assert await timers.due({0: NOW + 99}, 10) == [Alarm(0, "demo/ann", NOW + 5)]


async def test_a_timer_that_was_set_anew_stays_as_it_is(timers):
    await timers.set([Alarm(0, "demo/ann", NOW)])
    await timers.set([Alarm(0, "demo/ann", NOW - 3)])
    await timers.move_on([(Alarm(0, "demo/ann", NOW), NOW + 5), (Alarm(0, "demo/nobody", NOW), NOW)])
    assert await timers.due({0: NOW + 99}, 10) == [Alarm(0, "demo/ann", NOW - 3)]


async def test_nothing_to_set_or_move(timers):
    await timers.set([])
    await timers.move_on([])


async def test_a_queue_is_filled_until_it_is_lost(timers):
    assert await timers.unmarked([0, 1]) == [0, 1]
    await timers.mark(0, 60)
    assert await timers.unmarked([0, 1]) == [1]
    assert await timers.unmarked([]) == []


async def test_ping(timers):
    await timers.ping()


@pytest.mark.wire
async def test_the_mark_goes_by_itself_and_with_everything_else(redis):
    timers = RedisTimers(RedisSettings(url=redis))
    async with Redis.from_url(redis) as client:
        await timers.mark(7, 60)
        assert 59_000 < await client.pttl("cdp:segments:timers:7:filled") <= 60_000
        await client.flushall()
    assert await timers.unmarked([7]) == [7]
    await timers.close()


async def test_a_queue_that_is_away_says_so():
    timers = RedisTimers(RedisSettings(url="redis://127.0.0.1:9/0", timeout_seconds=0.2))
    with pytest.raises(RedisConnectionError):
        await timers.set([Alarm(0, "demo/ann", NOW)])
    with pytest.raises(RedisConnectionError):
        await timers.ping()
    await timers.close()

"""One suite for the memory in this process and the memory on Redis' wire."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from uuid import uuid4

import pytest
from cdp_collector.domain.sightings import Sighting
from cdp_collector.store import Dedup, MemoryDedup, RedisDedup
from cdp_devstack.servers import Stack
from cdp_runtime.clock import SystemClock
from cdp_runtime.failures import is_away
from cdp_runtime.settings import RedisSettings
from collector_builders import CHANGED, PSEUDONYMS
from redis.asyncio import Redis


@pytest.fixture(scope="module")
def redis_stack() -> Iterator[Stack]:
    with Stack.start("embedded", only=["redis"]) as stack:
        yield stack


@pytest.fixture(params=["memory", pytest.param("redis", marks=pytest.mark.wire)])
async def memory_for(request: pytest.FixtureRequest):
    """Makes either memory, one that remembers for so many seconds."""
    opened: list[RedisDedup] = []

    def make(seconds: int) -> Dedup:
        if request.param == "memory":
            return MemoryDedup(seconds, SystemClock().now)
        url = request.getfixturevalue("redis_stack").redis
        opened.append(RedisDedup(RedisSettings(url=url), seconds, PSEUDONYMS))
        return opened[-1]

    yield make
    for dedup in opened:
        await dedup.close()


@pytest.fixture
def dedup(memory_for) -> Dedup:
    return memory_for(600)


@pytest.fixture
def tenant() -> str:
    """A tenant of the test's own: the server is shared."""
    return f"t{uuid4().hex[:8]}"


async def test_the_first_place_passes_and_passes_again(dedup, tenant):
    seen = [Sighting(tenant, "m-1", "0:1"), Sighting(tenant, "m-2", "0:2")]
    assert await dedup.claim(seen) == [True, True]
    assert await dedup.claim(seen) == [True, True]


async def test_another_place_is_a_copy_for_good(dedup, tenant):
    await dedup.claim([Sighting(tenant, "m-1", "0:1")])
    assert await dedup.claim([Sighting(tenant, "m-1", "0:9")]) == [False]
    assert await dedup.claim([Sighting(tenant, "m-1", "0:9")]) == [False]
    assert await dedup.claim([Sighting(tenant, "m-1", "0:1")]) == [True]


async def test_copies_within_a_batch_are_told_in_order(dedup, tenant):
    batch = [Sighting(tenant, "m-1", "0:1"), Sighting(tenant, "m-1", "0:2"), Sighting(tenant, "m-3", "0:3")]
    assert await dedup.claim(batch) == [True, False, True]
    assert await dedup.claim(batch) == [True, False, True]


async def test_what_is_not_asked_passes(dedup, tenant):
    assert await dedup.claim([]) == []
    assert await dedup.claim([None, Sighting(tenant, "m-1", "0:1"), None]) == [True, True, True]


async def test_one_tenant_knows_nothing_of_another(dedup, tenant):
    assert await dedup.claim([Sighting(tenant, "m-1", "0:1")]) == [True]
    assert await dedup.claim([Sighting(f"{tenant}-2", "m-1", "0:2")]) == [True]


async def test_any_text_is_a_message_id(dedup, tenant):
    odd = [Sighting(tenant, name, f"0:{n}") for n, name in enumerate(["a b", "ü:\n", "*", "x" * 100])]
    assert await dedup.claim(odd) == [True] * 4


async def test_it_forgets_in_time(memory_for, tenant):
    brief = memory_for(1)
    assert await brief.claim([Sighting(tenant, "m-1", "0:1")]) == [True]
    assert await brief.claim([Sighting(tenant, "m-1", "0:2")]) == [False]
    async with asyncio.timeout(20):
        while not (await brief.claim([Sighting(tenant, "m-1", "0:2")]))[0]:
            await asyncio.sleep(0.05)


async def test_it_answers_a_ping(dedup):
    await dedup.ping()


@pytest.mark.wire
async def test_a_message_id_stands_nowhere_in_redis(redis_stack, tenant):
    dedup = RedisDedup(RedisSettings(url=redis_stack.redis), 60, PSEUDONYMS)
    await dedup.claim([Sighting(tenant, "jane@example.com", "0:1")])
    await dedup.close()
    redis: Redis = Redis.from_url(redis_stack.redis)
    keys = [key async for key in redis.scan_iter(f"{tenant}:*")]
    assert len(keys) == 1
    assert keys[0].startswith(f"{tenant}:seen:".encode())
    assert b"jane" not in keys[0]
    assert await redis.get(keys[0]) == b"0:1"
    assert 0 < await redis.ttl(keys[0]) <= 60
    await redis.aclose()


async def test_a_redis_that_is_gone_counts_as_away():
    dedup = RedisDedup(RedisSettings(url="redis://127.0.0.1:1/0", timeout_seconds=0.5), 60, PSEUDONYMS)
    with pytest.raises(Exception) as caught:  # noqa: PT011  # what it is, is_away tells
        await dedup.claim([Sighting("demo", "m-1", "0:1")])
    assert await is_away(caught.value, [dedup])
    await dedup.close()


@pytest.mark.wire
async def test_a_copy_is_one_also_after_the_pepper_was_changed(redis_stack: Stack, tenant: str) -> None:
    settings = RedisSettings(url=redis_stack.redis)
    before, after = RedisDedup(settings, 60, PSEUDONYMS), RedisDedup(settings, 60, CHANGED)
    first, copy, other = (
        Sighting(tenant, "m-1", "0:1"),
        Sighting(tenant, "m-1", "0:2"),
        Sighting(tenant, "m-2", "0:3"),
    )
    assert await before.claim([first]) == [True]
    assert await after.claim([first, copy, other]) == [True, False, True]
    assert await after.claim([copy, other]) == [False, True]
    for dedup in (before, after):
        await dedup.close()

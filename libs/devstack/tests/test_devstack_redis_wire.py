"""What the platform relies on from Redis: de-duplication at the door and timers, on Valkey and on Redis 7."""

from __future__ import annotations

import uuid
from collections.abc import AsyncIterator

import pytest
from cdp_devstack.servers import Stack
from redis.asyncio import Redis, from_url


@pytest.fixture
async def client(stack: Stack) -> AsyncIterator[Redis]:
    connection: Redis = from_url(stack.redis, decode_responses=True)
    yield connection
    await connection.aclose()


@pytest.fixture
def key() -> str:
    return f"tests:{uuid.uuid4().hex[:8]}"


async def test_the_first_copy_is_kept_and_later_ones_learn_of_it(client: Redis, key: str) -> None:
    first = await client.set(key, "0:17", nx=True, get=True, ex=60)
    second = await client.set(key, "3:99", nx=True, get=True, ex=60)

    assert (first, second) == (None, "0:17")
    assert 0 < await client.ttl(key) <= 60


async def test_a_pipeline_of_them_is_one_trip(client: Redis, key: str) -> None:
    async with client.pipeline(transaction=False) as pipe:
        for n in (1, 2, 1):
            pipe.set(f"{key}:{n}", n, nx=True, get=True, ex=60)
        answers = await pipe.execute()

    assert answers == [None, None, "1"]


async def test_timers_come_in_order_of_their_deadline(client: Redis, key: str) -> None:
    await client.zadd(key, {"ada": 30, "bob": 10, "eve": 20})
    await client.zadd(key, {"bob": 25}, gt=True)
    await client.zadd(key, {"ada": 40}, lt=True)

    due = await client.zrange(key, "-inf", 28, byscore=True, offset=0, num=10, withscores=True)
    scores = await client.zmscore(key, ["ada", "nobody"])
    removed = await client.zremrangebyscore(key, "-inf", 28)

    assert [(member, score) for member, score in due] == [("eve", 20.0), ("bob", 25.0)]
    assert scores == [30.0, None]
    assert removed == 2


async def test_scripts_run_in_one_step(client: Redis, key: str) -> None:
    script = client.register_script(
        "if redis.call('zscore', KEYS[1], ARGV[1]) == ARGV[2] then return redis.call('zrem', KEYS[1], ARGV[1]) end"
    )
    await client.zadd(key, {"ada": 5})

    assert await script(keys=[key], args=["ada", "6"]) is None
    assert await script(keys=[key], args=["ada", "5"]) == 1


async def test_a_transaction_sees_its_own_writes(client: Redis, key: str) -> None:
    async with client.pipeline(transaction=True) as pipe:
        pipe.set(key, 1).incr(key).getdel(key)
        answers = await pipe.execute()

    assert answers == [True, 2, "2"]
    assert await client.exists(key) == 0


async def test_a_flush_leaves_nothing(client: Redis, key: str) -> None:
    await client.set(key, 1)
    await client.flushdb()

    assert await client.get(key) is None

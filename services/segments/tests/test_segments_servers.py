"""The evaluator with its real stores: the same end as in memory, whatever happens to Redis."""

from __future__ import annotations

from uuid import uuid4

import pytest
from cdp_contracts.topics import MEMBERSHIP_CHANGED
from cdp_devstack.servers import Stack
from cdp_runtime.settings import MongoSettings, RedisSettings
from cdp_segments.store import MongoPersonStore
from cdp_segments.timers import RedisTimers
from redis.asyncio import Redis

pytestmark = pytest.mark.wire

PEOPLE = [f"p{n}" for n in range(20)]


@pytest.fixture(scope="module")
def stack():
    with Stack.start("embedded", only=["mongo", "redis"]) as stack:
        yield stack


@pytest.fixture
async def stores(stack):
    people = MongoPersonStore(MongoSettings(url=stack.mongo, database_prefix=f"test{uuid4().hex[:8]}"))
    timers = RedisTimers(RedisSettings(url=stack.redis))
    await people.migrate()
    yield people, timers
    await people.close()
    await timers.close()


async def live(evaluator, make, lose_the_queue):
    await evaluator.happens(*(make.event(n, who) for n, who in enumerate(PEOPLE)))
    await evaluator.passes(2)
    await lose_the_queue()
    await evaluator.happens(*(make.event(100 + n, who, at=2) for n, who in enumerate(PEOPLE[::2])))
    await evaluator.happens(make.merge(200, PEOPLE[0], PEOPLE[1], at=2), make.traits(201, PEOPLE[2], plan="pro"))
    await lose_the_queue()
    for _ in range(4):
        await evaluator.passes(2)
        await lose_the_queue()
    told = [m.model_dump(exclude={"computed_at"}, mode="json") for m in evaluator.bus.messages(MEMBERSHIP_CHANGED)]
    people = await evaluator.people.load(map(make.person_id, PEOPLE))
    return sorted(told, key=lambda m: m["id"]), {who: (p.members, p.version) for who, p in people.items()}


async def test_the_end_is_the_same_on_real_stores_and_after_every_loss_of_redis(
    evaluator, fresh, make, stack, stores
):
    async def nothing():
        pass

    async def flush():
        async with Redis.from_url(stack.redis) as client:
            await client.flushall()

    in_memory = await live(evaluator, make, nothing)
    assert in_memory[0]
    assert await live(await fresh(*stores), make, flush) == in_memory

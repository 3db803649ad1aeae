"""One suite for receipts in this process and receipts on Redis' wire, and for the answers made of them."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from uuid import uuid4

import httpx
import pytest
from cdp_collector.domain.receipts import RESOLVED, Known
from cdp_collector.domain.sightings import MOST_COPIES, Sighting
from cdp_collector.domain.texts import Entry
from cdp_collector.domain.trails import AWAY, DIGITS, INTO, Trail
from cdp_collector.receipts import MemoryReceipts, Receipts, RedisReceipts
from cdp_collector.receipts_api import receipts_api
from cdp_collector.store import Dedup, MemoryDedup, RedisDedup
from cdp_devstack.servers import Stack
from cdp_runtime.access import Tokens
from cdp_runtime.clock import SystemClock
from cdp_runtime.failures import Away, is_away
from cdp_runtime.rates import Rates
from cdp_runtime.settings import RedisSettings
from collector_builders import CHANGED, PSEUDONYMS
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from pydantic import SecretStr
from redis.asyncio import Redis

NOON = datetime(2026, 1, 5, 12, 0, tzinfo=UTC)
SECONDS = 600
TOKENS = Tokens([(SecretStr("token"), "demo"), (SecretStr("other"), "else")])


@dataclass(frozen=True, slots=True)
class Memory:
    """Receipts and the memory of copies beside them."""

    receipts: Receipts
    dedup: Dedup


@pytest.fixture(scope="module")
def redis_url() -> Iterator[str]:
    with Stack.start("embedded", only=["redis"]) as stack:
        yield stack.redis


def on_redis(url: str, seconds: int = SECONDS, share: float = 0.7) -> RedisReceipts:
    return RedisReceipts(RedisSettings(url=url), seconds, share, PSEUDONYMS)


@pytest.fixture(params=["memory", pytest.param("redis", marks=pytest.mark.wire)])
async def memory(request: pytest.FixtureRequest) -> AsyncIterator[Memory]:
    if request.param == "memory":
        dedup = MemoryDedup(SECONDS, SystemClock().now)
        yield Memory(MemoryReceipts(dedup, SECONDS, SystemClock().now), dedup)
        return
    url = request.getfixturevalue("redis_url")
    kept, seen = on_redis(url), RedisDedup(RedisSettings(url=url), SECONDS, PSEUDONYMS)
    yield Memory(kept, seen)
    await kept.close()
    await seen.close()


@pytest.fixture
def tenant() -> str:
    """A tenant of the test's own: the server is shared."""
    return f"t{uuid4().hex[:8]}"


def entry(tenant: str, field: str, text: str, message_id: str = "m-1") -> Entry:
    return Entry("receipt", tenant, message_id, field, text)


def merge(tenant: str, absorbed: str, into: str) -> Entry:
    return Entry("merged", tenant, absorbed, INTO, f"{1:013d} {into}")


def parting(tenant: str, version: int, profile: str, to: str, identifier: str) -> Entry:
    return Entry("merged", tenant, profile, AWAY + identifier, f"{version:013d} {version:013d} {to}")


async def test_what_is_noted_is_found_and_what_is_not_is_not(memory, tenant):
    assert await memory.receipts.note([entry(tenant, "r", "1 ada"), entry(tenant, "a", "1 - web")]) == 0
    known = await memory.receipts.find(tenant, "m-1")
    assert known == Known({"r": "1 ada", "a": "1 - web"})
    assert not await memory.receipts.find(tenant, "m-2")
    assert not await memory.receipts.find(f"{tenant}-2", "m-1")


async def test_nothing_to_note_is_no_error(memory):
    assert await memory.receipts.note([]) == 0


@pytest.mark.parametrize("kind", ["memory", pytest.param("redis", marks=pytest.mark.wire)])
@settings(max_examples=30, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(told=st.lists(st.tuples(st.sampled_from("axr"), st.integers(0, 10**13 - 1)), max_size=9), data=st.data())
def test_any_order_and_any_number_of_times(request, kind, told, data):
    entries = [("r", f"{at:013d}") if field == "r" else (field, f"{at:013d} x") for field, at in told]
    other = data.draw(st.permutations([*entries, *entries[:3]]))

    async def noted() -> tuple[Known, Known]:
        tenant = uuid4().hex
        url = request.getfixturevalue("redis_url") if kind == "redis" else ""
        dedup = MemoryDedup(SECONDS, SystemClock().now)
        receipts = on_redis(url) if url else MemoryReceipts(dedup, SECONDS, SystemClock().now)
        await receipts.note([entry(tenant, *e, message_id="one") for e in entries])
        for e in other:
            await receipts.note([entry(tenant, *e, message_id="two")])
        found = await receipts.find(tenant, "one"), await receipts.find(tenant, "two")
        if isinstance(receipts, RedisReceipts):
            await receipts.close()
        return found

    one, two = asyncio.run(noted())
    assert one == two
    assert one.texts == {f: max(t for g, t in entries if g == f) for f, _ in entries}


async def test_more_than_a_call_holds_is_noted_whole(memory, tenant):
    assert await memory.receipts.note([entry(tenant, "r", "1 ada", f"m-{n}") for n in range(2500)]) == 0
    for n in (0, 999, 1000, 2499):
        assert (await memory.receipts.find(tenant, f"m-{n}")).texts


async def test_merges_are_followed_to_the_end(memory, tenant):
    await memory.receipts.note([merge(tenant, "ada", "bob"), merge(tenant, "bob", "eve")])
    for profile in ("ada", "bob", "eve"):
        trail = Trail(profile)
        await memory.receipts.follow(tenant, trail)
        assert (trail.profile, trail.parted_at) == ("eve", "")


async def test_partings_are_followed_by_identifier_and_back_again(memory, tenant):
    first, second = parting(tenant, 1, "ada", "bob", "i1"), parting(tenant, 2, "ada", "eve", "i1")
    for told, ends in (
        ([first], ("bob", "ada")), ([merge(tenant, "bob", "ada")], ("ada", "ada")), ([second], ("eve", "ada")),
    ):  # fmt: skip
        await memory.receipts.note(told)
        for identifier, end in zip(("i1", "i2"), ends, strict=True):
            trail = Trail("ada", identifier)
            await memory.receipts.follow(tenant, trail)
            assert trail.profile == end


async def test_the_memory_of_copies_tells_the_first_place_and_the_others(memory, tenant):
    places = ["0:1", "0:2", "3:4", "0:1", "0:2"]
    await memory.dedup.claim([Sighting(tenant, "m-1", place) for place in places])
    known = await memory.receipts.find(tenant, "m-1")
    assert (known.place, known.copies) == ("0:1", {"0:2": "0:1", "3:4": "0:1"})


async def test_of_a_flood_of_copies_a_hundred_are_remembered(memory, tenant):
    await memory.dedup.claim([Sighting(tenant, "m-1", f"0:{n}") for n in range(MOST_COPIES + 50)])
    assert len((await memory.receipts.find(tenant, "m-1")).copies) == MOST_COPIES


def test_a_receipt_in_this_process_is_forgotten_in_time():
    now = NOON
    dedup = MemoryDedup(SECONDS, lambda: now)
    receipts = MemoryReceipts(dedup, SECONDS, lambda: now)

    async def story() -> None:
        nonlocal now
        await receipts.note([entry("demo", "r", "1 ada")])
        now += timedelta(seconds=SECONDS)
        assert not await receipts.find("demo", "m-1")

    asyncio.run(story())


@pytest.mark.wire
async def test_a_receipt_on_redis_is_small_names_nobody_and_goes_by_itself(redis_url, tenant):
    kept = on_redis(redis_url)
    texts = {"a": f"{1:013d} {'a' * 32} web-shop", RESOLVED: f"{1:013d} {uuid4()} {'c' * DIGITS}"}
    await kept.note([entry(tenant, *e, message_id="jane@example.com") for e in texts.items()])
    redis: Redis = Redis.from_url(redis_url)
    (key,) = [key async for key in redis.scan_iter(f"{tenant}:*")]
    assert b"jane" not in key
    assert 0 < await redis.ttl(key) <= SECONDS
    assert await redis.memory_usage(key) <= 320
    await redis.delete(key)
    assert not await kept.find(tenant, "jane@example.com")
    await redis.aclose()
    await kept.close()


@pytest.mark.wire
async def test_while_redis_is_nearly_full_receipts_leave_the_room_to_others(redis_url, tenant):
    redis: Redis = Redis.from_url(redis_url)
    most = (await redis.config_get("maxmemory"))["maxmemory"]
    await redis.config_set("maxmemory", "1gb")
    strict = on_redis(redis_url, share=0.0001)
    try:
        assert await strict.note([entry(tenant, "r", "1 ada")]) == 1
        assert not await strict.find(tenant, "m-1")
    finally:
        await redis.config_set("maxmemory", most)
        await redis.aclose()
        await strict.close()


async def test_a_redis_that_is_gone_counts_as_away():
    gone = RedisReceipts(RedisSettings(url="redis://127.0.0.1:1/0", timeout_seconds=0.5), SECONDS, 0.7, PSEUDONYMS)
    with pytest.raises(Away):
        await gone.note([entry("demo", "r", "1 ada")])
    with pytest.raises(Exception) as caught:  # noqa: PT011  # what it is, is_away tells
        await gone.find("demo", "m-1")
    assert await is_away(caught.value, [gone])
    await gone.close()


def desk(receipts: Receipts) -> httpx.AsyncClient:
    """The read API; `token` opens the tenant demo, `other` another one."""
    api = receipts_api(receipts, TOKENS, Rates(0, 1), SECONDS)
    return httpx.AsyncClient(transport=httpx.ASGITransport(api), base_url="http://receipts")


def bearer(token: str) -> dict[str, str]:
    return {"Authorization": f"Bearer {token}"}


async def test_only_the_tenant_of_the_token_is_answered():
    receipts = MemoryReceipts(MemoryDedup(SECONDS, SystemClock().now), SECONDS, SystemClock().now)
    await receipts.note([entry("demo", "r", f"{1:013d} ada", "a/b c")])
    async with desk(receipts) as client:
        found = await client.get("/v1/receipts/a%2Fb%20c", headers=bearer("token"))
        other = await client.get("/v1/receipts/a%2Fb%20c", headers=bearer("other"))
        nobody = [await client.get("/v1/receipts/m", headers=h) for h in ({}, bearer("wrong"), bearer(""))]
    assert (found.status_code, found.json()["message_id"], found.json()["outcome"]) == (200, "a/b c", "resolved")
    assert other.status_code == 404
    assert other.json()["retention_seconds"] == SECONDS
    assert [answer.status_code for answer in nobody] == [401, 401, 401]


async def test_while_the_store_is_away_readers_are_told_to_wait():
    gone = RedisReceipts(RedisSettings(url="redis://127.0.0.1:1/0", timeout_seconds=0.5), SECONDS, 0.7, PSEUDONYMS)
    async with desk(gone) as client:
        answer = await client.get("/v1/receipts/m-1", headers=bearer("token"))
    assert (answer.status_code, answer.headers["Retry-After"]) == (503, "5")
    await gone.close()


@pytest.mark.wire
async def test_a_receipt_is_whole_also_after_the_pepper_was_changed(redis_url: str, tenant: str) -> None:
    where = RedisSettings(url=redis_url)
    old, new = on_redis(redis_url), RedisReceipts(where, SECONDS, 0.7, CHANGED)
    seen, copies = RedisDedup(where, SECONDS, PSEUDONYMS), RedisDedup(where, SECONDS, CHANGED)
    await seen.claim([Sighting(tenant, "m-1", "0:1")])
    await copies.claim([Sighting(tenant, "m-1", "0:2")])
    await old.note([entry(tenant, "r", "1 ada"), entry(tenant, "w", "2 ada")])
    await new.note([entry(tenant, "r", "3 ada")])
    known = await new.find(tenant, "m-1")
    assert (known.texts, known.place, known.copies) == ({"r": "3 ada", "w": "2 ada"}, "0:1", {"0:2": "0:1"})
    for each in (old, new, seen, copies):
        await each.close()

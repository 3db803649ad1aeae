"""A merge that cannot be read halts the stage of merges alone, until a person steps over it."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import httpx
import pytest
from aiokafka import AIOKafkaConsumer
from cdp_contracts.topics import IDENTITIES_MERGED
from cdp_devstack.offsets import looking, true_ends
from cdp_devstack.platform import ADMIN_TOKEN
from cdp_devstack.running import Running, running
from probing import ALLOWED, TLS, Probe, new_id

pytestmark = [pytest.mark.stack, pytest.mark.timeout(400), pytest.mark.xdist_group("disturbed-2")]

GROUP = "profiles-writer.absorb_profiles"
WHY = f"json_invalid at / on {IDENTITIES_MERGED.name}"
DEADLINE = 45


@pytest.fixture
def up(tmp_path: Path) -> Iterator[Running]:
    """A platform of its own: one of its stages comes to a halt."""
    with running("local", tmp_path) as platform:
        yield platform


@pytest.fixture
async def probe(up: Running) -> AsyncIterator[Probe]:
    """Somebody who sends things to it and looks for what becomes of them."""
    made = Probe(up)
    yield made
    await made.close()


async def halted(up: Running) -> list[str]:
    async with httpx.AsyncClient(verify=TLS) as client:
        answer = await client.get(f"{up.url('profiles-writer')}/readyz")
    assert answer.status_code == 200, "it stays alive, and ready for all else"
    return list(answer.json()["halted"])


async def until_halted(up: Running) -> None:
    async with asyncio.timeout(DEADLINE):
        while await halted(up) != [WHY]:
            await asyncio.sleep(0.1)


async def step_over(up: Running) -> None:
    """What `kafka-consumer-groups --reset-offsets --to-latest` does while no instance runs."""
    consumer = AIOKafkaConsumer(
        IDENTITIES_MERGED.name, bootstrap_servers=up.stack.kafka, group_id=GROUP, enable_auto_commit=False
    )
    await consumer.start()
    try:
        async with asyncio.timeout(DEADLINE), looking(up.stack.kafka) as other:
            while not consumer.assignment():
                await consumer.getmany(timeout_ms=200)
            await consumer.commit(dict(await true_ends(other, list(consumer.assignment()))))
    finally:
        await consumer.stop()


async def test_only_the_stage_of_merges_halts_and_goes_on_when_a_person_steps_over(probe: Probe) -> None:
    up = probe.up
    await probe.put(b"\x00\x01 no merge", IDENTITIES_MERGED.name, key=b"x")
    await until_halted(up)
    try:
        await probe.stream_goes_on()
        async with httpx.AsyncClient(verify=TLS) as client:
            resume = f"{up.url('profiles-writer')}/resume"
            assert (await client.post(resume)).status_code == 401
            answer = await client.post(resume, headers={"Authorization": f"Bearer {ADMIN_TOKEN}"})
            assert answer.json() == {"resumed": 1}
        await until_halted(up)
    finally:
        writer = up.platform.roles["profiles-writer"]
        await asyncio.to_thread(writer.stop)
        await step_over(up)
        writer.launch()
        await asyncio.to_thread(writer.wait_ready)
    assert await halted(up) == []
    await a_merge_is_applied(probe)


async def a_merge_is_applied(probe: Probe) -> None:
    user, phone, laptop = new_id("user"), new_id("phone"), new_id("laptop")
    for device in (phone, laptop):
        body = {"event": "Product Viewed", "anonymousId": device, "context": ALLOWED}
        (await probe.edge.post("/v1/track", json=body)).raise_for_status()
        await probe.profile(anonymous_id=device)
    for device in (phone, laptop):
        body = {"userId": user, "anonymousId": device, "context": ALLOWED}
        (await probe.edge.post("/v1/identify", json=body)).raise_for_status()
    await probe.profile(lambda found: found["counters"].get("Product Viewed") == 2, user_id=user)

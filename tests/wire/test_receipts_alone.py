"""The receipts are a role that nobody else needs: while it is gone everything goes on, and it catches up."""

from __future__ import annotations

import asyncio
from typing import Any

import httpx
import pytest
from cdp_devstack.platform import READ_TOKEN
from cdp_devstack.running import Running
from probing import ALLOWED, DEADLINE, TLS, Probe, new_id

pytestmark = pytest.mark.wire


async def receipt(live: Running, message_id: str, outcome: str) -> dict[str, Any]:
    """What became of an event, once it is as it must be."""
    token = {"Authorization": f"Bearer {READ_TOKEN}"}
    async with (
        httpx.AsyncClient(base_url=live.url("collector-receipts"), headers=token, verify=TLS) as desk,
        asyncio.timeout(DEADLINE),
    ):
        while True:
            answer = await desk.get(f"/v1/receipts/{message_id}")
            if answer.is_success and answer.json()["outcome"] == outcome:
                return dict(answer.json())
            assert answer.status_code in (200, 404)
            await asyncio.sleep(0.1)


async def test_it_is_killed_alone_and_catches_up(live: Running, probe: Probe) -> None:
    role = live.platform.roles["collector-receipts"]
    good, silent, bad = (new_id(word) for word in ("good", "silent", "bad"))
    role.kill()
    try:
        sent = [
            {"messageId": good, "event": "Product Viewed", "anonymousId": good, "context": ALLOWED},
            {"messageId": silent, "event": "Product Viewed", "anonymousId": silent},
            {"messageId": bad, "event": "Order Completed", "anonymousId": bad, "properties": {"revenue": "much"}},
        ]
        batch = [{"type": "track", **event} for event in sent]
        (await probe.edge.post("/v1/batch", json={"batch": batch})).raise_for_status()
        await probe.stream_goes_on()
    finally:
        role.launch()
        await asyncio.to_thread(role.wait_ready)
    found = await receipt(live, good, "resolved")
    assert found["resolved"]["profile_id"] == (await probe.profile(anonymous_id=good))["id"]
    assert (await receipt(live, silent, "withheld"))["withheld"]["reason"] == "not-asked"
    assert (await receipt(live, bad, "rejected"))["rejected"]["pointer"].startswith("/properties/")


async def test_what_a_service_could_not_handle_is_told(live: Running, probe: Probe) -> None:
    message_id = new_id("broken")
    value = f'{{"tenant": "demo", "message_id": "{message_id}"}}'.encode()
    await probe.put(value, "cdp.events.permitted.v1", b"k")
    (letter,) = (await receipt(live, message_id, "dead-lettered"))["dead_letters"]
    assert letter["topic"] == "cdp.events.permitted.v1.identity.dlq"
    assert letter["service"] == "identity-resolver"

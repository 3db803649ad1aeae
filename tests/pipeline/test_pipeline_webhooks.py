"""From an event over HTTP to a signed request at another team's endpoint: in, and out by the clock alone."""

from __future__ import annotations

import sys
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from assembly import Pipeline
from cdp_contracts.topics import DELIVERIES_REQUESTED
from cdp_devstack.servers.ports import free_port
from standardwebhooks import Webhook

sys.path.append(str(Path(__file__).parents[2] / "services/segments/tests"))

from sender_world import SECRET, Sending
from webhook_receiver import Receiver, receiving

FLASH = "flash-visitors"


async def tracks(platform: Pipeline, device: str, event: str) -> None:
    """What a page of the shop posts; and every service has done its part."""
    body = {
        "event": event, "anonymousId": device, "messageId": f"{device}-1",
        "timestamp": platform.bus.clock.now().isoformat(),
        "context": {"consent": {"categoryPreferences": {"Analytics": True}}},
    }  # fmt: skip
    async with platform.edge() as edge:
        assert (await edge.post("/v1/track", json=body)).status_code == 200
    await platform.bus.drain()


def verified(receiver: Receiver) -> list[tuple[Any, ...]]:
    """What came, each checked by the public library, whose clock is the wall's."""
    bodies = [Webhook(SECRET).verify(request.body, dict(request.headers)) for request in receiver.requests]
    return [(b["type"], b["data"]["segment"], b["data"]["cause"], b["data"]["version"]) for b in bodies]


async def test_an_event_becomes_a_signed_request_and_the_clock_another(tmp_path: Path) -> None:
    """A destination that nobody answers at, beside it, has its flips set aside and stops nobody."""
    platform = await Pipeline.ready()
    platform.bus.clock.advance((datetime.now(UTC) - platform.bus.clock.now()).total_seconds())
    sending = Sending(tmp_path, platform.bus)
    async with receiving() as mail:
        await sending.define("dead", f"http://127.0.0.1:{free_port()}/", segments=[FLASH], tries=2)
        await sending.define("mail", mail.url, segments=[FLASH])

        await tracks(platform, "phone", "Flash Offer Viewed")
        assert verified(mail) == [("segment.entered", FLASH, "event", 1)]

        await platform.shop.wait(10)
        assert [found[:3] for found in verified(mail)] == [
            ("segment.entered", FLASH, "event"), ("segment.left", FLASH, "timer"),
        ]  # fmt: skip
        entered, left = mail.requests
        assert entered.data["profile_id"] == left.data["profile_id"]
        assert entered.id != left.id
        person = await platform.person(anonymous_id="phone")
        assert person
        assert entered.data["profile_id"] == person.profile_id
        assert b"phone" not in entered.body + left.body, "no identifier of the person leaves the platform"

    dead = platform.bus.dead_letters(DELIVERIES_REQUESTED, "segments")
    assert {dict(letter.headers)["cdp_reason"] for letter in dead} == {b"gave up after connection"}
    assert len(dead) == 2
    await sending.close()

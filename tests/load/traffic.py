"""Events over HTTP and straight onto the broker, and who is told what became of them."""

from __future__ import annotations

import asyncio
import json
import time
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from typing import Any, Final
from uuid import uuid4

import httpx
from cdp_contracts.topics import EVENTS_RECEIVED
from cdp_devstack.listener import Listener
from cdp_devstack.platform import READ_TOKEN, WRITE_KEY
from cdp_devstack.running import Running
from cdp_runtime.kafka_client import KafkaProducer
from cdp_runtime.transport import Outgoing

ALLOWED: Final = {"consent": {"categoryPreferences": {"Analytics": True}}}
FLIPS: Final = "Flash Offer Viewed"
SEGMENT: Final = "offer-seen"
VIEW: Final = "Product Viewed"
REQUEST: Final = 50
CHUNK: Final = 5_000
ANSWER_SECONDS: Final = 60
TRIES: Final = 5


def event(device: str, name: str = VIEW, **more: Any) -> dict[str, Any]:
    """Something that somebody did."""
    return {
        "type": "track", "event": name, "anonymousId": device, "messageId": str(uuid4()), "context": ALLOWED,
        "properties": {"sku": "sku-1", "platform": "mobile", "channel": "email"}, **more,
    }  # fmt: skip


@dataclass
class Answers:
    """How the edge answered: what it said yes to, every other answer, and connections that broke instead."""

    stored: set[str] = field(default_factory=set)
    refused: list[httpx.Response] = field(default_factory=list)
    broken: list[str] = field(default_factory=list)


async def send(
    up: Running, events: Sequence[dict[str, Any]], answers: Answers, *, per_request: int = REQUEST
) -> None:
    """Send over HTTP, one request after the other."""
    async with httpx.AsyncClient(
        base_url=up.url("collector-http"), auth=(WRITE_KEY, ""), timeout=ANSWER_SECONDS, trust_env=False
    ) as edge:
        for start in range(0, len(events), per_request):
            batch = events[start : start + per_request]
            answer = await posted(edge, batch, answers)
            if answer.is_success:
                answers.stored |= {one["messageId"] for one in batch}
            else:
                answers.refused.append(answer)


async def posted(edge: httpx.AsyncClient, batch: Sequence[dict[str, Any]], answers: Answers) -> httpx.Response:
    """The edge's answer. A connection that breaks is tried again, as by every SDK: ids tell copies."""
    for _ in range(TRIES - 1):
        try:
            return await edge.post("/v1/batch", json={"batch": batch})
        except (httpx.NetworkError, httpx.RemoteProtocolError) as error:
            answers.broken.append(type(error).__name__)
    return await edge.post("/v1/batch", json={"batch": batch})


async def put(up: Running, events: Iterable[dict[str, Any]]) -> None:
    """Write straight onto the broker, as quickly as it takes them."""
    producer = KafkaProducer(up.kafka)
    chunk: list[Outgoing] = []
    try:
        for one in events:
            value = json.dumps({**one, "writeKey": WRITE_KEY}).encode()
            chunk.append(Outgoing(EVENTS_RECEIVED.name, one["anonymousId"].encode(), value))
            if len(chunk) == CHUNK:
                await producer.send(chunk)
                chunk.clear()
        await producer.send(chunk)
    finally:
        await producer.close()


async def latencies(up: Running, visitors: int, per_second: float) -> list[float]:
    """Seconds from the edge to the subscriber for visitors who each enter a segment, at a steady rate, sorted."""
    async with Listener(up.stack.kafka) as listener:
        answers = Answers()
        started = time.monotonic()
        sending = []
        for n in range(visitors):
            await asyncio.sleep(max(0.0, started + n / per_second - time.monotonic()))
            one = event(f"visitor-{uuid4().hex[:12]}", FLIPS)
            sending.append(asyncio.create_task(send(up, [one], answers)))
        await asyncio.gather(*sending)
        deadline = time.monotonic() + ANSWER_SECONDS
        found: dict[str, float] = {}
        while len(found) < visitors and time.monotonic() < deadline:
            await asyncio.sleep(0.05)
            for heard in listener.heard:
                if heard.change.segment == SEGMENT and heard.message.message_id in answers.stored:
                    found.setdefault(heard.message.message_id, heard.seconds)
    if len(found) < visitors:
        raise TimeoutError(f"{visitors - len(found)} of {visitors} memberships did not arrive")
    return sorted(found.values())


async def views_of(up: Running, device: str) -> int:
    """How many product views the profile of a device counts."""
    headers = {"Authorization": f"Bearer {READ_TOKEN}"}
    async with httpx.AsyncClient(base_url=up.url("profiles-http"), headers=headers, trust_env=False) as profiles:
        answer = await profiles.get("/v1/profiles", params={"anonymous_id": device}, timeout=ANSWER_SECONDS)
        return int(answer.json()["counters"][VIEW]) if answer.is_success else 0

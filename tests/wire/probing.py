"""Sends anything to a live platform, over HTTP and onto its broker, and waits for what becomes of it."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable
from contextlib import aclosing
from typing import Any
from uuid import uuid4

import httpx
from cdp_cli.records import follow
from cdp_contracts.events_v1 import EventRejected
from cdp_contracts.topics import EVENTS_RECEIVED, EVENTS_REJECTED
from cdp_devstack.platform import READ_TOKEN, WRITE_KEY
from cdp_devstack.running import Running
from cdp_runtime.codec import decode
from cdp_runtime.kafka_client import KafkaProducer
from cdp_runtime.transport import Incoming, Outgoing

TLS = httpx.create_ssl_context()  # costs 0.2 s each time; nothing here uses it
ALLOWED = {"consent": {"categoryPreferences": {"Analytics": True}}}
DEADLINE = 45


def new_id(word: str) -> str:
    """An id that no other test uses."""
    return f"{word}-{uuid4().hex[:12]}"


class Probe:
    """Every method that waits raises TimeoutError if nothing comes of it."""

    def __init__(self, up: Running) -> None:
        self.up = up
        self.edge = httpx.AsyncClient(
            base_url=up.url("collector-http"), auth=(WRITE_KEY, ""), timeout=20, verify=TLS
        )
        token = {"Authorization": f"Bearer {READ_TOKEN}"}
        self.profiles = httpx.AsyncClient(base_url=up.url("profiles-http"), headers=token, timeout=20, verify=TLS)
        self.segments = httpx.AsyncClient(base_url=up.url("segments-http"), headers=token, timeout=20, verify=TLS)
        self._producer = KafkaProducer(up.kafka)

    async def put(self, value: bytes | None, topic: str = EVENTS_RECEIVED.name, key: bytes | None = None) -> None:
        """Bytes on a topic."""
        await self._producer.send([Outgoing(topic, key, value)])

    async def put_event(self, **fields: Any) -> None:
        """A plain event, as any producer on the broker writes it."""
        event = {"type": "track", "event": "Product Viewed", "writeKey": WRITE_KEY, "context": ALLOWED, **fields}
        await self.put(json.dumps(event).encode())

    async def found(self, topic: str, wanted: Callable[[Incoming], bool]) -> Incoming:
        """The first record of a topic that is wanted."""
        async with (
            asyncio.timeout(DEADLINE),
            aclosing(follow(self.up.kafka, topic, from_beginning=True)) as records,
        ):
            async for record in records:
                if wanted(record):
                    return record
        raise AssertionError("a topic never ends")

    async def rejected(self, message_id: str) -> EventRejected:
        """Why an event was rejected."""
        record = await self.found(EVENTS_REJECTED.name, lambda record: record.key == message_id.encode())
        assert record.value is not None
        return decode(EVENTS_REJECTED, record.value)

    async def reason(self, topic: str, value: bytes) -> str:
        """Why these bytes were set aside."""
        record = await self.found(topic, lambda record: record.value == value)
        return dict(record.headers)["cdp_reason"].decode()

    async def profile(self, wanted: Callable[[dict[str, Any]], bool] = bool, **identifier: str) -> dict[str, Any]:
        """A person's profile, once it is as wanted."""
        async with asyncio.timeout(DEADLINE):
            while True:
                answer = await self.profiles.get("/v1/profiles", params=identifier)
                if answer.is_success and wanted(answer.json()):
                    return dict(answer.json())
                await asyncio.sleep(0.1)

    async def member(self, segment: str, profile_id: str) -> dict[str, Any]:
        """Why somebody is in a segment, once he or she is."""
        async with asyncio.timeout(DEADLINE):
            while True:
                answer = await self.segments.get(f"/v1/segments/{segment}/explain/{profile_id}")
                if answer.is_success and answer.json()["member"]:
                    return dict(answer.json())
                await asyncio.sleep(0.1)

    async def stream_goes_on(self) -> None:
        """A good event, sent now, arrives at the end."""
        device = new_id("good")
        body = {"event": "Product Viewed", "anonymousId": device, "context": ALLOWED}
        for _ in range(3):
            (await self.edge.post("/v1/track", json=body)).raise_for_status()
        profile = await self.profile(lambda found: found["counters"] == {"Product Viewed": 3}, anonymous_id=device)
        await self.member("third-view", profile["id"])

    async def close(self) -> None:
        """Let go of all connections."""
        for client in (self.edge, self.profiles, self.segments):
            await client.aclose()
        await self._producer.close()

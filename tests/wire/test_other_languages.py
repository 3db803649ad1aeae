"""A product system in another language: librdkafka, plain JSON, no headers, no key."""

from __future__ import annotations

import asyncio
import json

import pytest
from cdp_devstack.platform import WRITE_KEY
from confluent_kafka import Producer
from probing import ALLOWED, Probe, new_id

pytestmark = pytest.mark.wire


def produce(bootstrap: str, events: list[dict[str, object]]) -> None:
    """What thirty lines of Go, Java or Node would do."""
    failures: list[object] = []
    producer = Producer({"bootstrap.servers": bootstrap, "acks": "all"})
    for event in events:
        producer.produce(
            "cdp.events.received.v1",
            json.dumps(event).encode(),
            on_delivery=lambda error, _: failures.append(error) if error else None,
        )
    assert producer.flush(30) == 0
    assert failures == []


async def test_a_plain_json_event_of_librdkafka_ends_in_a_profile_and_a_membership(probe: Probe) -> None:
    device = new_id("librdkafka")
    common = {"type": "track", "anonymousId": device, "writeKey": WRITE_KEY, "context": ALLOWED}
    events: list[dict[str, object]] = [{**common, "event": "Product Viewed"} for _ in range(4)]

    await asyncio.to_thread(produce, probe.up.stack.kafka, events)

    profile = await probe.profile(lambda found: found["counters"] == {"Product Viewed": 4}, anonymous_id=device)
    why = await probe.member("engaged-shoppers", profile["id"])
    assert why["why"]["value"] == 4

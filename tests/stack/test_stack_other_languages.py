"""A subscriber in JavaScript on Apache Kafka knows what the Python client knows, whatever comes twice or late."""

from __future__ import annotations

import asyncio
import json
import os
import subprocess
from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Any
from uuid import UUID, uuid5

import pytest
from cdp_cli import topics
from cdp_client import members
from cdp_contracts.envelope import derived_id
from cdp_contracts.segments_v1 import Membership, MembershipChange, MembershipChanged
from cdp_contracts.topics import MEMBERSHIP_CHANGED
from cdp_devstack import cache
from cdp_devstack.platform import kafka_settings
from cdp_devstack.servers import Stack
from cdp_runtime.codec import encode
from cdp_runtime.kafka_client import KafkaProducer
from cdp_runtime.transport import Outgoing

pytestmark = [pytest.mark.stack, pytest.mark.timeout(180)]

NOW = datetime(2026, 3, 2, 9, 0, tzinfo=UTC)
NAMES = UUID("6f0c6c1e-58a2-4c43-9a39-1f0f5ad0a004")
SEGMENTS = ("engaged", "loyal", "lapsed")


@pytest.fixture(scope="module")
def stack() -> Iterator[Stack]:
    with Stack.start("local", only=("kafka",)) as started:
        asyncio.run(topics.apply(kafka_settings(started)))
        yield started


def told(number: int, version: int) -> MembershipChanged:
    """One flip of somebody: each version enters or leaves one of the segments, the map has them all."""
    inside = {SEGMENTS[each % 3] for each in range(1, version + 1) if (each + number) % 4}
    segment = SEGMENTS[version % 3]
    change = MembershipChange(
        segment=segment, segment_version=1, member=segment in inside, cause="event", effective_at=NOW
    )
    return MembershipChanged(
        tenant=("demo", "other")[number % 2], id=derived_id(f"{number}-{version}", "test"), message_id="m",
        occurred_at=NOW, received_at=NOW, profile_id=uuid5(NAMES, str(number)), version=version,
        changes=(change,), memberships={name: Membership(since=NOW) for name in sorted(inside)}, computed_at=NOW,
    )  # fmt: skip


async def publish(stack: Stack, *records: Outgoing) -> None:
    producer = KafkaProducer(kafka_settings(stack))
    try:
        await producer.send(records)
    finally:
        await producer.close()


def written(message: MembershipChanged) -> Outgoing:
    return encode(MEMBERSHIP_CHANGED, message, source="test", now=NOW)


def by_node(stack: Stack) -> dict[str, Any]:
    """What the example prints, run as its page says."""
    environment = {
        "PATH": os.environ["PATH"],
        "CDP_KAFKA_BOOTSTRAP": stack.kafka,
        "NODE_PATH": str(cache.node_packages() / "node_modules"),
        "KAFKAJS_NO_PARTITIONER_WARNING": "1",
    }
    command = ["node", str(cache.NODE_EXAMPLE / "members.js")]
    done = subprocess.run(command, env=environment, capture_output=True, text=True, timeout=90, check=False)
    assert done.returncode == 0, done.stderr
    found: dict[str, Any] = json.loads(done.stdout)
    return found


def by_python(stack: Stack, segment: str) -> dict[str, int]:
    found = asyncio.run(members(segment, bootstrap=stack.kafka))
    return {f"{tenant}/{profile_id}": version for (tenant, profile_id), version in found.items()}


def test_node_and_python_know_the_same_members(stack: Stack) -> None:
    assert by_python(stack, "engaged") == {}  # and every partition has a leader now
    assert by_node(stack) == {"people": 0, "members": {}, "unreadable": []}, "an empty topic has an end too"

    flips = [told(number, version) for version in range(1, 8) for number in range(40)]
    late = [told(number, version) for version in (2, 5) for number in range(0, 40, 3)]  # old ones come last
    asyncio.run(publish(stack, *map(written, [*flips, *flips[::7], *late])))

    node = by_node(stack)
    expected = {segment: by_python(stack, segment) for segment in SEGMENTS}
    newest = [told(number, 7) for number in range(40)]
    for segment in SEGMENTS:
        truth = {f"{one.tenant}/{one.profile_id}": 7 for one in newest if segment in one.memberships}
        assert expected[segment] == truth
    assert node["members"] == {segment: found for segment, found in expected.items() if found}
    assert (node["people"], node["unreadable"]) == (40, [])

    broken = written(told(1, 9))
    body = json.loads(broken.value or b"")
    del body["memberships"]
    key = broken.key
    asyncio.run(
        publish(stack, Outgoing(broken.topic, key, json.dumps(body).encode()), Outgoing(broken.topic, key, b"{"))
    )
    after = by_node(stack)
    assert after["members"] == node["members"], "what breaks the schema changes nothing"
    assert len(after["unreadable"]) == 2
    assert all(place.startswith("partition ") for place in after["unreadable"])

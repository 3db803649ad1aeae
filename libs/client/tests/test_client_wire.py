"""The client on a real broker, with the whole platform behind it."""

from __future__ import annotations

import asyncio
from contextlib import aclosing
from uuid import uuid4

import pytest
from cdp_client import BrokerEmitter, Emitter, Flip, subscribe
from cdp_contracts.topics import MEMBERSHIP_CHANGED
from cdp_devstack.offsets import looking
from cdp_devstack.platform import WRITE_KEY
from cdp_devstack.running import Running
from cdp_runtime.codec import encode
from cdp_runtime.kafka_client import KafkaProducer
from cdp_testkit.builders import NOON, entered, left, person

pytestmark = pytest.mark.wire

ALLOWED = {"consent": {"categoryPreferences": {"Analytics": True}}}
DEADLINE = 60


async def take(up: Running, segment: str, group: str, count: int) -> list[Flip]:
    """The first flips that a group gets, all of them handled."""
    found: list[Flip] = []
    # The embedded broker lets a member in again after two sessions.
    subscription = subscribe(
        segment, bootstrap=up.stack.kafka, group=group, snapshot=False, session_timeout_ms=2000
    )
    async with asyncio.timeout(DEADLINE), aclosing(subscription) as flips:
        async for flip in flips:
            if len(found) == count:
                break
            found.append(flip)
    return found


async def test_what_is_emitted_over_http_and_on_the_broker_reaches_a_subscriber(live: Running) -> None:
    device = f"client-{uuid4().hex[:8]}"
    with Emitter(live.url("collector-http"), WRITE_KEY) as emitter:
        await asyncio.to_thread(emitter.consent, {"Analytics": True}, anonymous_id=device)
        sent = {await asyncio.to_thread(emitter.track, "Product Viewed", anonymous_id=device)}
    async with BrokerEmitter(live.stack.kafka, WRITE_KEY) as straight:
        sent.add(await straight.track("Product Viewed", anonymous_id=device, context=ALLOWED))
        sent.add(await straight.track("Product Viewed", anonymous_id=device, context=ALLOWED))

    subscription = subscribe("third-view", bootstrap=live.stack.kafka, group=device, tenant="demo", snapshot=False)
    async with asyncio.timeout(DEADLINE), aclosing(subscription) as flips:
        async for flip in flips:
            if flip.message.message_id in sent:
                break
    assert flip.entered
    assert flip.change
    assert flip.change.reasons[0].value == 3


async def test_a_subscriber_goes_on_after_what_it_handled(live: Running) -> None:
    segment, group = f"s-{uuid4().hex[:8]}", f"g-{uuid4().hex[:8]}"
    producer = KafkaProducer(live.kafka)
    ada = person(segment)
    messages = [(entered if n % 2 else left)(segment, ada, version=n) for n in range(1, 6)]
    await producer.send([encode(MEMBERSHIP_CHANGED, m, source="test", now=NOON) for m in messages])
    await producer.close()

    first = await take(live, segment, group, 3)
    again = await take(live, segment, group, 1)

    assert [flip.version for flip in first] == [1, 2, 3]
    assert [flip.version for flip in again] == [4]


async def test_a_subscriber_commits_every_hundred_messages_at_least(live: Running) -> None:
    segment, group = f"s-{uuid4().hex[:8]}", f"g-{uuid4().hex[:8]}"
    producer = KafkaProducer(live.kafka)
    messages = [entered(segment, person("busy"), version=n) for n in range(1, 252)]
    records = [encode(MEMBERSHIP_CHANGED, m, source="test", now=NOON) for m in messages]
    await producer.send(records)
    await producer.close()
    handled = 0
    subscription = subscribe(segment, bootstrap=live.stack.kafka, group=group, snapshot=False)
    async with asyncio.timeout(DEADLINE), aclosing(subscription) as flips:
        async for _ in flips:
            handled += 1
            if handled == 251:
                break
        committed = await committed_by(live, group)
    assert committed >= 200
    assert await committed_by(live, group) >= 250


async def committed_by(up: Running, group: str) -> int:
    """How many records a group has committed."""
    async with looking(up.stack.kafka, group) as consumer:
        await consumer._client.force_metadata_update()
        numbers = consumer.partitions_for_topic(MEMBERSHIP_CHANGED.name) or ()
        from aiokafka import TopicPartition

        found = [await consumer.committed(TopicPartition(MEMBERSHIP_CHANGED.name, n)) for n in numbers]
    return sum(offset or 0 for offset in found)

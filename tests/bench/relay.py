"""Stage relay beside bare aiokafka and beside Quix Streams: same broker, same messages, same validation."""

from __future__ import annotations

import asyncio
import sys
import time
from datetime import UTC, datetime
from pathlib import Path
from statistics import median
from typing import Final
from uuid import UUID, uuid4

from aiokafka import AIOKafkaConsumer, TopicPartition
from aiokafka.admin import AIOKafkaAdminClient, NewTopic
from cdp_contracts.events_v1 import Event, EventValidated
from cdp_devstack.servers import Stack
from cdp_devstack.servers.child import Child, plain_environment
from cdp_runtime.kafka_client import KafkaProducer
from cdp_runtime.settings import KafkaSettings
from cdp_runtime.transport import Outgoing

from tests.bench.report import Row, spread

MESSAGES: Final = 80_000
SUBJECTS: Final = 5_000
PARTITIONS: Final = 6
ROUNDS: Final = 5
WORKERS: Final = ("ours", "aiokafka", "quixstreams")
DEADLINE: Final = 120


def message(n: int) -> EventValidated:
    """An event of some 450 bytes."""
    now = datetime.now(UTC)
    return EventValidated(
        tenant="bench", id=UUID(int=n), message_id=f"bench-{n}", occurred_at=now, received_at=now,
        subject=f"{n % SUBJECTS:032x}", source="web-shop",
        event=Event(
            type="track", name="Product Viewed", anonymous_id=f"visitor-{n % SUBJECTS}",
            properties={"platform": "mobile", "channel": "email", "sku": f"sku-{n % 97}"},
        ),
    )  # fmt: skip


async def rows(stack: Stack, folder: Path) -> list[Row]:
    """Messages a second of each, the workers taking turns; ratios within the same round."""
    rates: dict[str, list[float]] = {name: [] for name in WORKERS}
    source = await filled(stack)
    for _ in range(ROUNDS):
        for name in WORKERS:
            rates[name].append(await rate(stack, folder, name, source))
    return [
        Row(
            name=f"stage relay beside {peer}", peer_name=peer,
            ours=median(rates["ours"]), peer=median(rates[peer]),
            ratio=median(a / b for a, b in zip(rates["ours"], rates[peer], strict=True)), unit="messages/s",
            spread=spread(rates["ours"]),
        )
        for peer in WORKERS[1:]
    ]  # fmt: skip


async def filled(stack: Stack) -> str:
    """A topic that holds all messages."""
    topic = f"bench.in-{uuid4().hex[:6]}"
    await create(stack, topic)
    producer = KafkaProducer(KafkaSettings(bootstrap=stack.kafka))
    for start in range(0, MESSAGES, 5000):
        batch = [message(n) for n in range(start, min(MESSAGES, start + 5000))]
        await producer.send([Outgoing(topic, m.subject.encode(), m.model_dump_json().encode()) for m in batch])
    await producer.close()
    return topic


async def rate(stack: Stack, folder: Path, worker: str, source: str) -> float:
    """Messages a second between the first and the last that arrived in the target."""
    target = f"bench.out-{uuid4().hex[:6]}"
    await create(stack, target)
    name = f"{worker}-{target}"
    command = [sys.executable, "-m", "tests.bench.relay_worker", worker, stack.kafka, source, target]
    environment = {**plain_environment(), "PYTHONPATH": str(Path.cwd())}
    child = Child(name, command, folder=folder, log=folder / f"{name}.log", environment=environment)
    try:
        return await measured(stack, target, child)
    finally:
        child.kill()


async def measured(stack: Stack, target: str, child: Child) -> float:
    """Watch the target fill up; the broker's clock stamps its records."""
    consumer = AIOKafkaConsumer(bootstrap_servers=stack.kafka, enable_auto_commit=False)
    await consumer.start()
    try:
        partitions = [TopicPartition(target, n) for n in range(PARTITIONS)]
        consumer.assign(partitions)
        deadline = time.monotonic() + DEADLINE
        while sum((await consumer.end_offsets(partitions)).values()) < MESSAGES:
            if not child.running or time.monotonic() > deadline:
                raise RuntimeError(f"{child.name} did not finish:\n{child.last_words()}")
            await asyncio.sleep(0.05)
        ends = await consumer.end_offsets(partitions)
        first = min([await stamp(consumer, tp, 0) for tp in partitions])
        last = max([await stamp(consumer, tp, ends[tp] - 1) for tp in partitions])
        return MESSAGES / max(0.001, (last - first) / 1000)
    finally:
        await consumer.stop()


async def stamp(consumer: AIOKafkaConsumer, tp: TopicPartition, offset: int) -> int:
    """When the broker took a record, in milliseconds."""
    consumer.seek(tp, offset)
    return int((await consumer.getone(tp)).timestamp)


async def create(stack: Stack, topic: str) -> None:
    """A topic whose records the broker stamps."""
    admin = AIOKafkaAdminClient(bootstrap_servers=stack.kafka)
    await admin.start()
    config = {"message.timestamp.type": "LogAppendTime"}
    await admin.create_topics([NewTopic(topic, PARTITIONS, 1, topic_configs=config)])
    await admin.close()

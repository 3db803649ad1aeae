"""The resolver as it ships, on Kafka and the document server: a backlog, and the latency that its hop adds.

Events are written straight into `events.permitted`; the broker stamps them there and in `events.resolved`. What a
hop adds is the time from the one stamp to the other: from when a record can be fetched to when what became of it
can be. Beside it is a bare worker (`identity_worker.py`) on the same topic and people: the same reads and as many
new documents, with nothing but the drivers. Both are processes of their own.
`python -m tests.bench identity-stage` prints the rows of the backlog, `identity-latency` those of the latency.
"""

from __future__ import annotations

import asyncio
import sys
import time
from collections.abc import Awaitable, Callable, Mapping, Sequence
from datetime import UTC, datetime
from itertools import product
from os import getloadavg
from pathlib import Path
from statistics import median, quantiles
from typing import Any, Final, TypeAlias

from aiokafka import AIOKafkaConsumer, ConsumerRecord, TopicPartition
from aiokafka.admin import AIOKafkaAdminClient, NewTopic
from aiokafka.admin.config_resource import ConfigResource, ConfigResourceType
from cdp_cli import topics
from cdp_contracts.envelope import derived_id
from cdp_contracts.events_v1 import EventPermitted
from cdp_contracts.topics import EVENTS_PERMITTED, EVENTS_RESOLVED
from cdp_devstack.platform import RoleProcess, RoleSpec, environment_for, kafka_settings
from cdp_devstack.servers import Stack
from cdp_devstack.servers.child import Child, plain_environment
from cdp_runtime.codec import encode
from cdp_runtime.kafka_client import KafkaProducer
from motor.motor_asyncio import AsyncIOMotorClient

from tests.bench.cpu import seconds_of
from tests.bench.report import Row, spread
from tests.bench.town import EACH, PEPPER, Town, fill

IDENTIFIERS: Final = 60_000
BACKLOG: Final = 12_000
ROUNDS: Final = 3
NEW: Final = {"known": 0.0, "20 % new": 0.2}
RATES: Final = (100, 250, 500)
SECONDS: Final = 4
TURN: Final = 0.01  # seconds between two sends at a fixed rate
DEADLINE: Final = 120
BARE: Final = "bench.resolved"
STAMPED: Final = {"message.timestamp.type": "LogAppendTime"}

Records = list[ConsumerRecord[bytes, bytes]]


class Hop:
    """A worker between `events.permitted` and a topic of its own. It sleeps while the other one is measured."""

    def __init__(self, name: str, target: str, process: RoleProcess | Child) -> None:
        self.name, self.target, self.process = name, target, process

    @property
    def cpu(self) -> float:
        """Seconds of CPU that it has used."""
        return seconds_of(self.process.pid or 0)


class Bench:
    """The topics from outside."""

    def __init__(self, producer: KafkaProducer, consumer: AIOKafkaConsumer[bytes, bytes], town: Town) -> None:
        self.town = town
        self._producer, self._consumer = producer, consumer

    async def publish(self, events: Sequence[EventPermitted]) -> None:
        """Write events as the gate does."""
        now = datetime.now(UTC)
        await self._producer.send([encode(EVENTS_PERMITTED, e, source="consent-gate", now=now) for e in events])

    async def end(self, topic: str) -> dict[TopicPartition, int]:
        """Where a topic ends."""
        return dict(await self._consumer.end_offsets(self._partitions(topic)))

    async def added(self, topic: str, since: Mapping[TopicPartition, int], number: int) -> Records:
        """The records of a topic after these offsets, once there are so many."""
        deadline = time.monotonic() + DEADLINE
        while sum((await self.end(topic)).values()) < sum(since.values()) + number:
            if time.monotonic() > deadline:
                raise RuntimeError(f"{topic}: {number} records did not arrive in {DEADLINE} s")
            await asyncio.sleep(0.05)
        found: Records = []
        if not since:
            return found
        self._consumer.assign(list(since))
        for partition, offset in since.items():
            self._consumer.seek(partition, offset)
        while len(found) < number:
            fetched = await self._consumer.getmany(timeout_ms=200)
            found += [record for records in fetched.values() for record in records]
        return found

    def _partitions(self, topic: str) -> list[TopicPartition]:
        return [TopicPartition(topic, n) for n in range(EVENTS_PERMITTED.partitions)]

    async def backlog(self, hops: Sequence[Hop], new: float) -> list[tuple[float, float]]:
        """For each worker events a second, from its waking to its last record, and its CPU in us an event."""
        events, _ = self.town.batch(BACKLOG, new, 0)
        starts = [await self.end(hop.target) for hop in hops]
        await self.publish(events)
        told = []
        for hop, since in zip(hops, starts, strict=True):
            used, started = hop.cpu, time.time()
            hop.process.resume()
            found = await self.added(hop.target, since, BACKLOG)
            rate = BACKLOG / (max(record.timestamp for record in found) / 1000 - started)
            told.append((rate, 1e6 * (hop.cpu - used) / BACKLOG))
            hop.process.pause()
        return told

    async def catch_up(self, hop: Hop) -> None:
        """Let a worker do what came while the other one was measured."""
        hop.process.resume()
        await self.added(hop.target, {}, sum((await self.end(EVENTS_PERMITTED.name)).values()))

    async def latencies(self, hop: Hop, rate: float, new: float) -> list[int]:
        """Milliseconds from the stamp of each event to that of what became of it, while they come at a rate."""
        number = int(rate * SECONDS)
        events, _ = self.town.batch(number, new, 0)
        await self.catch_up(hop)
        before, since = await self.end(EVENTS_PERMITTED.name), await self.end(hop.target)
        started, sent, sends = time.monotonic(), 0, list[asyncio.Task[None]]()
        while sent < number:
            due = min(number, int((time.monotonic() - started) * rate))
            if due > sent:
                sends.append(asyncio.create_task(self.publish(events[sent:due])))
                sent = due
            await asyncio.sleep(TURN)
        await asyncio.gather(*sends)
        arrived = {id_of(record): record.timestamp for record in await self.added(hop.target, since, number)}
        asked = {id_of(r): r.timestamp for r in await self.added(EVENTS_PERMITTED.name, before, number)}
        hop.process.pause()
        return [arrived[str(derived_id(id_, "resolved"))] - at for id_, at in asked.items()]


def id_of(record: ConsumerRecord[bytes, bytes]) -> str:
    """The id of its message."""
    return dict(record.headers)["ce_id"].decode()


Measure: TypeAlias = Callable[[Bench, Sequence[Hop]], Awaitable[list[Row]]]


async def rows(stack: Stack, folder: Path, measure: Measure) -> list[Row]:
    """Both workers by turns."""
    people = IDENTIFIERS // EACH
    await prepare(stack)
    client: AsyncIOMotorClient[Any] = AsyncIOMotorClient(stack.mongo)
    for database in ("bench_identity", "bare_identity"):
        await fill(client[database], people)
    producer = KafkaProducer(kafka_settings(stack))
    consumer: AIOKafkaConsumer[bytes, bytes] = AIOKafkaConsumer(
        bootstrap_servers=stack.kafka, enable_auto_commit=False
    )
    await consumer.start()
    bench, hops = Bench(producer, consumer, Town(people)), launched(stack, folder)
    try:
        await bench.backlog(hops, 0.2)  # warm
        return await measure(bench, hops)
    finally:
        for hop in hops:
            hop.process.kill()
        await consumer.stop()
        await producer.close()


async def backlogs(bench: Bench, hops: Sequence[Hop]) -> list[Row]:
    """Rates and CPU, ours beside the bare worker's in the same round."""
    told: list[Row] = []
    for mix, new in NEW.items():
        found = [await bench.backlog(hops, new) for _ in range(ROUNDS)]
        for n, (title, unit) in enumerate((("backlog", "events/s"), ("CPU of a backlog", "us/event"))):
            ours, bare = [each[0][n] for each in found], [each[1][n] for each in found]
            ratio = median(a / b for a, b in zip(ours, bare, strict=True))
            name = f"resolver, {title}, {mix}"
            told.append(Row(name, median(ours), unit, spread(ours), median(bare), "drivers alone", ratio))
    return told


async def delays(bench: Bench, hops: Sequence[Hop]) -> list[Row]:
    """The hop's own latency at fixed rates: the median of the rounds, in which both workers take turns."""
    told: list[Row] = []
    for (mix, new), rate in product(NEW.items(), RATES):
        found = [[await bench.latencies(hop, rate, new) for hop in hops] for _ in range(ROUNDS)]
        for percent in (50, 99):
            ours, bare = [[percentile(of[n], percent) for of in found] for n in (0, 1)]
            ratio = median(a / max(b, 1) for a, b in zip(ours, bare, strict=True))
            name = f"resolver, added latency at {rate}/s, {mix}, p{percent}"
            told.append(Row(name, median(ours), "ms", spread(ours), median(bare), "drivers alone", ratio))
        print(
            f"    {rate}/s, {mix}: {told[-2].ours:.0f} and {told[-1].ours:.0f} ms, load {getloadavg()[0]:.1f}",
            flush=True,
        )
    return told


def percentile(values: Sequence[int], percent: int) -> float:
    """So many of a hundred are not above it."""
    return quantiles(values, n=100)[percent - 1]


async def prepare(stack: Stack) -> None:
    """The topics of the registry and the bare worker's; the broker stamps what goes in and out."""
    settings = kafka_settings(stack)
    await topics.apply(settings)
    admin = AIOKafkaAdminClient(bootstrap_servers=stack.kafka)
    await admin.start()
    await admin.create_topics([NewTopic(BARE, EVENTS_PERMITTED.partitions, 1, topic_configs=STAMPED)])
    await admin.alter_configs([
        ConfigResource(ConfigResourceType.TOPIC, topic.name, configs=STAMPED)
        for topic in (EVENTS_PERMITTED, EVENTS_RESOLVED)
    ])  # fmt: skip
    await admin.close()


def launched(stack: Stack, folder: Path) -> list[Hop]:
    """The role as the platform starts it, and the bare worker; both asleep."""
    environment = {
        **plain_environment(), **environment_for(stack), "PYTHONPATH": str(Path.cwd()),
        "CDP_PEPPER": PEPPER.decode(), "CDP_MONGO_DATABASE_PREFIX": "bench", "CDP_KAFKA_SESSION_SECONDS": "60",
    }  # fmt: skip
    role = RoleProcess(RoleSpec("identity-resolver", "cdp_identity.app:build_resolver"), folder, environment)
    role.launch()
    role.wait_ready()
    command = [sys.executable, "-m", "tests.bench.identity_worker", stack.kafka, stack.mongo, BARE]
    bare = Child("bare", command, folder=folder, log=folder / "bare.log", environment=environment)
    hops = [Hop("ours", EVENTS_RESOLVED.name, role), Hop("drivers alone", BARE, bare)]
    for hop in hops:
        hop.process.pause()
    return hops

"""The peer of the whole platform: five hops with nothing but the drivers, on the same servers."""

from __future__ import annotations

import asyncio
import sys
import time
from collections.abc import AsyncIterator, Iterator
from contextlib import ExitStack, asynccontextmanager, contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Final
from uuid import uuid4

import polars as pl
from aiokafka import AIOKafkaConsumer, AIOKafkaProducer, TopicPartition
from aiokafka.admin import AIOKafkaAdminClient, NewTopic
from cdp_contracts.events_v1 import EventValidated
from cdp_devstack.servers import Stack
from cdp_devstack.servers.child import Child, plain_environment

from tests.bench.chain_worker import HOPS, topic
from tests.bench.open_loop import Findings, Outcome, find
from tests.bench.relay import message

PARTITIONS: Final = 6
TURNS: Final = 50  # a second
PATIENCE_SECONDS: Final = 60


@dataclass
class Chain:
    """Five running workers, a producer in front of them and a subscriber behind them."""

    database: str
    producer: AIOKafkaProducer
    sent: int = 0
    seconds: list[float] = field(default_factory=list)

    async def outcome(self, rate: float, seconds: float) -> Outcome:
        """Send at that rate for so long, and wait for all of it."""
        self.seconds.clear()
        first = self.sent
        started = time.monotonic()
        for turn in range(int(seconds * TURNS)):
            await asyncio.sleep(max(0.0, started + turn / TURNS - time.monotonic()))
            for _ in range(round(rate / TURNS)):
                await self._send()
        deadline = time.monotonic() + PATIENCE_SECONDS
        while len(self.seconds) < self.sent - first and time.monotonic() < deadline:
            await asyncio.sleep(0.1)
        return Outcome(pl.Series(self.seconds), complete=len(self.seconds) == self.sent - first)

    async def _send(self) -> None:
        event = message(self.sent)
        self.sent += 1
        value = event.model_dump_json().encode()
        await self.producer.send(topic(self.database, 0), value, key=event.subject.encode())

    async def listen(self, consumer: AIOKafkaConsumer) -> None:
        """Note how long each event took."""
        async for record in consumer:
            event = EventValidated.model_validate_json(record.value)
            self.seconds.append((datetime.now(UTC) - event.received_at).total_seconds())


async def findings(stack: Stack, folder: Path) -> Findings:
    """What the chain reaches."""
    async with chain(stack, folder) as made:
        return await find(made.outcome)


@asynccontextmanager
async def chain(stack: Stack, folder: Path) -> AsyncIterator[Chain]:
    """A chain that is ready."""
    database = f"bench-{uuid4().hex[:6]}"
    last = topic(database, len(HOPS))
    await create([topic(database, hop) for hop in range(len(HOPS) + 1)], stack)
    producer = AIOKafkaProducer(bootstrap_servers=stack.kafka, acks="all", linger_ms=0)
    consumer = AIOKafkaConsumer(bootstrap_servers=stack.kafka, enable_auto_commit=False)
    consumer.assign([TopicPartition(last, n) for n in range(PARTITIONS)])
    made = Chain(database, producer)
    with workers(stack, folder, database):
        await producer.start()
        await consumer.start()
        listening = asyncio.create_task(made.listen(consumer))
        yield made
        listening.cancel()
        await asyncio.gather(listening, return_exceptions=True)
        await consumer.stop()
        await producer.stop()


@contextmanager
def workers(stack: Stack, folder: Path, database: str) -> Iterator[None]:
    """One process a hop."""
    environment = {**plain_environment(), "PYTHONPATH": str(Path.cwd())}
    with ExitStack() as running:
        for hop, kind in enumerate(HOPS):
            name = f"hop-{hop}-{kind}"
            arguments = [str(hop), stack.kafka, stack.mongo, stack.redis, database]
            command = [sys.executable, "-m", "tests.bench.chain_worker", *arguments]
            child = Child(name, command, folder=folder, log=folder / f"{name}.log", environment=environment)
            running.callback(child.kill)
        yield


async def create(names: list[str], stack: Stack) -> None:
    """Topics."""
    admin = AIOKafkaAdminClient(bootstrap_servers=stack.kafka)
    await admin.start()
    await admin.create_topics([NewTopic(name, PARTITIONS, 1) for name in names])
    await admin.close()

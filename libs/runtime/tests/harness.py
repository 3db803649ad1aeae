"""One way to run stages for the conformance suite, over the in-memory bus and over a real wire."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from datetime import UTC, datetime
from typing import Any, Protocol
from uuid import UUID, uuid4

from aiokafka.admin import AIOKafkaAdminClient, NewTopic
from cdp_contracts.envelope import Message
from cdp_contracts.topics import Topic
from cdp_devstack.offsets import caught_up, looking, partitions_of, true_ends
from cdp_runtime.app import Role, role
from cdp_runtime.backoff import Patience
from cdp_runtime.clock import ManualClock
from cdp_runtime.codec import encode
from cdp_runtime.kafka_client import KafkaProducer, client_options
from cdp_runtime.kafka_records import incoming
from cdp_runtime.settings import KafkaSettings
from cdp_runtime.stage import Stage
from cdp_runtime.transport import Incoming, Outgoing
from cdp_testkit import Crash, LocalBus

ROLE = "tests-worker"
PATIENCE = Patience(attempts=2, first_wait=0.001, longest_wait=0.01, in_a_row=5, share=0.9, window=1000)
DEADLINE = 30.0
NOON = datetime(2026, 1, 5, 12, 0, tzinfo=UTC)


class Order(Message):
    """What the suite's stages read."""

    customer: str
    amount: int


class Invoice(Message):
    """What they emit."""

    customer: str
    total: int


class Topics:
    """Topics of one test: names of their own, so that a shared broker does not mix them."""

    def __init__(self, *, on_poison: str = "dead_letter", producers: tuple[str, ...] = ("tests-source",)) -> None:
        run = uuid4().hex[:8]
        self.orders: Topic[Order] = Topic(
            name=f"tests.orders-{run}.placed.v1", model=Order, key="customer", owner="tests", description="in",
            producers=producers, consumers=(ROLE,), retention_hours=1, partitions=2,
            on_poison=on_poison,  # type: ignore[arg-type]
        )  # fmt: skip
        self.invoices: Topic[Invoice] = Topic(
            name=f"tests.invoices-{run}.written.v1", model=Invoice, key="customer", owner="tests",
            description="out", producers=(ROLE,), consumers=("subscribers",), retention_hours=1, partitions=2,
        )  # fmt: skip
        self.dead = self.orders.dead_letters("tests")

    def partitions(self) -> dict[str, int]:
        return {self.orders.name: 2, self.invoices.name: 2, self.dead: 1}


def order(customer: str, amount: int, n: int = 0) -> Order:
    return Order(
        tenant="t", id=UUID(int=amount + 1000 * n), message_id=f"m{amount}", occurred_at=NOON, received_at=NOON,
        customer=customer, amount=amount,
    )  # fmt: skip


class Harness(Protocol):
    """What a test needs of a transport."""

    topics: Topics

    async def run(self, *stages: Stage[Any]) -> None: ...
    async def join(self, *stages: Stage[Any]) -> None: ...
    async def publish(self, *orders: Order) -> None: ...
    async def publish_raw(self, value: bytes, headers: tuple[tuple[str, bytes], ...] = ()) -> None: ...
    async def settle(self) -> None: ...
    async def until(self, condition: Callable[[], bool]) -> None: ...
    async def read(self, topic: str) -> list[Incoming]: ...
    async def kill(self) -> None: ...
    async def stop(self) -> None: ...
    def halted(self) -> list[str]: ...
    async def halt(self) -> bool: ...
    async def resume(self) -> None: ...
    async def part(self) -> None: ...


class BusHarness:
    """On the in-memory bus."""

    def __init__(self, topics: Topics) -> None:
        self.topics = topics
        self.bus = LocalBus(ManualClock(NOON), patience=PATIENCE)
        for name, count in topics.partitions().items():
            self.bus.declare(name, count)
        self._stages: list[Stage[Any]] = []

    async def run(self, *stages: Stage[Any]) -> None:
        self.bus.attach(ROLE, stages)

    async def join(self, *stages: Stage[Any]) -> None:
        raise NotImplementedError("the bus runs one instance of a group")

    async def publish(self, *orders: Order) -> None:
        await self.bus.publish(self.topics.orders, *orders)

    async def publish_raw(self, value: bytes, headers: tuple[tuple[str, bytes], ...] = ()) -> None:
        self.bus.publish_raw(self.topics.orders.name, value, b"k", headers)

    async def settle(self) -> None:
        try:
            await self.bus.drain()
        except Crash:
            return

    async def until(self, condition: Callable[[], bool]) -> None:
        await self.settle()
        assert condition()

    async def read(self, topic: str) -> list[Incoming]:
        return self.bus.raw(topic)

    async def kill(self) -> None:
        """Nothing to do: the bus keeps no state of a stage but its offsets."""

    async def stop(self) -> None:
        """Nothing runs between two drains."""

    def halted(self) -> list[str]:
        return list(self.bus.halted().values())

    async def halt(self) -> bool:
        raise NotImplementedError("nothing runs between two drains")

    async def part(self) -> None:
        raise NotImplementedError("the bus runs one instance of a group")

    async def resume(self) -> None:
        for group in self.bus.halted():
            self.bus.resume(group)
        await self.settle()


class WireHarness:
    """On a broker that speaks Kafka's protocol; the role is the one that production builds."""

    def __init__(self, topics: Topics, settings: KafkaSettings) -> None:
        self.topics = topics
        self.settings = settings
        self.producer = KafkaProducer(settings)
        self.role: Role | None = None
        self._serving: asyncio.Task[None] | None = None
        self._ended = asyncio.Event()
        self._others: list[tuple[asyncio.Task[None], asyncio.Event]] = []
        self._admin = AIOKafkaAdminClient(**client_options(settings))

    async def open(self) -> None:
        await self._admin.start()
        await self._admin.create_topics(
            [NewTopic(name, count, 1) for name, count in self.topics.partitions().items()]
        )

    async def close(self) -> None:
        await self.stop()
        await self.producer.close()
        await self._admin.close()

    async def run(self, *stages: Stage[Any]) -> None:
        self.role = role(ROLE, kafka=self.settings, stages=stages, patience=PATIENCE)
        started, self._ended = asyncio.Event(), asyncio.Event()
        self._serving = asyncio.create_task(self._serve(self.role, started, self._ended))
        await started.wait()

    async def join(self, *stages: Stage[Any]) -> None:
        """A second instance of the role, beside the first."""
        started, ended = asyncio.Event(), asyncio.Event()
        other = role(ROLE, kafka=self.settings, stages=stages, patience=PATIENCE)
        self._others.append((asyncio.create_task(self._serve(other, started, ended)), ended))
        await started.wait()

    async def publish(self, *orders: Order) -> None:
        await self.producer.send([encode(self.topics.orders, o, source="tests", now=NOON) for o in orders])

    async def publish_raw(self, value: bytes, headers: tuple[tuple[str, bytes], ...] = ()) -> None:
        await self.producer.send([Outgoing(self.topics.orders.name, b"k", value, headers)])

    async def settle(self) -> None:
        """Until every record of the orders is committed or the stage cannot go on."""
        assert self.role is not None
        group = self.role.state.stages[0].runner.group
        await eventually(lambda: self._committed(group))

    async def until(self, condition: Callable[[], bool]) -> None:
        async def holds() -> bool:
            return condition()

        await eventually(holds)

    async def read(self, topic: str) -> list[Incoming]:
        return await read_all(self.settings, topic)

    async def kill(self) -> None:
        """End as kill -9 would: whatever runs is dropped, nothing is committed."""
        assert self.role is not None
        for stage in self.role.state.stages:
            stage.stopping = True
            if stage.batch:
                stage.batch.cancel()
        await self.stop()

    async def stop(self) -> None:
        self._ended.set()
        await self.part()
        if self._serving:
            await self._serving

    async def part(self) -> None:
        """The other instances end; their partitions come back to the first."""
        for task, ended in self._others:
            ended.set()
            await task
        self._others.clear()

    @staticmethod
    async def _serve(app: Role, started: asyncio.Event, ended: asyncio.Event) -> None:
        """The lifespan, entered and left by one task as a server would."""
        async with app.start_lifespan_context():
            started.set()
            await ended.wait()

    def halted(self) -> list[str]:
        assert self.role is not None
        return [stage.halted for stage in self.role.state.stages if stage.halted]

    async def halt(self) -> bool:
        """As `POST /halt` does; whether it has stopped."""
        assert self.role is not None
        return all([await stage.halt("by command", DEADLINE) for stage in self.role.state.stages])

    async def resume(self) -> None:
        assert self.role is not None
        for stage in self.role.state.stages:
            stage.resume()

    async def _committed(self, group: str) -> bool:
        assert self.role is not None
        if self.halted() or any(stage.stopping for stage in self.role.state.stages):
            return True
        return await caught_up(self.settings.bootstrap, group, self.topics.orders.name)


async def eventually(condition: Callable[[], Awaitable[bool]]) -> None:
    """Wait for a condition, with a deadline."""
    async with asyncio.timeout(DEADLINE):
        while not await condition():
            await asyncio.sleep(0.02)


async def read_all(settings: KafkaSettings, topic: str) -> list[Incoming]:
    """Every record of a topic, partition by partition."""
    async with looking(settings.bootstrap) as consumer:
        partitions = await partitions_of(consumer, [topic])
        ends = await true_ends(consumer, partitions)
        consumer.assign(partitions)
        await consumer.seek_to_beginning(*partitions)
        found: list[Incoming] = []
        while [tp for tp in partitions if await consumer.position(tp) < ends[tp]]:
            for records in (await consumer.getmany(timeout_ms=200)).values():
                found.extend(incoming(record) for record in records)
        return sorted(found, key=lambda r: (r.partition, r.offset))

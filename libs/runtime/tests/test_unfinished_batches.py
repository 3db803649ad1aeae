"""What is not finished is not committed, and the clock does not run ahead of what is not read yet."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from datetime import timedelta
from types import SimpleNamespace

from aiokafka import TopicPartition
from cdp_runtime.batch import Batch
from cdp_runtime.clock import SystemClock
from cdp_runtime.kafka_progress import EPOCH, Progress
from cdp_runtime.kafka_stage import KafkaStage, incoming
from cdp_runtime.runner import StageRunner
from cdp_runtime.settings import KafkaSettings
from cdp_runtime.stage import Stage
from cdp_runtime.transport import Outgoing
from harness import NOON, PATIENCE, Order, Topics
from test_delivery import invoice
from test_progress import ONE, ZERO, Consumer, orders, record


class Sent:
    """Acknowledges everything, and keeps it."""

    def __init__(self) -> None:
        self.records: list[Outgoing] = []

    async def send(self, records: Sequence[Outgoing]) -> None:
        self.records.extend(records)

    async def ping(self) -> None:
        """It is always there."""


class Held:
    """A stage whose handler does not come to an end before it is told to."""

    def __init__(self, consumer: Consumer, *, on_poison: str = "dead_letter") -> None:
        self.topics = Topics(on_poison=on_poison)
        self.sent, self.entered, self.go_on = Sent(), asyncio.Event(), asyncio.Event()
        stage = Stage(self.hold, reads=self.topics.orders, emits=[self.topics.invoices])
        clock = SystemClock()
        runner = StageRunner(stage, role="tests-worker", producer=self.sent, clock=clock, patience=PATIENCE)
        self.kafka = KafkaStage(runner, KafkaSettings(drain_seconds=0.01), clock, lambda: True)
        self.kafka.attach(SimpleNamespace(subscriber=lambda *_, **__: SimpleNamespace(consumer=consumer)))  # type: ignore[arg-type]
        self.kafka.begin()

    async def hold(self, batch: Batch[Order]) -> None:
        self.entered.set()
        await self.go_on.wait()
        for o in batch:
            batch.emit(invoice(o, o.amount), cause=o)

    async def end(self) -> None:
        self.kafka.stopping = True
        await self.kafka.drain()


async def test_a_batch_that_is_abandoned_on_revoke_is_neither_committed_nor_said() -> None:
    consumer = Consumer(orders(3))
    held = Held(consumer)
    async with asyncio.timeout(10):
        await held.entered.wait()
        await held.kafka.revoke()
        held.go_on.set()
        while "empty" not in consumer.story:
            await asyncio.sleep(0.001)
        await held.end()
    assert (consumer.commits, held.sent.records) == ([], [])


async def test_a_batch_in_flight_is_not_committed() -> None:
    consumer = Consumer(orders(3))
    held = Held(consumer)
    async with asyncio.timeout(10):
        await held.entered.wait()
        await held.kafka._progress.commit(consumer)
        before = list(consumer.commits)
        held.go_on.set()
        while "empty" not in consumer.story:
            await asyncio.sleep(0.001)
        await held.end()
    assert (before, consumer.commits[-1], len(held.sent.records)) == ([], {ZERO: 3}, 3)


async def test_a_halted_stage_fetches_and_commits_nothing_until_a_person_resumes_it() -> None:
    consumer = Consumer([record(ZERO, 0, b"?")], orders(1, 1))
    held = Held(consumer, on_poison="halt")
    held.go_on.set()
    async with asyncio.timeout(10):
        while held.kafka.halted is None:
            await asyncio.sleep(0.001)
        for _ in range(100):  # turns of the loop, in which it could go on
            await asyncio.sleep(0)
        await held.kafka._progress.commit(consumer)
        assert (consumer.commits, len(consumer.batches), held.sent.records) == ([], 1, [])
        held.kafka.stopping = True
        await held.kafka.drain()


class Ends(Consumer):
    """Knows how far its partitions go."""

    def assignment(self) -> set[TopicPartition]:
        return {ZERO, ONE}

    def highwater(self, tp: TopicPartition) -> int:
        return {ZERO: 8, ONE: 9}[tp]

    async def beginning_offsets(self, tps: list[TopicPartition]) -> dict[TopicPartition, int]:
        return dict.fromkeys(tps, 0)

    async def committed(self, tp: TopicPartition) -> int | None:
        return None


async def test_the_clock_stands_where_a_backlog_was_read_to() -> None:
    """A timer that fires as of now would tell of things not done that are done further up the backlog."""
    progress, now = Progress("tests"), NOON + timedelta(hours=1)
    progress.note([incoming(record(ZERO, 7)), incoming(record(ONE, 7))])
    assert await progress.watermarks(Ends(), now) == {0: now, 1: NOON}


async def test_the_clock_does_not_move_where_nothing_was_read_yet() -> None:
    assert await Progress("tests").watermarks(Ends(), NOON) == {0: EPOCH, 1: EPOCH}


async def test_a_consumer_that_has_given_up_its_group_is_replaced() -> None:
    async def closed() -> None:
        raise RuntimeError("unable to perform operation: the handler is closed")

    given_up, fresh = Consumer(), Consumer(orders(1))
    given_up._coordinator = SimpleNamespace(_coordination_task=asyncio.create_task(closed()))  # type: ignore[attr-defined]
    held = Held(given_up)
    held.go_on.set()
    steps: list[str] = []

    async def stop() -> None:
        steps.append("stop")

    async def start() -> None:
        steps.append("start")
        held.kafka._subscriber.consumer = fresh  # type: ignore[union-attr]
        held.kafka.assigned()

    held.kafka._subscriber.stop, held.kafka._subscriber.start = stop, start  # type: ignore[union-attr,method-assign]
    async with asyncio.timeout(10):
        while not held.sent.records:
            await asyncio.sleep(0.001)
    await held.end()
    assert steps == ["stop", "start"]

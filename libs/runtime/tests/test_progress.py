"""How a stage goes round: what it commits and when, and that it rests after small batches."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from types import SimpleNamespace
from typing import Any

import pytest
from aiokafka import ConsumerRecord, TopicPartition
from aiokafka.errors import CommitFailedError, KafkaConnectionError
from cdp_runtime import kafka_progress
from cdp_runtime.backoff import LONGEST_REST, rest_after
from cdp_runtime.batch import Batch
from cdp_runtime.clock import SystemClock
from cdp_runtime.halting import Pulse
from cdp_runtime.kafka_progress import COMMIT_SECONDS, Progress
from cdp_runtime.kafka_records import EPOCH, incoming, moment_of
from cdp_runtime.kafka_stage import LARGE, KafkaStage
from cdp_runtime.runner import StageRunner
from cdp_runtime.settings import KafkaSettings
from cdp_runtime.stage import Stage
from cdp_runtime.transport import Outgoing
from harness import NOON, Order, Topics, order
from test_delivery import invoice

ZERO, ONE = TopicPartition("orders", 0), TopicPartition("orders", 1)


def record(tp: TopicPartition, offset: int, value: bytes = b"") -> ConsumerRecord[Any, Any]:
    at = int(NOON.timestamp() * 1000)
    return ConsumerRecord(tp.topic, tp.partition, offset, at, 0, b"k", value, 0, 1, len(value), ())


class Consumer:
    """Hands out batches one by one, and notes what is asked of it."""

    def __init__(self, *batches: Sequence[ConsumerRecord[Any, Any]]) -> None:
        self.batches = list(batches)
        self.commits: list[dict[TopicPartition, int]] = []
        self.failures: list[Exception] = []
        self.story: list[str] = []

    def assignment(self) -> set[TopicPartition]:
        return {ZERO}

    async def getmany(self, **_: Any) -> dict[TopicPartition, list[ConsumerRecord[Any, Any]]]:
        if not self.batches:
            self.story.append("empty")
            await asyncio.sleep(0.01)
            return {}
        self.story.append("fetch")
        return {ZERO: list(self.batches.pop(0))}

    async def commit(self, offsets: dict[TopicPartition, int]) -> None:
        if self.failures:
            raise self.failures.pop(0)
        self.commits.append(dict(offsets))

    def highwater(self, _: TopicPartition) -> int | None:
        return None

    def pause(self, *_: TopicPartition) -> None:
        self.story.append("pause")

    def resume(self, *_: TopicPartition) -> None:
        self.story.append("resume")


@pytest.fixture
def seconds(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    """The clock by which commits are spaced."""
    now = [1000.0]
    monkeypatch.setattr(kafka_progress, "time", SimpleNamespace(monotonic=lambda: now[0]))
    return now


async def test_the_newest_offset_of_each_partition_is_committed_a_few_times_a_second(seconds: list[float]) -> None:
    consumer, progress = Consumer(), Progress("tests")
    progress.note([incoming(record(ZERO, 7)), incoming(record(ONE, 3)), incoming(record(ZERO, 8))])
    await progress.commit_in_time(consumer)
    progress.note([incoming(record(ZERO, 9))])
    await progress.commit_in_time(consumer)
    assert consumer.commits == [{ZERO: 9, ONE: 4}]
    seconds[0] += COMMIT_SECONDS
    await progress.commit_in_time(consumer)
    await progress.commit_in_time(consumer)
    assert consumer.commits[1:] == [{ZERO: 10}]


async def test_a_commit_that_failed_is_made_again_with_what_came_since(seconds: list[float]) -> None:
    consumer, progress = Consumer(), Progress("tests")
    consumer.failures = [KafkaConnectionError()]
    progress.note([incoming(record(ZERO, 7)), incoming(record(ONE, 3))])
    await progress.commit_in_time(consumer)
    progress.note([incoming(record(ZERO, 8))])
    seconds[0] += COMMIT_SECONDS
    await progress.commit_in_time(consumer)
    assert consumer.commits == [{ZERO: 9, ONE: 4}]


async def test_what_belongs_to_others_by_now_is_not_committed_again(seconds: list[float]) -> None:
    consumer, progress = Consumer(), Progress("tests")
    consumer.failures = [CommitFailedError()]
    progress.note([incoming(record(ZERO, 7))])
    await progress.commit(consumer)
    progress.note([incoming(record(ONE, 3))])
    progress.clear()
    await progress.commit(consumer)
    assert consumer.commits == []


class Nowhere:
    """Acknowledges everything."""

    async def send(self, records: Sequence[Outgoing]) -> None:
        await asyncio.sleep(0)

    async def ping(self) -> None:
        """It is always there."""


async def go_round(consumer: Consumer, handler_seconds: float = 0.0, rounds: int = 2) -> None:
    """Let a stage fetch until the consumer has been empty for so many rounds, then end it."""
    topics = Topics()

    async def write_invoices(batch: Batch[Order]) -> None:
        await asyncio.sleep(handler_seconds)
        for o in batch:
            batch.emit(invoice(o, o.amount), cause=o)

    stage = Stage(write_invoices, reads=topics.orders, emits=[topics.invoices])
    runner = StageRunner(stage, role="tests-worker", producer=Nowhere(), clock=SystemClock())
    kafka = KafkaStage(runner, KafkaSettings(), SystemClock(), lambda: True)
    kafka.attach(SimpleNamespace(subscriber=lambda *_, **__: SimpleNamespace(consumer=consumer)))  # type: ignore[arg-type]
    kafka.begin()
    async with asyncio.timeout(10):
        while consumer.story.count("empty") < rounds:
            await asyncio.sleep(0.005)
    kafka.stopping = True
    await kafka.drain()


def orders(count: int, start: int = 0) -> list[ConsumerRecord[Any, Any]]:
    value = order("ann", 1).model_dump_json().encode()
    return [record(ZERO, start + n, value) for n in range(count)]


async def test_nothing_is_fetched_ahead_of_a_small_batch_and_everything_is_committed_at_the_end() -> None:
    consumer = Consumer(orders(2), orders(3, 2))
    await go_round(consumer)
    assert [word for word in consumer.story if word != "empty"] == ["fetch", "pause", "resume"] * 2
    assert consumer.commits[-1] == {ZERO: 5}


async def test_a_stage_rests_as_long_as_a_small_batch_took() -> None:
    loop = asyncio.get_running_loop()
    started = loop.time()
    await go_round(Consumer(orders(1)), handler_seconds=LONGEST_REST, rounds=1)
    assert loop.time() - started >= 2 * LONGEST_REST


@pytest.mark.parametrize(("took", "least", "rests"), [(0.01, 0.0, 0.01), (5.0, 0.0, 0.02), (0.01, 1.0, 1.0)])
def test_a_stage_does_not_rest_for_long_unless_it_asks_for_it(took: float, least: float, rests: float) -> None:
    assert rest_after(took, least) == rests


async def test_a_large_batch_is_not_rested_after_and_the_next_is_fetched_meanwhile() -> None:
    consumer = Consumer(orders(LARGE))
    await go_round(consumer)
    assert "pause" not in consumer.story


async def test_before_a_batch_that_takes_long_is_committed_what_came_before_it(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("cdp_runtime.kafka_stage.LONG_SECONDS", 0.01)
    monkeypatch.setattr(kafka_progress, "COMMIT_SECONDS", 0.0)
    consumer = Consumer(orders(1), orders(1, 1))
    consumer.failures = [KafkaConnectionError()]
    await go_round(consumer, handler_seconds=0.1)
    assert consumer.commits[0] == {ZERO: 1}


def test_waiting_is_not_counted() -> None:
    now = [0.0]
    pulse = Pulse(lambda: now[0])
    now[0] = 5.0
    with pulse.waiting():
        now[0] = 1000.0
        assert pulse.seconds() == 5.0
    now[0] += 2.0
    assert pulse.seconds() == 7.0
    pulse.beat()
    assert pulse.seconds() == 0.0


@pytest.mark.parametrize("milliseconds", [-(10**18), -1, 10**18])
def test_a_record_of_any_time_can_be_read(milliseconds: int) -> None:
    assert moment_of(milliseconds) >= EPOCH

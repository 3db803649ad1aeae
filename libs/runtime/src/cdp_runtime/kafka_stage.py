"""A stage on Kafka: FastStream fetches, the runner decides, the offsets of this very batch are committed."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any, Final

from aiokafka import AIOKafkaConsumer, ConsumerRebalanceListener, ConsumerRecord, TopicPartition
from aiokafka.errors import CommitFailedError, IllegalStateError, KafkaError
from faststream import AckPolicy
from faststream.kafka import KafkaBroker
from faststream.kafka.message import KafkaMessage
from faststream.kafka.subscriber.usecase import LogicSubscriber

from cdp_runtime import metrics
from cdp_runtime.clock import Clock
from cdp_runtime.failures import Halted, place_of
from cdp_runtime.runner import StageRunner
from cdp_runtime.settings import KafkaSettings
from cdp_runtime.transport import Incoming

log: Final = logging.getLogger("cdp.kafka")

DAY_MS: Final = 24 * 3600 * 1000
POLL_MS: Final = 20
REBALANCE_MS: Final = 60_000
MARGIN: Final = timedelta(seconds=1)
RETRY_SECONDS: Final = 1.0
EPOCH: Final = datetime.fromtimestamp(0, UTC)


class KafkaStage:
    """Connects one runner to its topic. One batch in flight; a tick never runs beside a batch."""

    def __init__(
        self, runner: StageRunner[Any], settings: KafkaSettings, clock: Clock, ready: Callable[[], bool]
    ) -> None:
        self.runner = runner
        self._settings = settings
        self._clock = clock
        self._is_ready = ready
        self._lock = asyncio.Lock()
        self._resumed = asyncio.Event()
        self.batch: asyncio.Task[None] | None = None
        self._moving = False
        self._ticker: asyncio.Task[None] | None = None
        self._subscriber: LogicSubscriber[Any] | None = None
        self._handled: dict[TopicPartition, tuple[int, datetime]] = {}
        self._in_flight: datetime | None = None
        self.halted: str | None = None
        self.stopping = False
        metrics.LAG_SECONDS.labels(*runner.labels).set_function(self.lag_seconds)

    def attach(self, broker: KafkaBroker) -> None:
        """Subscribe, with nothing acknowledged that has not been handled."""
        self._subscriber = subscriber = broker.subscriber(
            self.runner.stage.reads.name,
            group_id=self.runner.group,
            batch=True,
            ack_policy=AckPolicy.MANUAL,
            auto_offset_reset="earliest",
            max_records=self._settings.max_records,
            batch_timeout_ms=POLL_MS,
            fetch_max_wait_ms=self._settings.fetch_wait_ms,
            max_poll_interval_ms=DAY_MS,
            rebalance_timeout_ms=REBALANCE_MS,
            session_timeout_ms=int(self._settings.session_seconds * 1000),
            heartbeat_interval_ms=int(self._settings.session_seconds * 1000 / 3),
            parser=parse,
            decoder=decode_nothing,
            listener=_Rebalance(self),
        )
        subscriber(self._consume)

    async def revoke(self) -> None:
        """Let go of all partitions: what is fetched from now on until they are assigned anew is not handled."""
        self._moving = True
        await self.drain()

    async def drain(self) -> None:
        """Finish the batch in flight within the deadline, else abandon it: no emit, no commit."""
        if self._ticker:
            self._ticker.cancel()
            self._ticker = None
        if self.batch and not self.batch.done():
            await asyncio.wait({self.batch}, timeout=self._settings.drain_seconds)
            self.batch.cancel()

    def resume(self) -> None:
        """What a person says after a halt."""
        self._resumed.set()

    def lag_seconds(self) -> float:
        """Age of the oldest record not yet handled, as far as the last fetch knows."""
        now = self._clock.now()
        if self._in_flight:
            return max(0.0, (now - self._in_flight).total_seconds())
        behind = [last for tp, (_, last) in self._handled.items() if last > EPOCH and not self._caught_up(tp)]
        return max(0.0, (now - min(behind)).total_seconds()) if behind else 0.0

    @property
    def _consumer(self) -> AIOKafkaConsumer | None:
        return self._subscriber.consumer if self._subscriber else None

    async def _consume(self, message: KafkaMessage) -> None:
        if self.stopping or self._moving:
            return
        records: Sequence[ConsumerRecord[Any, Any]] = message.raw_message
        self.batch = asyncio.create_task(self._handle([incoming(record) for record in records]))
        await asyncio.wait({self.batch})
        if not self.batch.cancelled() and self.batch.exception():
            self.stopping = True
            log.error("%s stops: %s", self.runner.group, type(self.batch.exception()).__name__)

    async def _handle(self, records: list[Incoming]) -> None:
        self._in_flight = min(record.timestamp for record in records)
        try:
            async with self._lock:
                await self._ready()
                await self._process(records)
                await self._commit(records)
        finally:
            self._in_flight = None

    async def _ready(self) -> None:
        while not self._is_ready():
            await asyncio.sleep(0.05)  # tables and migrations signal by state, not by event

    async def _process(self, records: list[Incoming]) -> None:
        """Until it is done: an unforeseen failure is tried again, a halt waits for a person."""
        while True:
            try:
                await self.runner.process(records)
            except Halted as halted:
                self.halted = halted.reason
                self._resumed.clear()
                await self._resumed.wait()
                self.halted = None
                self.runner.resume()
            except Exception as error:
                log.error("%s: unforeseen failure, trying again: %s", self.runner.group, place_of(error))  # noqa: TRY400
                await asyncio.sleep(RETRY_SECONDS)
            else:
                return

    async def _commit(self, records: list[Incoming]) -> None:
        last = {TopicPartition(r.topic, r.partition): r for r in records}
        for tp, record in last.items():
            self._handled[tp] = (record.offset + 1, record.timestamp)
        while consumer := self._consumer:
            try:
                await consumer.commit({tp: record.offset + 1 for tp, record in last.items()})
            except (CommitFailedError, IllegalStateError):
                log.warning("%s: partitions moved before the commit, others handle them again", self.runner.group)
                return
            except KafkaError as error:
                log.warning("%s: commit failed: %s", self.runner.group, type(error).__name__)
                await asyncio.sleep(RETRY_SECONDS)
            else:
                return

    def assigned(self) -> None:
        """Begin afresh with the partitions that are now ours, from their committed offsets."""
        self._handled.clear()
        self._moving = False
        if self.runner.stage.on_tick and self._ticker is None and not self.stopping:
            self._ticker = asyncio.create_task(self._tick_for_ever())

    async def _tick_for_ever(self) -> None:
        while not self.stopping:
            await asyncio.sleep(self.runner.stage.tick_seconds)
            try:
                async with self._lock:
                    await self._ready()
                    await self.runner.tick(await self._watermarks())
            except Exception as error:
                log.error("%s: a tick failed, the next one tries again: %s", self.runner.group, place_of(error))  # noqa: TRY400
                await asyncio.sleep(RETRY_SECONDS)

    async def _watermarks(self) -> Mapping[int, datetime]:
        """Up to when each partition is known: now, less a margin, if caught up; else its last record."""
        now = self._clock.now() - MARGIN
        marks: dict[int, datetime] = {}
        for tp in self._consumer.assignment() if self._consumer else ():
            if tp not in self._handled:
                self._handled[tp] = (await self._start_of(tp), EPOCH)
            last = self._handled[tp][1]
            marks[tp.partition] = now if self._caught_up(tp) else min(now, last)
        return marks

    async def _start_of(self, tp: TopicPartition) -> int:
        if self._consumer is None:
            return 0
        beginning: int = (await self._consumer.beginning_offsets([tp]))[tp]
        return max(beginning, await self._consumer.committed(tp) or 0)

    def _caught_up(self, tp: TopicPartition) -> bool:
        end = self._consumer.highwater(tp) if self._consumer and tp in self._consumer.assignment() else None
        return end is not None and self._handled[tp][0] >= end


class _Rebalance(ConsumerRebalanceListener):  # type: ignore[misc]  # aiokafka publishes no types
    """Finishes the batch in flight before partitions go to somebody else."""

    def __init__(self, stage: KafkaStage) -> None:
        self._stage = stage

    async def on_partitions_revoked(self, revoked: set[TopicPartition]) -> None:
        await self._stage.revoke()

    async def on_partitions_assigned(self, assigned: set[TopicPartition]) -> None:
        self._stage.assigned()


async def parse(record: Any) -> KafkaMessage:
    """Hand the batch on untouched: FastStream's own parser raises on headers that are not UTF-8."""
    return KafkaMessage(body=b"", raw_message=record, consumer=None)  # type: ignore[arg-type]


async def decode_nothing(message: KafkaMessage) -> KafkaMessage:
    """Decoding is the runner's work."""
    return message


def incoming(record: ConsumerRecord[Any, Any]) -> Incoming:
    """The record as the port has it."""
    return Incoming(
        topic=record.topic,
        partition=record.partition,
        offset=record.offset,
        timestamp=datetime.fromtimestamp(record.timestamp / 1000, UTC),
        key=record.key,
        value=record.value,
        headers=tuple(record.headers),
    )

"""A stage on Kafka: fetch, let the runner decide, and commit what has been acknowledged."""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Callable
from datetime import datetime, timedelta
from itertools import chain
from typing import Any, Final

from aiokafka import AIOKafkaConsumer
from aiokafka.errors import ConsumerStoppedError, KafkaError
from faststream import AckPolicy
from faststream.kafka import KafkaBroker
from faststream.kafka.subscriber.usecase import LogicSubscriber

from cdp_runtime import metrics
from cdp_runtime.backoff import Patience, rest_after
from cdp_runtime.clock import Clock
from cdp_runtime.failures import Halted, place_of
from cdp_runtime.halting import Halt, Pulse
from cdp_runtime.kafka_client import START_SECONDS, ends_well, given_up
from cdp_runtime.kafka_progress import Handover, Progress
from cdp_runtime.kafka_records import incoming
from cdp_runtime.runner import StageRunner
from cdp_runtime.settings import KafkaSettings
from cdp_runtime.transport import Incoming

log: Final = logging.getLogger("cdp.kafka")

DAY_MS: Final = 24 * 3600 * 1000
POLL_MS: Final = 100
REBALANCE_MS: Final = 60_000
MARGIN: Final = timedelta(seconds=1)
RETRY_SECONDS: Final = 1.0
LARGE: Final = 500
LONG_SECONDS: Final = 1.0
LIVE_SECONDS: Final = 60.0
HURRY_SECONDS: Final = 0.01


class KafkaStage:
    """Connects one runner to its topic. One batch in flight; a tick never runs beside a batch.

    FastStream makes, starts and stops the consumer. The stage fetches by itself: a handler of FastStream would be
    called with messages, and what is to be decoded, retried and set aside here is the whole batch.
    """

    def __init__(
        self, runner: StageRunner[Any], settings: KafkaSettings, clock: Clock, ready: Callable[[], bool]
    ) -> None:
        self.runner = runner
        self._settings = settings
        self._clock = clock
        self._is_ready = ready
        self._lock = asyncio.Lock()
        self._halt = Halt()
        self._pulse = Pulse()
        self._patience = Patience()
        self._rewind = False
        self.batch: asyncio.Task[None] | None = None
        self._moving = False
        self._prepared = False
        self._fetching: asyncio.Task[None] | None = None
        self._ticker: asyncio.Task[None] | None = None
        self._subscriber: LogicSubscriber[Any] | None = None
        self._progress = Progress(runner.group)
        self._in_flight: datetime | None = None
        self._max_records = min(settings.max_records, runner.stage.max_records or settings.max_records)
        self.stopping = False
        metrics.LAG_SECONDS.labels(*runner.labels).set_function(self.lag_seconds)
        metrics.STALLED.labels(*runner.labels).set_function(self.stalled_seconds)

    def attach(self, broker: KafkaBroker) -> None:
        """Subscribe, with nothing acknowledged that has not been handled."""
        self._subscriber = broker.subscriber(
            *(topic.name for topic in self.runner.stage.reads),
            group_id=self.runner.group,
            batch=True,
            ack_policy=AckPolicy.MANUAL,
            auto_offset_reset="earliest",
            fetch_max_wait_ms=self._settings.fetch_wait_ms,
            max_poll_interval_ms=DAY_MS,
            rebalance_timeout_ms=REBALANCE_MS,
            session_timeout_ms=int(self._settings.session_seconds * 1000),
            heartbeat_interval_ms=int(self._settings.session_seconds * 1000 / 3),
            listener=Handover(self.revoke, self.assigned),
        )

    def begin(self) -> None:
        """Fetch, once the broker's subscribers have started."""
        self._pulse.beat()
        self._fetching = asyncio.create_task(self._fetch_for_ever())

    async def revoke(self) -> None:
        """Let go of all partitions: what is fetched from now on until they are assigned anew is not handled."""
        self._moving = True
        await self.drain()

    async def drain(self) -> None:
        """Finish the batch in flight within the deadline and commit it, else abandon it: no emit, no commit."""
        if self._ticker:
            self._ticker.cancel()
            self._ticker = None
        if self.batch and not self.batch.done():
            if not self._halt.met:  # what waits for a person will not end by itself
                await asyncio.wait({self.batch}, timeout=self._settings.drain_seconds)
            self.batch.cancel()
        await self._progress.commit(self._consumer)
        if self.stopping and self._fetching:
            self._fetching.cancel()

    @property
    def halted(self) -> str | None:
        """Why it waits for a person, if it does."""
        return self._halt.reason

    async def halt(self, reason: str, seconds: float) -> bool:
        """Fetch no more until a person resumes; whether what was in flight is done and committed in that time.

        It stays in its group and keeps its partitions. Lasts as long as the process.
        """
        self._halt.shut(reason, by_command=True)
        metrics.HALTED.labels(*self.runner.labels).set(1)
        log.warning("%s halted: %s", self.runner.group, reason)
        return await self._halt.reached(seconds)

    def resume(self) -> None:
        """What a person says after a halt."""
        if self._halt.open():
            self.runner.resume()
        metrics.HALTED.labels(*self.runner.labels).set(0)

    @property
    def alive(self) -> bool:
        """Whether its loop goes round, waits in good order, or has not begun yet."""
        return self._fetching is None or not (self._fetching.done() or self.stalled_seconds() > LIVE_SECONDS)

    def stalled_seconds(self) -> float:
        """Since the loop went round, not counting what it waits for."""
        return self._pulse.seconds() if self._fetching else 0.0

    def lag_seconds(self) -> float:
        """Age of the oldest record not yet handled, as far as the last fetch knows."""
        now = self._clock.now()
        since = self._in_flight or self._progress.behind_since(self._consumer)
        return max(0.0, (now - since).total_seconds()) if since else 0.0

    @property
    def _consumer(self) -> AIOKafkaConsumer | None:
        return self._subscriber.consumer if self._subscriber else None

    async def _fetch_for_ever(self) -> None:
        """Turn after turn. One that fails for no known reason is told with its place and made again."""
        attempt = 0
        while not self.stopping and (consumer := self._consumer):
            try:
                await (self._join_anew() if self._progress.stuck or given_up(consumer) else self._turn(consumer))
            except ConsumerStoppedError:
                return
            except Exception as error:
                self._rewind = True
                log.error("%s: the fetch loop failed, going on: %s", self.runner.group, place_of(error))  # noqa: TRY400
                metrics.RETRIES.labels(*self.runner.labels, "fetch").inc()
                await asyncio.sleep(self._patience.wait(attempt))
                attempt += 1
            else:
                attempt = 0
                self._pulse.beat()

    async def _join_anew(self) -> None:
        """Become a member of the group again, with a new consumer. What was not committed comes again."""
        with self._pulse.waiting():
            await self.revoke()
            while not self.stopping and (subscriber := self._subscriber):
                await ends_well(subscriber.stop(), self._settings.drain_seconds)
                if await ends_well(subscriber.start(), START_SECONDS):
                    return
                await asyncio.sleep(RETRY_SECONDS)

    async def _turn(self, consumer: AIOKafkaConsumer) -> None:
        """Fetch once and handle it. What was fetched in a turn that failed is fetched again."""
        with self._pulse.waiting():
            if self._halt.reason:
                await self._progress.commit(consumer)
                await self._halt.passed()
            if self._rewind:
                await self._progress.rewind(consumer)
                self._rewind = False
        try:
            fetched = await consumer.getmany(timeout_ms=POLL_MS, max_records=self._max_records)
        except ConsumerStoppedError:
            raise
        except KafkaError as error:
            log.warning("%s: fetch failed: %s", self.runner.group, type(error).__name__)
            await asyncio.sleep(RETRY_SECONDS)
            return
        with self._pulse.waiting():
            if fetched and not (self.stopping or self._moving):
                await self._take_turn(consumer, [incoming(record) for record in chain(*fetched.values())])
            await self._progress.commit_in_time(consumer)

    async def _take_turn(self, consumer: AIOKafkaConsumer, records: list[Incoming]) -> None:
        """Handle a batch; after a small one rest for as long as it took, but not for long, or as the stage says.

        Much of what a batch costs does not depend on its size. Where records trickle in faster than that, resting
        makes batches larger and the work less: everything arrives sooner. Meanwhile nothing is fetched, for what
        is fetched ahead would not be in the next batch but in the one after it.
        """
        if len(records) >= LARGE:
            return await self._take(consumer, records)
        consumer.pause(*consumer.assignment())
        started = time.monotonic()
        try:
            await self._take(consumer, records)
            await asyncio.sleep(rest_after(time.monotonic() - started, self.runner.stage.rest_seconds))
        finally:
            consumer.resume(*consumer.assignment())

    async def _take(self, consumer: AIOKafkaConsumer, records: list[Incoming]) -> None:
        """Handle a batch in a task of its own, which may be abandoned when partitions move."""
        self.batch = asyncio.create_task(self._handle(records))
        done, _ = await asyncio.wait({self.batch}, timeout=LONG_SECONDS)
        if not done:  # it waits for a store or for a person: what came before it must not stay uncommitted
            await self._progress.commit_in_time(consumer)
            await asyncio.wait({self.batch})
        error = None if self.batch.cancelled() else self.batch.exception()
        if isinstance(error, Exception):
            raise error
        if error:
            self.stopping = True
            log.error("%s stops: %s", self.runner.group, type(error).__name__)

    async def _handle(self, records: list[Incoming]) -> None:
        self._in_flight = min(record.timestamp for record in records)
        try:
            async with self._lock:
                await self._ready()
                await self._prepare()
                await self._process(records)
                self._progress.note(records)
        finally:
            self._in_flight = None

    async def _ready(self) -> None:
        while not self._is_ready():
            await asyncio.sleep(0.05)  # tables and migrations signal by state, not by event

    async def _prepare(self) -> None:
        if self.runner.stage.on_assigned and not self._prepared and (consumer := self._consumer):
            await self.runner.assigned(await self._progress.positions(consumer))
            self._prepared = True

    async def _process(self, records: list[Incoming]) -> None:
        """Until it is done: an unforeseen failure is tried again, a halt waits for a person."""
        while True:
            try:
                await self.runner.process(records)
            except Halted as halted:
                self._halt.shut(halted.reason)
                await self._halt.passed()
            except Exception as error:
                log.error("%s: unforeseen failure, trying again: %s", self.runner.group, place_of(error))  # noqa: TRY400
                await asyncio.sleep(RETRY_SECONDS)
            else:
                return

    def assigned(self) -> None:
        """Begin afresh with the partitions that are now ours, from their committed offsets."""
        self._progress.clear()
        self._moving = False
        self._prepared = False
        if self.runner.stage.on_tick and self._ticker is None and not self.stopping:
            self._ticker = asyncio.create_task(self._tick_for_ever())

    async def _tick_for_ever(self) -> None:
        rest = self.runner.stage.tick_seconds
        while not self.stopping:
            await asyncio.sleep(rest)
            rest = self.runner.stage.tick_seconds
            try:
                if self.halted:
                    continue
                async with self._lock:
                    await self._ready()
                    await self._prepare()
                    rest = HURRY_SECONDS if await self._tick() else rest
            except Exception as error:
                log.error("%s: a tick failed, the next one tries again: %s", self.runner.group, place_of(error))  # noqa: TRY400
                await asyncio.sleep(RETRY_SECONDS)

    async def _tick(self) -> bool:
        """As of where each partition is known: now, less a margin, if caught up; else its last record."""
        if consumer := self._consumer:
            marks = await self._progress.watermarks(consumer, self._clock.now() - MARGIN)
            return await self.runner.tick(marks, await self._progress.positions(consumer))
        return False

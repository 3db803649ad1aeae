"""A topic read again beside its stages: a consumer without a group, which nobody is assigned to."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Sequence
from typing import Final

from aiokafka import AIOKafkaConsumer, TopicPartition
from aiokafka.errors import KafkaError

from cdp_runtime.failures import Away
from cdp_runtime.kafka_client import client_options, ends_well
from cdp_runtime.kafka_records import incoming
from cdp_runtime.settings import KafkaSettings
from cdp_runtime.transport import Incoming

POLL_MS: Final = 200
MAX_RECORDS: Final = 2000
ANSWER_SECONDS: Final = 10.0


class KafkaHistory:
    """See transport.History. Nothing connects before the first call; one partition is read at a time."""

    def __init__(self, settings: KafkaSettings) -> None:
        self._settings = settings
        self._consumer: AIOKafkaConsumer | None = None
        self._next: tuple[TopicPartition, int] | None = None
        self._lock = asyncio.Lock()

    async def partitions(self, topic: str) -> int:
        """See History."""
        async with self._lock:
            try:
                consumer = await self._started()
                await consumer._client.force_metadata_update()  # noqa: SLF001  # aiokafka has no public refresh
            except (KafkaError, OSError) as error:
                raise Away("the log cannot be read") from error
        found = consumer.partitions_for_topic(topic)
        if not found:
            raise Away("there is no such topic")
        return len(found)

    async def begins(self, topic: str, partition: int) -> int:
        """See History."""
        tp = TopicPartition(topic, partition)
        async with self._lock:
            try:
                consumer = await self._started()
                found = await asyncio.wait_for(consumer.beginning_offsets([tp]), ANSWER_SECONDS)
            except (KafkaError, OSError) as error:
                raise Away("the log cannot be read") from error
        return int(found[tp])

    async def read(self, topic: str, partition: int, start: int, until: int) -> Sequence[Incoming]:
        """See History."""
        if start >= until:
            return ()
        async with self._lock:
            try:
                return await self._read(TopicPartition(topic, partition), start, until)
            except (KafkaError, OSError) as error:
                self._next = None
                raise Away("the log cannot be read") from error

    async def ping(self) -> None:
        """Nothing: a stage need not wait for what it reads besides."""

    async def close(self) -> None:
        """Let go of the connection."""
        consumer, self._consumer = self._consumer, None
        if consumer:
            await ends_well(consumer.stop(), ANSWER_SECONDS)

    async def _read(self, tp: TopicPartition, start: int, until: int) -> Sequence[Incoming]:
        consumer = await self._started()
        self._turn_to(consumer, tp, start)
        deadline = time.monotonic() + ANSWER_SECONDS
        while time.monotonic() < deadline:
            fetched = (await consumer.getmany(tp, timeout_ms=POLL_MS, max_records=MAX_RECORDS)).get(tp, [])
            if fetched:
                self._next = (tp, fetched[-1].offset + 1)
                return [incoming(record) for record in fetched if record.offset < until]
            end = consumer.highwater(tp)
            if end is not None and await consumer.position(tp) >= min(until, end):
                return ()
        self._next = None
        raise Away("the log is not answered")

    def _turn_to(self, consumer: AIOKafkaConsumer, tp: TopicPartition, start: int) -> None:
        """Read on where the last read ended, or somewhere else."""
        if self._next == (tp, start):
            return
        if self._next is None or self._next[0] != tp:
            consumer.assign([tp])
        consumer.seek(tp, start)
        self._next = (tp, start)

    async def _started(self) -> AIOKafkaConsumer:
        if self._consumer is None:
            consumer = AIOKafkaConsumer(
                **client_options(self._settings), enable_auto_commit=False, auto_offset_reset="earliest"
            )
            try:
                await asyncio.wait_for(consumer.start(), ANSWER_SECONDS)
            except BaseException:
                await ends_well(consumer.stop(), ANSWER_SECONDS)
                raise
            self._consumer = consumer
        return self._consumer

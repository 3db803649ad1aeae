"""Reads records from topics for a person's eyes."""

from __future__ import annotations

from collections.abc import AsyncGenerator, AsyncIterator, Sequence
from contextlib import asynccontextmanager
from datetime import datetime
from typing import Final

from aiokafka import AIOKafkaConsumer, TopicPartition
from cdp_runtime.kafka_client import client_options
from cdp_runtime.kafka_records import incoming
from cdp_runtime.settings import KafkaSettings
from cdp_runtime.transport import Incoming

POLL_MS: Final = 300


@asynccontextmanager
async def reader(
    settings: KafkaSettings, topics: Sequence[str]
) -> AsyncIterator[tuple[AIOKafkaConsumer, list[TopicPartition]]]:
    """A consumer without a group, assigned to every partition of the topics; those that do not exist have none."""
    consumer = AIOKafkaConsumer(**client_options(settings), enable_auto_commit=False)
    try:
        await consumer.start()
        await consumer._client.force_metadata_update()  # noqa: SLF001  # aiokafka has no public refresh
        partitions = [TopicPartition(t, n) for t in topics for n in sorted(consumer.partitions_for_topic(t) or ())]
        consumer.assign(partitions)
        yield consumer, partitions
    finally:
        await consumer.stop()


async def read_to_end(
    settings: KafkaSettings, topics: Sequence[str], since: datetime | None = None
) -> AsyncIterator[Incoming]:
    """Every record that is in the topics now, from about a moment on if one is given.

    Up to the ends that the broker tells, and on until nothing more comes: some tell them too low.
    """
    async with reader(settings, topics) as (consumer, partitions):
        if not partitions:
            return
        await consumer.seek_to_beginning(*partitions)
        ends = await consumer.end_offsets(partitions)
        if since:
            moments = dict.fromkeys(partitions, int(since.timestamp() * 1000))
            for tp, found in (await consumer.offsets_for_times(moments)).items():
                consumer.seek(tp, found.offset if found else ends[tp])
        behind, fetched = True, True
        while behind or fetched:
            fetched = False
            for records in (await consumer.getmany(timeout_ms=POLL_MS)).values():
                for record in records:
                    fetched = True
                    yield incoming(record)
            behind = any([await consumer.position(tp) < ends[tp] for tp in partitions])


async def follow(settings: KafkaSettings, topic: str, *, from_beginning: bool) -> AsyncGenerator[Incoming, None]:
    """Records as they come, for as long as somebody listens; LookupError if there is no such topic."""
    async with reader(settings, [topic]) as (consumer, partitions):
        if not partitions:
            raise LookupError(f"{topic} does not exist on this broker; `cdp topics apply` creates it")
        await (consumer.seek_to_beginning if from_beginning else consumer.seek_to_end)(*partitions)
        while True:
            for records in (await consumer.getmany(timeout_ms=POLL_MS)).values():
                for record in records:
                    yield incoming(record)

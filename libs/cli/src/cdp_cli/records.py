"""Reads records from topics for a person's eyes."""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any, Final

from aiokafka import AIOKafkaConsumer, TopicPartition
from cdp_contracts import failures_v1
from cdp_runtime.kafka_client import client_options
from cdp_runtime.kafka_stage import incoming
from cdp_runtime.settings import KafkaSettings
from cdp_runtime.transport import Incoming, Outgoing

POLL_MS: Final = 300
ORIGIN: Final = (failures_v1.SOURCE_TOPIC, failures_v1.SOURCE_PARTITION, failures_v1.SOURCE_OFFSET)
FORGOTTEN: Final = frozenset(failures_v1.DEAD_LETTER_HEADERS) - frozenset(ORIGIN)


@dataclass(frozen=True, slots=True)
class Letter:
    """A dead letter: where it lies and why."""

    record: Incoming
    said: Mapping[str, str]

    @property
    def place(self) -> str:
        """How a person names it: partition and offset in its dead-letter topic."""
        return f"{self.record.partition}:{self.record.offset}"


@asynccontextmanager
async def reader(
    settings: KafkaSettings, topic: str
) -> AsyncIterator[tuple[AIOKafkaConsumer, list[TopicPartition]]]:
    """A consumer without a group, assigned to every partition of the topic; none if it does not exist."""
    consumer = AIOKafkaConsumer(**client_options(settings), enable_auto_commit=False)
    await consumer.start()
    try:
        await consumer._client.force_metadata_update()  # noqa: SLF001  # aiokafka has no public refresh
        partitions = [TopicPartition(topic, n) for n in sorted(consumer.partitions_for_topic(topic) or ())]
        if partitions:
            consumer.assign(partitions)
        yield consumer, partitions
    finally:
        await consumer.stop()


async def read_to_end(settings: KafkaSettings, topic: str) -> AsyncIterator[Incoming]:
    """Every record that is in the topic now."""
    async with reader(settings, topic) as (consumer, partitions):
        if not partitions:
            return
        await consumer.seek_to_beginning(*partitions)
        ends = await consumer.end_offsets(partitions)
        while [tp for tp in partitions if await consumer.position(tp) < ends[tp]]:
            for records in (await consumer.getmany(timeout_ms=POLL_MS)).values():
                for record in records:
                    yield incoming(record)


async def follow(settings: KafkaSettings, topic: str, *, from_beginning: bool) -> AsyncIterator[Incoming]:
    """Records as they come, for as long as somebody listens."""
    async with reader(settings, topic) as (consumer, partitions):
        if partitions:
            await (consumer.seek_to_beginning if from_beginning else consumer.seek_to_end)(*partitions)
        while partitions:
            for records in (await consumer.getmany(timeout_ms=POLL_MS)).values():
                for record in records:
                    yield incoming(record)


async def letters(settings: KafkaSettings, topic: str) -> AsyncIterator[Letter]:
    """Every dead letter of a topic."""
    async for record in read_to_end(settings, topic):
        said: dict[str, Any] = {name: value.decode("utf-8", "replace") for name, value in record.headers}
        yield Letter(record, {name: said[name] for name in failures_v1.DEAD_LETTER_HEADERS if name in said})


def replayed(letter: Letter) -> Outgoing:
    """The record to put back on its source topic: key, bytes and headers as they first came.

    Where it first came from stays in its headers, so that de-duplication takes it for the same copy.
    """
    kept = tuple(header for header in letter.record.headers if header[0] not in FORGOTTEN)
    return Outgoing(letter.said[failures_v1.SOURCE_TOPIC], letter.record.key, letter.record.value, kept)

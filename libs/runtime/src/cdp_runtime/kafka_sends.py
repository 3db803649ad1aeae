"""How records are handed to aiokafka, and what became of them."""

from __future__ import annotations

import asyncio
import random
from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Any, Final, TypeAlias

from aiokafka import AIOKafkaProducer, TopicPartition
from aiokafka.errors import MessageSizeTooLargeError
from aiokafka.partitioner import murmur2
from aiokafka.producer.message_accumulator import BatchBuilder

from cdp_runtime.transport import Outgoing, TooLarge

Sending: TypeAlias = tuple[int, asyncio.Future[Any]]
"""The index of the first record of what is on its way, and its acknowledgement."""

BATCH_BYTES: Final = 512 * 1024
LARGEST: Final = 1024 * 1024


async def one_by_one(producer: AIOKafkaProducer, records: Sequence[Outgoing], sends: list[Sending]) -> None:
    """Hand over each record; with those of others who send at this time it becomes a batch. Raises TooLarge."""
    for index, record in enumerate(records):
        try:
            sending = producer.send(
                record.topic, record.value, key=record.key, partition=record.partition,
                headers=list(record.headers),
            )  # fmt: skip
            sends.append((index, await sending))
        except MessageSizeTooLargeError:
            raise TooLarge(index) from None


async def in_batches(producer: AIOKafkaProducer, records: Sequence[Outgoing], sends: list[Sending]) -> None:
    """Hand over the records of each partition as a batch, or several, each once the one before is under way.

    Costs a third of what as many single records do. Raises TooLarge.
    """
    partitions = {topic: await partitions_of(producer, topic) for topic in {r.topic for r in records}}
    filling: dict[TopicPartition, Filling] = {}
    for index, record in enumerate(records):
        partition = record.partition
        if partition is None:
            partition = partition_of(record.key, *partitions[record.topic])
        place = TopicPartition(record.topic, partition)
        batch = filling.get(place)
        if batch is None or not batch.take(record):
            if batch:
                await batch.leave(producer, place, sends)
            batch = filling[place] = Filling(index, producer.create_batch())
            batch.take(record)
    for place, batch in filling.items():
        await batch.leave(producer, place, sends)


@dataclass(frozen=True, slots=True)
class Filling:
    """A batch, and the index of its first record. Only the first may be larger than a batch."""

    first: int
    builder: BatchBuilder

    def take(self, record: Outgoing) -> bool:
        """Whether the record had room."""
        added = self.builder.append(
            timestamp=None, key=record.key, value=record.value, headers=list(record.headers)
        )
        return added is not None

    async def leave(self, producer: AIOKafkaProducer, place: TopicPartition, sends: list[Sending]) -> None:
        """Hand it over."""
        if self.builder.size() > LARGEST:
            raise TooLarge(self.first)
        sending = await producer.send_batch(self.builder, place.topic, partition=place.partition)
        sends.append((self.first, sending))


async def partitions_of(producer: AIOKafkaProducer, topic: str) -> tuple[list[int], list[int]]:
    """All partitions of a topic, and those that have a leader now."""
    every = sorted(await producer.partitions_for(topic))
    return every, sorted(producer.client.cluster.available_partitions_for_topic(topic) or ())


def partition_of(key: bytes | None, partitions: list[int], available: list[int]) -> int:
    """Where a key belongs, as in every Java client; anywhere without one. Keys come again and again."""
    if key is None:
        return random.choice(available or partitions)  # nosec B311  # spreads load
    return partitions[_spread(key) % len(partitions)]


@lru_cache(maxsize=65_536)
def _spread(key: bytes) -> int:
    return int(murmur2(key)) & 0x7FFFFFFF


async def first_failure(sends: Sequence[Sending], seconds: float) -> Exception | None:
    """The failure among sends, an oversize record before any other; a timeout if none is answered for so long."""
    try:
        for _, send in sends:
            if not send.done() and not (await asyncio.wait({send}, timeout=seconds))[0]:
                return TimeoutError("nothing was acknowledged")
        failures = [(index, error) for index, send in sends if (error := send.exception())]
    finally:
        for _, send in sends:
            send.cancel()  # nobody asks for it any more
    for index, failure in failures:
        if isinstance(failure, MessageSizeTooLargeError):
            return TooLarge(index)
    return next((error for _, error in failures if isinstance(error, Exception)), None)

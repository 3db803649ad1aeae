"""Reads what the topics hold of one story, and waits until nothing is on its way any more."""

from __future__ import annotations

import json
import time
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, Final, NamedTuple, TypeAlias

from aiokafka import TopicPartition
from aiokafka.admin import AIOKafkaAdminClient
from aiokafka.errors import KafkaError
from cdp_cli.records import reader
from cdp_contracts.topics import TOPICS, UNMERGES_REQUESTED, dead_letter_topics
from cdp_devstack.offsets import FLOW
from cdp_runtime.kafka_stage import incoming
from cdp_runtime.settings import KafkaSettings
from cdp_runtime.transport import Incoming

QUIET_SECONDS: Final = 180
STAGES: Final = (("identity-resolver.part_persons", UNMERGES_REQUESTED), *FLOW)
POLL_MS: Final = 200

Message: TypeAlias = dict[str, Any]  # a message as JSON


class NeverQuietError(Exception):
    """A group does not come to the end of its topic."""


class Seen(NamedTuple):
    """A message where it lies."""

    record: Incoming
    message: Message


class Tape:
    """Reads on from where it stopped. What is of other stories is told apart by the reader."""

    def __init__(self, kafka: KafkaSettings) -> None:
        self._kafka = kafka
        self._topics = (*(topic.name for topic in TOPICS), *dead_letter_topics())
        self._read: dict[tuple[str, int], int] = {}

    async def read(self) -> Mapping[str, Sequence[Seen]]:
        """Everything new, by topic, each partition in its order."""
        found: dict[str, list[Seen]] = defaultdict(list)
        async with reader(self._kafka, self._topics) as (consumer, partitions):
            ends = await consumer.end_offsets(partitions)
            for tp in partitions:
                consumer.seek(tp, self._read.get((tp.topic, tp.partition), 0))
            while any([await consumer.position(tp) < ends[tp] for tp in partitions]):
                for tp, records in (await consumer.getmany(timeout_ms=POLL_MS)).items():
                    for record in records:
                        found[tp.topic].append(seen(record))
            for tp in partitions:
                self._read[tp.topic, tp.partition] = await consumer.position(tp)
        return found


def seen(record: Any) -> Seen:
    """A record with what it says; dead letters may be anything."""
    kept = incoming(record)
    try:
        message = json.loads(record.value or b"{}")
    except ValueError:
        message = {}
    return Seen(kept, message if isinstance(message, dict) else {})


async def quiet(kafka: KafkaSettings) -> None:
    """Return when every stage, one after the other down the flow, has committed all that is before it."""
    deadline = time.monotonic() + QUIET_SECONDS
    admin = AIOKafkaAdminClient(bootstrap_servers=kafka.bootstrap)
    await admin.start()
    try:
        async with reader(kafka, sorted({topic.name for _, topic in STAGES})) as (consumer, partitions):
            for group, topic in STAGES:
                mine = [tp for tp in partitions if tp.topic == topic.name]
                while waiting := await lag(admin, consumer, group, mine):
                    if time.monotonic() > deadline:
                        raise NeverQuietError(f"{group}: {waiting}")
    finally:
        await admin.close()


async def lag(
    admin: AIOKafkaAdminClient, consumer: Any, group: str, partitions: Iterable[TopicPartition]
) -> Mapping[str, tuple[int, int]]:
    """Where a group stands and where the partition ends, of those that it has not read to the end."""
    try:
        ends = await consumer.end_offsets(partitions)
        committed = await admin.list_consumer_group_offsets(group)
    except KafkaError as error:
        return {type(error).__name__: (0, 0)}
    stands = {tp: committed[tp].offset if tp in committed else 0 for tp in partitions}
    return {f"partition {tp.partition}": (stands[tp], ends[tp]) for tp in partitions if stands[tp] < ends[tp]}

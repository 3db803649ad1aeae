"""Where topics end and how far groups have come, also on a broker that tells the end of a partition wrongly.

Tansu answers "list offsets" with the start of the last batch. Reading on from there finds the true end.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterable, Mapping
from contextlib import asynccontextmanager
from typing import Final

from aiokafka import AIOKafkaConsumer, TopicPartition
from cdp_contracts.topics import (
    EVENTS_PERMITTED,
    EVENTS_RECEIVED,
    EVENTS_RESOLVED,
    EVENTS_VALIDATED,
    IDENTITIES_MERGED,
    IDENTITIES_UNMERGED,
    PROFILES_UPDATED,
)

QUIET_MS: Final = 300
FLOW: Final = (
    ("collector-validator.validate_events", EVENTS_RECEIVED),
    ("consent-gate.guard_events", EVENTS_VALIDATED),
    ("identity-resolver.resolve_identities", EVENTS_PERMITTED),
    ("profiles-writer.update_profiles", EVENTS_RESOLVED),
    ("profiles-writer.absorb_profiles", IDENTITIES_MERGED),
    ("profiles-writer.part_profiles", IDENTITIES_UNMERGED),
    ("segments-evaluator.evaluate", PROFILES_UPDATED),
)
"""Every stage's group with what it reads, in the direction of the flow."""


@asynccontextmanager
async def looking(bootstrap: str, group: str | None = None) -> AsyncIterator[AIOKafkaConsumer]:
    """A consumer that reads without joining or committing."""
    consumer = AIOKafkaConsumer(bootstrap_servers=bootstrap, group_id=group, enable_auto_commit=False)
    await consumer.start()
    try:
        yield consumer
    finally:
        await consumer.stop()


async def partitions_of(consumer: AIOKafkaConsumer, topics: Iterable[str]) -> list[TopicPartition]:
    """Every partition of these topics; topics that do not exist have none."""
    await consumer._client.force_metadata_update()  # noqa: SLF001  # aiokafka has no public refresh
    return [TopicPartition(t, n) for t in topics for n in sorted(consumer.partitions_for_topic(t) or ())]


async def true_ends(consumer: AIOKafkaConsumer, partitions: list[TopicPartition]) -> Mapping[TopicPartition, int]:
    """The offset that the next record of each partition will have."""
    told = await consumer.end_offsets(partitions)
    ends = dict(told)
    tails = [tp for tp in partitions if told[tp] > 0]
    if not tails:
        return ends
    consumer.assign(tails)
    for tp in tails:
        consumer.seek(tp, told[tp] - 1)
    while fetched := await consumer.getmany(timeout_ms=QUIET_MS):
        for tp, records in fetched.items():
            ends[tp] = max(ends[tp], records[-1].offset + 1)
    return ends


async def topic_counts(bootstrap: str, topics: Iterable[str]) -> Mapping[str, int]:
    """How many records each topic holds."""
    names = list(topics)
    async with looking(bootstrap) as consumer:
        partitions = await partitions_of(consumer, names)
        begins, ends = await consumer.beginning_offsets(partitions), await true_ends(consumer, partitions)
    return {name: sum(ends[tp] - begins[tp] for tp in partitions if tp.topic == name) for name in names}


async def caught_up(bootstrap: str, group: str, topic: str) -> bool:
    """Whether a group has committed everything that is in the topic now."""
    async with looking(bootstrap, group) as consumer:
        partitions = await partitions_of(consumer, [topic])
        ends = await true_ends(consumer, partitions)
        return all([(await consumer.committed(tp) or 0) >= end for tp, end in ends.items() if end > 0])

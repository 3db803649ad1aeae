"""The conservation account, read from the topics themselves: in = out + rejected + withheld + ..."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Final

from aiokafka import AIOKafkaConsumer, TopicPartition
from cdp_contracts.topics import (
    EVENTS_PERMITTED,
    EVENTS_RECEIVED,
    EVENTS_REJECTED,
    EVENTS_RESOLVED,
    EVENTS_VALIDATED,
    EVENTS_WITHHELD,
    IDENTITIES_MERGED,
    MEMBERSHIP_CHANGED,
    PROFILES_UPDATED,
    dead_letter_topics,
)

COUNTED: Final = (
    EVENTS_RECEIVED, EVENTS_REJECTED, EVENTS_VALIDATED, EVENTS_WITHHELD, EVENTS_PERMITTED, EVENTS_RESOLVED,
    IDENTITIES_MERGED, PROFILES_UPDATED, MEMBERSHIP_CHANGED,
)  # fmt: skip
DUPLICATES: Final = re.compile(
    r'^cdp_duplicates_total\{role="collector-validator",.*\} ([0-9.e+]+)$', re.MULTILINE
)


@dataclass(frozen=True, slots=True)
class Account:
    """How many events stand at each place."""

    received: int
    duplicates: int
    rejected: int
    withheld: int
    resolved: int
    merged: int
    updated: int
    dead_lettered: int

    @property
    def balanced(self) -> bool:
        """Whether every event that came in went out by exactly one exit, and nothing is in flight."""
        out = self.resolved + self.rejected + self.withheld + self.duplicates + self.dead_lettered
        return self.received == out and self.updated == self.resolved + self.merged


async def account(bootstrap: str, validator_metrics: str) -> Account:
    """The account as it stands now."""
    counts = await topic_counts(bootstrap, [*(topic.name for topic in COUNTED), *dead_letter_topics()])
    return Account(
        received=counts[EVENTS_RECEIVED.name],
        duplicates=int(sum(float(number) for number in DUPLICATES.findall(validator_metrics))),
        rejected=counts[EVENTS_REJECTED.name],
        withheld=counts[EVENTS_WITHHELD.name],
        resolved=counts[EVENTS_RESOLVED.name],
        merged=counts[IDENTITIES_MERGED.name],
        updated=counts[PROFILES_UPDATED.name],
        dead_lettered=sum(counts[name] for name in dead_letter_topics()),
    )


async def topic_counts(bootstrap: str, topics: Iterable[str]) -> Mapping[str, int]:
    """How many records each topic holds."""
    consumer = AIOKafkaConsumer(bootstrap_servers=bootstrap, enable_auto_commit=False)
    await consumer.start()
    try:
        return {topic: await records_in(consumer, topic) for topic in topics}
    finally:
        await consumer.stop()


async def records_in(consumer: AIOKafkaConsumer, topic: str) -> int:
    """The distance between the two ends of every partition of a topic."""
    numbers = consumer.partitions_for_topic(topic)
    if not numbers:
        await consumer._client.force_metadata_update()  # noqa: SLF001  # aiokafka has no public refresh
        numbers = consumer.partitions_for_topic(topic) or ()
    partitions = [TopicPartition(topic, number) for number in numbers]
    begins, ends = await consumer.beginning_offsets(partitions), await consumer.end_offsets(partitions)
    return sum(ends[tp] - begins[tp] for tp in partitions)


async def caught_up(bootstrap: str, group: str, topic: str) -> bool:
    """Whether a group has committed everything that is in the topic now."""
    consumer = AIOKafkaConsumer(bootstrap_servers=bootstrap, group_id=group, enable_auto_commit=False)
    await consumer.start()
    try:
        numbers = consumer.partitions_for_topic(topic) or await consumer._client.fetch_all_metadata()  # noqa: SLF001
        partitions = [TopicPartition(topic, n) for n in (consumer.partitions_for_topic(topic) or numbers)]
        consumer.assign(partitions)
        ends = await consumer.end_offsets(partitions)
        return all([(await consumer.committed(tp) or 0) >= end for tp, end in ends.items()])
    finally:
        await consumer.stop()

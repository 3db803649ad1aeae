"""Compares the broker's topics with the registry, and creates what is missing. Never deletes or shrinks."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from aiokafka.admin import AIOKafkaAdminClient, NewTopic
from aiokafka.errors import for_code
from cdp_contracts.topic_settings import TopicSettings, topic_settings
from cdp_runtime.kafka_client import client_options
from cdp_runtime.settings import KafkaSettings

ALREADY_THERE: Final = 36
REPLICATED: Final = 3


@dataclass(frozen=True, slots=True)
class Plan:
    """What the broker lacks, and what differs from the registry and has to be decided by a person."""

    missing: tuple[TopicSettings, ...]
    differing: tuple[str, ...]
    present: int


async def plan(settings: KafkaSettings) -> Plan:
    """Compare. A partition count that differs is reported: it is fixed for a topic's life."""
    admin = AIOKafkaAdminClient(**client_options(settings))
    await admin.start()
    try:
        described = await admin.describe_topics()  # asked for by name, some brokers create what is missing
    finally:
        await admin.close()
    there = {t["topic"]: len(t["partitions"]) for t in described if t["error_code"] == 0}
    wanted = topic_settings()
    differing = tuple(
        f"{topic.name}: {there[topic.name]} partitions, the registry says {topic.partitions}"
        for topic in wanted
        if topic.name in there and there[topic.name] != topic.partitions
    )
    missing = tuple(topic for topic in wanted if topic.name not in there)
    return Plan(missing, differing, len(wanted) - len(missing))


async def create(settings: KafkaSettings, topics: Sequence[TopicSettings], replication: int) -> None:
    """Create these; one that somebody else created meanwhile is fine. Raises the broker's error otherwise."""
    extra = {"min.insync.replicas": "2"} if replication >= REPLICATED else {}
    wanted = [
        NewTopic(topic.name, topic.partitions, replication, topic_configs=dict(topic.config) | extra)
        for topic in topics
    ]
    if not wanted:
        return
    admin = AIOKafkaAdminClient(**client_options(settings))
    await admin.start()
    try:
        response = await admin.create_topics(wanted)
    finally:
        await admin.close()
    for name, code, *_ in response.topic_errors:
        if code not in (0, ALREADY_THERE):
            raise for_code(code)(name)


async def apply(settings: KafkaSettings, replication: int = 1) -> Plan:
    """Create what is missing; returns what was found before. Safe to run again."""
    found = await plan(settings)
    await create(settings, found.missing, replication)
    return found

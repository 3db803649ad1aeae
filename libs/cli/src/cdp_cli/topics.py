"""Compares the broker's topics with the registry, and creates what is missing. Never deletes or shrinks."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from aiokafka.admin import AIOKafkaAdminClient, NewTopic
from aiokafka.admin.config_resource import ConfigResource, ConfigResourceType
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
    """Compare partitions, which are fixed for a topic's life, and configuration as far as the registry has it."""
    wanted = topic_settings()
    admin = AIOKafkaAdminClient(**client_options(settings))
    await admin.start()
    try:
        described = await admin.describe_topics()  # asked for by name, some brokers create what is missing
        there = {t["topic"]: len(t["partitions"]) for t in described if t["error_code"] == 0}
        present = [topic for topic in wanted if topic.name in there]
        configs = await configs_of(admin, [topic.name for topic in present])
    finally:
        await admin.close()
    differing = tuple(
        line for topic in present for line in differences(topic, there[topic.name], configs.get(topic.name, {}))
    )
    missing = tuple(topic for topic in wanted if topic.name not in there)
    return Plan(missing, differing, len(present))


async def configs_of(admin: AIOKafkaAdminClient, names: Sequence[str]) -> dict[str, dict[str, str]]:
    """The configuration of these topics as the broker has it. Raises the broker's error where it refuses."""
    if not names:
        return {}
    answers = await admin.describe_configs([ConfigResource(ConfigResourceType.TOPIC, name) for name in names])
    found: dict[str, dict[str, str]] = {}
    for code, message, _, name, entries in (resource for answer in answers for resource in answer.resources):
        if code:
            raise for_code(code)(message or name)
        found[name] = {entry[0]: entry[1] for entry in entries}
    return found


def differences(topic: TopicSettings, partitions: int, config: Mapping[str, str]) -> Iterator[str]:
    """What the broker has otherwise, in words."""
    if partitions != topic.partitions:
        yield f"{topic.name}: {partitions} partitions, the registry says {topic.partitions}"
    for key, value in topic.config:
        if config.get(key) != value:
            yield f"{topic.name}: {key} is {config.get(key, 'not set')}, the registry says {value}"


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

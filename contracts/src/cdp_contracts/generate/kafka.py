"""`infra/kafka/topics.yaml`: every topic with its configuration, before an environment's overlay."""

from __future__ import annotations

from typing import Final

from cdp_contracts.envelope import JsonObject
from cdp_contracts.generate.yaml_text import to_yaml
from cdp_contracts.topic_settings import topic_settings
from cdp_contracts.topics import TOPICS

PATH: Final = "infra/kafka/topics.yaml"


def topics_document() -> JsonObject:
    """Topics by name. `defaults` hold for every topic until an overlay says otherwise."""
    registered = {topic.name: topic for topic in TOPICS}
    topics: JsonObject = {}
    for settings in topic_settings():
        topic = registered.get(settings.name)
        about: JsonObject = {"owner": topic.owner, "key": topic.key or "any"} if topic else {"owner": "operators"}
        config: JsonObject = {name: as_number(value) for name, value in settings.config}
        topics[settings.name] = {**about, "partitions": settings.partitions, "config": config}
    return {
        "defaults": {"replication_factor": 1, "config": {"min.insync.replicas": 1}},
        "topics": topics,
    }


def as_number(value: str) -> int | str:
    """Numbers as numbers, words as words."""
    return int(value) if value.lstrip("-").isdigit() else value


def topics_text() -> str:
    """The file as it is committed."""
    return to_yaml(topics_document())

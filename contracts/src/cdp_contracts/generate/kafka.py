"""`infra/kafka`: every topic with its configuration, before an environment's overlay, and who may use it."""

from __future__ import annotations

from typing import Final

from cdp_contracts.acls import Acl, acls
from cdp_contracts.envelope import JsonObject
from cdp_contracts.generate.yaml_text import NOTICE, to_yaml
from cdp_contracts.topic_settings import topic_settings
from cdp_contracts.topics import TOPICS

PATH: Final = "infra/kafka/topics.yaml"
ACLS_PATH: Final = "infra/kafka/acls.txt"


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


def acls_text() -> str:
    """What `kafka-acls.sh` is given to allow each thing, one a line."""
    return NOTICE + "".join(f"{acl_line(acl)}\n" for acl in acls())


def acl_line(acl: Acl) -> str:
    """One call's arguments."""
    resource = "--cluster" if acl.resource == "cluster" else f"--{acl.resource} {acl.name}"
    pattern = " --resource-pattern-type prefixed" if acl.prefixed else ""
    return f"--add --allow-principal User:{acl.user} --operation {acl.operation} {resource}{pattern}"

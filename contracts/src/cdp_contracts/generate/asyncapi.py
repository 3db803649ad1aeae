"""`contracts/asyncapi.yaml`: the platform's topics as an AsyncAPI 3.0 document."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

from pydantic import JsonValue

from cdp_contracts.envelope import Contract, JsonObject
from cdp_contracts.failures_v1 import DEAD_LETTER_HEADERS
from cdp_contracts.generate.yaml_text import to_yaml
from cdp_contracts.topic_settings import TopicSettings, topic_settings
from cdp_contracts.topics import TOPICS, Topic, dead_letter_topics, roles_reading

PATH: Final = "contracts/asyncapi.yaml"
KAFKA: Final = "0.5.0"
TRACE_PARENT: Final = "^[0-9a-f]{2}-[0-9a-f]{32}-[0-9a-f]{16}-[0-9a-f]{2}$"


def asyncapi_document() -> JsonObject:
    """Channels are topics, messages are their models, operations are what each role sends and receives."""
    messages: JsonObject = {topic.model.__name__: message(topic) for topic in TOPICS}
    return {
        "asyncapi": "3.0.0",
        "info": {
            "title": "Tessera",
            "version": "1.0.0",
            "description": "The topics of an event-driven customer data platform core.",
            "license": {"name": "Apache-2.0", "url": "https://www.apache.org/licenses/LICENSE-2.0"},
        },
        "defaultContentType": "application/json",
        "servers": {
            "kafka": {
                "host": "{bootstrap}",
                "protocol": "kafka",
                "variables": {"bootstrap": {"default": "localhost:9092", "description": "any broker"}},
            }
        },
        "channels": channels(),
        "operations": operations(),
        "components": {
            "messages": messages | {"DeadLetter": dead_letter()},
            "schemas": {"CloudEvent": cloud_event()},
        },
    }


def channels() -> JsonObject:
    """Every topic and every dead-letter topic."""
    settings = {s.name: s for s in topic_settings()}
    found: JsonObject = {t.name: channel(t.description, t.model.__name__, settings[t.name]) for t in TOPICS}
    for name, source, _ in letters():
        found[name] = channel(f"What could not be handled of {source}.", "DeadLetter", settings[name])
    return found


def operations() -> JsonObject:
    """What each role sends and receives."""
    found: JsonObject = {}
    for topic in TOPICS:
        model = topic.model.__name__
        found |= {f"{role}.sends.{topic.name}": operation("send", topic.name, model) for role in topic.producers}
        found |= {
            f"{role}.receives.{topic.name}": operation("receive", topic.name, model) for role in topic.consumers
        }
    for name, _, roles in letters():
        found |= {f"{role}.sends.{name}": operation("send", name, "DeadLetter") for role in roles}
        found[f"operators.receives.{name}"] = operation("receive", name, "DeadLetter")
    return found


def letters() -> Iterator[tuple[str, str, list[str]]]:
    """Each dead-letter topic, its source, and the roles that write it."""
    for topic in TOPICS:
        writers: dict[str, list[str]] = {}
        for role in roles_reading(topic):
            writers.setdefault(topic.dead_letters(role.split("-")[0]), []).append(role)
        yield from ((name, topic.name, roles) for name, roles in writers.items() if name in dead_letter_topics())


def channel(description: str, message_name: str, settings: TopicSettings) -> JsonObject:
    """One topic."""
    config: JsonObject = {name: int(value) if value.isdigit() else value for name, value in settings.config}
    config["cleanup.policy"] = [config["cleanup.policy"]]
    return {
        "address": settings.name,
        "description": description,
        "messages": {message_name: {"$ref": f"#/components/messages/{message_name}"}},
        "bindings": {
            "kafka": {"partitions": settings.partitions, "topicConfiguration": config, "bindingVersion": KAFKA}
        },
    }


def operation(action: str, topic: str, message_name: str) -> JsonObject:
    """What a role does with a topic."""
    return {
        "action": action,
        "channel": {"$ref": f"#/channels/{topic}"},
        "messages": [{"$ref": f"#/channels/{topic}/messages/{message_name}"}],
    }


def message(topic: Topic[Contract]) -> JsonObject:
    """The message of a topic. Product systems need send no headers."""
    own: JsonObject = {"properties": {"ce_type": {"const": topic.name}}}
    if "product-systems" not in topic.producers:
        own["required"] = ["ce_specversion", "ce_id", "ce_type", "ce_source", "ce_time", "content-type"]
    key: JsonObject = {"type": "string", "description": f"the field {topic.key}" if topic.key else "any"}
    return {
        "name": topic.model.__name__,
        "title": topic.name,
        "summary": (topic.model.__doc__ or "").split("\n", maxsplit=1)[0],
        "contentType": "application/json",
        "headers": {"allOf": [{"$ref": "#/components/schemas/CloudEvent"}, own]},
        "payload": {"$ref": f"./schemas/{topic.name}.json"},
        "bindings": {"kafka": {"key": key, "bindingVersion": KAFKA}},
        "x-owner": topic.owner,
        "x-personal": topic.personal,
        "x-on-poison": topic.on_poison,
    }


def dead_letter() -> JsonObject:
    """The untouched record, with headers that say what happened to it."""
    required: list[JsonValue] = list(DEAD_LETTER_HEADERS)
    headers: JsonObject = {name: {"type": "string"} for name in DEAD_LETTER_HEADERS}
    return {
        "name": "DeadLetter",
        "summary": "A record that could not be handled: its bytes and headers as they were, and why.",
        "contentType": "application/octet-stream",
        "headers": {"type": "object", "properties": headers, "required": required},
    }


def cloud_event() -> JsonObject:
    """CloudEvents in binary mode, and the plain trace headers of W3C Trace Context."""
    return {
        "type": "object",
        "properties": {
            "ce_specversion": {"const": "1.0"},
            "ce_id": {"type": "string", "description": "the message's id"},
            "ce_type": {"type": "string", "description": "the topic"},
            "ce_source": {"type": "string", "description": "the role that sent it"},
            "ce_time": {"type": "string", "format": "date-time", "description": "occurred_at"},
            "content-type": {"const": "application/json"},
            "traceparent": {"type": "string", "pattern": TRACE_PARENT},
            "tracestate": {"type": "string"},
        },
    }


def asyncapi_text() -> str:
    """The file as it is committed."""
    return to_yaml(asyncapi_document())

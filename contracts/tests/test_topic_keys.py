"""Keys: they exist on the model, say who a message is about, and never tell who that person is."""

from __future__ import annotations

from typing import Any

import pytest
from cdp_contracts.definitions_v1 import Definition
from cdp_contracts.envelope import Contract, JsonObject
from cdp_contracts.generate.schemas import schema_of
from cdp_contracts.topics import TOPICS, Topic

every_topic = pytest.mark.parametrize("topic", TOPICS, ids=lambda topic: topic.name)
keyed_topic = pytest.mark.parametrize("topic", [t for t in TOPICS if t.key], ids=lambda topic: topic.name)

MADE_BY_US: list[JsonObject] = [
    {"type": "string", "format": "uuid"},
    {"type": "string", "pattern": "^[0-9a-f]{32}$"},
]
NAMES_OF_MESSAGES = {"message_id"}
PERSONAL_NAMES = {"user_id", "anonymous_id", "previous_id", "group_id", "email", "phone", "name", "ip", "userId"}


def rule_of(topic: Topic[Contract]) -> dict[str, Any]:
    properties = schema_of(topic)["properties"]
    assert isinstance(properties, dict)
    found = properties[topic.key]
    assert isinstance(found, dict)
    return {word: value for word, value in found.items() if word != "description"}


@keyed_topic
def test_the_key_exists_on_the_model(topic: Topic[Contract]) -> None:
    assert topic.key in topic.model.model_fields or hasattr(topic.model, topic.key)


@keyed_topic
def test_the_key_is_always_there(topic: Topic[Contract]) -> None:
    if topic.key in topic.model.model_fields:
        assert topic.model.model_fields[topic.key].is_required()


@keyed_topic
def test_the_key_holds_no_personal_data(topic: Topic[Contract]) -> None:
    """A key is an id of our making, a keyed hash, the name of a definition, or the sender's id of a message."""
    assert topic.key not in PERSONAL_NAMES
    if issubclass(topic.model, Definition):
        assert topic.key == "id"
    elif topic.key not in NAMES_OF_MESSAGES:
        assert rule_of(topic) in MADE_BY_US


@keyed_topic
def test_what_is_keyed_by_a_sender_holds_no_personal_data(topic: Topic[Contract]) -> None:
    assert topic.key not in NAMES_OF_MESSAGES or not topic.personal


@every_topic
def test_only_what_senders_write_may_have_any_key(topic: Topic[Contract]) -> None:
    assert topic.key or "product-systems" in topic.producers

"""Personal data: a topic that can hold some says so, and the others have no field for it."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from cdp_contracts.definitions_v1 import Definition
from cdp_contracts.envelope import Contract, JsonObject
from cdp_contracts.generate.schemas import schema_of
from cdp_contracts.topics import TOPICS, Topic
from pydantic import JsonValue

every_topic = pytest.mark.parametrize("topic", TOPICS, ids=lambda topic: topic.name)
IDENTIFIERS = {
    "user_id",
    "anonymous_id",
    "previous_id",
    "group_id",
    "userId",
    "anonymousId",
    "previousId",
    "groupId",
}
FREE_TEXT = {"properties", "traits", "context"}


def fields_of(schema: JsonValue) -> Iterator[str]:
    """The names of all fields of a schema, at any depth."""
    if isinstance(schema, list):
        for part in schema:
            yield from fields_of(part)
    elif isinstance(schema, dict):
        declared = schema.get("properties")
        if schema.get("type") == "object" and isinstance(declared, dict):
            yield from declared
        for part in schema.values():
            yield from fields_of(part)


def personal_fields(schema: JsonObject) -> set[str]:
    return set(fields_of(schema)) & (IDENTIFIERS | FREE_TEXT)


@every_topic
def test_a_topic_is_personal_exactly_if_it_has_a_field_for_personal_data(topic: Topic[Contract]) -> None:
    """A definition's `properties` and `traits` are rules about data, not data."""
    found = set() if issubclass(topic.model, Definition) else personal_fields(schema_of(topic))
    assert topic.personal == bool(found), found


def test_a_model_with_a_users_id_would_be_noticed() -> None:
    class Leaky(Contract):
        user_id: str

    assert personal_fields(Leaky.model_json_schema()) == {"user_id"}

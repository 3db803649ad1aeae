"""`asyncapi.yaml` has the shape of AsyncAPI 3.0, and all its references lead somewhere."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from cdp_contracts.generate.asyncapi import asyncapi_document
from cdp_contracts.topics import TOPICS, dead_letter_topics
from jsonschema import Draft7Validator, Draft202012Validator

CONTRACTS = Path(__file__).parents[1]
DOCUMENT = asyncapi_document()
REFERENCE = {
    "type": "object",
    "properties": {"$ref": {"type": "string"}},
    "required": ["$ref"],
    "maxProperties": 1,
}
TEXT = {"type": "string"}
BINDINGS = {
    "type": "object",
    "properties": {"kafka": {"required": ["bindingVersion"]}},
    "additionalProperties": False,
}


def exactly(required: str = "", **properties: object) -> dict[str, object]:
    return {
        "type": "object",
        "properties": properties,
        "required": required.split(),
        "additionalProperties": False,
    }


def every(rule: object) -> dict[str, object]:
    return {"type": "object", "additionalProperties": rule, "propertyNames": {"pattern": r"^[\w.-]+$"}}


# What the specification allows of the parts that are used here: https://www.asyncapi.com/docs/reference/specification/v3.0.0
CHANNEL = exactly("address messages", address=TEXT, description=TEXT, messages=every(REFERENCE), bindings=BINDINGS)
OPERATION = exactly(
    "action channel", action={"enum": ["send", "receive"]}, channel=REFERENCE, messages={"items": REFERENCE}
)
MESSAGE = exactly(
    name=TEXT, title=TEXT, summary=TEXT, contentType=TEXT, headers={"type": "object"}, payload={"type": "object"},
    bindings=BINDINGS,
)  # fmt: skip
SHAPE = exactly(
    "asyncapi info",
    asyncapi={"const": "3.0.0"},
    info=exactly(
        "title version", title=TEXT, version=TEXT, description=TEXT, license=exactly("name", name=TEXT, url=TEXT)
    ),
    defaultContentType=TEXT,
    servers=every(exactly("host protocol", host=TEXT, protocol=TEXT, variables=every({"type": "object"}))),
    channels=every(CHANNEL),
    operations=every(OPERATION),
    components=exactly(messages=every(MESSAGE), schemas=every({"type": "object"})),
)


def references(value: Any) -> Iterator[str]:
    if isinstance(value, dict):
        yield from [value["$ref"]] if isinstance(value.get("$ref"), str) else []
        for part in value.values():
            yield from references(part)
    elif isinstance(value, list):
        for part in value:
            yield from references(part)


def at(pointer: str) -> Any:
    found: Any = DOCUMENT
    for step in pointer.removeprefix("#/").split("/"):
        found = found[step]
    return found


def without_extensions(value: Any) -> Any:
    if isinstance(value, dict):
        return {name: without_extensions(part) for name, part in value.items() if not name.startswith("x-")}
    return [without_extensions(part) for part in value] if isinstance(value, list) else value


def test_the_document_has_the_shape_of_the_specification() -> None:
    problems = Draft7Validator(SHAPE).iter_errors(without_extensions(DOCUMENT))
    assert [f"{'/'.join(map(str, problem.path))}: {problem.message}" for problem in problems] == []


@pytest.mark.parametrize("reference", sorted(set(references(DOCUMENT))))
def test_every_reference_leads_somewhere(reference: str) -> None:
    if reference.startswith("#/"):
        assert isinstance(at(reference), dict)
    else:
        assert json.loads((CONTRACTS / reference).read_text())["type"] == "object"


def test_every_topic_is_a_channel() -> None:
    assert set(at("#/channels")) == {topic.name for topic in TOPICS} | set(dead_letter_topics())
    assert all(channel["address"] == name for name, channel in at("#/channels").items())


def test_every_reader_and_writer_has_its_operation() -> None:
    operations = at("#/operations")
    for topic in TOPICS:
        channel = {"$ref": f"#/channels/{topic.name}"}
        for role in topic.producers:
            assert operations[f"{role}.sends.{topic.name}"]["channel"] == channel
        for role in topic.consumers:
            assert operations[f"{role}.receives.{topic.name}"]["action"] == "receive"


def test_an_operations_messages_are_among_its_channels() -> None:
    for operation in at("#/operations").values():
        for message in operation["messages"]:
            assert message["$ref"].startswith(f"{operation['channel']['$ref']}/messages/")


@pytest.mark.parametrize("name", sorted(at("#/components/messages")))
def test_headers_are_cloud_events_in_binary_mode(name: str) -> None:
    headers = json.loads(json.dumps(at(f"#/components/messages/{name}/headers")))
    Draft202012Validator.check_schema(headers)
    if name == "DeadLetter":
        assert {"cdp_reason", "cdp_service", "cdp_source_offset", "cdp_attempts"} <= set(headers["required"])
    else:
        inherited, own = headers["allOf"]
        assert set(at(inherited["$ref"])["properties"]) >= {"ce_id", "ce_source", "ce_time", "traceparent"}
        assert own["properties"]["ce_type"]["const"].startswith("cdp.")


def test_product_systems_need_send_no_headers() -> None:
    messages = {name: message for name, message in at("#/components/messages").items() if name != "DeadLetter"}
    free = [name for name, message in messages.items() if "required" not in message["headers"]["allOf"][1]]
    assert free == ["EventReceived"]

"""Examples: hand-written, several a topic, valid with unknown fields forbidden; every variant is shown."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any, get_args

import pytest
from cdp_contracts.envelope import Contract
from cdp_contracts.events_v1 import EventType
from cdp_contracts.generate.schemas import schema_of
from cdp_contracts.topics import TOPICS, Topic, topic_named
from jsonschema import Draft202012Validator
from jsonschema.validators import extend

FOLDER = Path(__file__).parents[1] / "examples"
EXAMPLES = sorted(FOLDER.glob("*/*.json"))
every_example = pytest.mark.parametrize("path", EXAMPLES, ids=lambda path: f"{path.parent.name}/{path.stem}")
every_topic = pytest.mark.parametrize("topic", TOPICS, ids=lambda topic: topic.name)


def values_at(value: Any, field: str) -> Iterator[Any]:
    """Everything that stands under a field's name, at any depth."""
    if isinstance(value, dict):
        yield from [value[field]] if field in value else []
        for part in value.values():
            yield from values_at(part, field)
    elif isinstance(value, list):
        for part in value:
            yield from values_at(part, field)


def shown(topic_name: str, field: str) -> set[Any]:
    documents = [json.loads(path.read_text()) for path in (FOLDER / topic_name).glob("*.json")]
    return {value for value in values_at(documents, field) if isinstance(value, str)}


@every_topic
def test_every_topic_has_several_examples(topic: Topic[Contract]) -> None:
    assert len(list((FOLDER / topic.name).glob("*.json"))) >= 2


@every_example
def test_an_example_validates_with_unknown_fields_forbidden(path: Path) -> None:
    topic_named(path.parent.name).model.model_validate_json(path.read_text(), extra="forbid")


@every_example
def test_an_example_validates_against_the_schema(path: Path) -> None:
    validator = extend(Draft202012Validator)
    schema = schema_of(topic_named(path.parent.name))
    problems = validator(schema, format_checker=validator.FORMAT_CHECKER).iter_errors(json.loads(path.read_text()))
    assert [problem.message for problem in problems] == []


@every_example
def test_an_example_survives_reading_and_writing(path: Path) -> None:
    model = topic_named(path.parent.name).model
    message = model.model_validate_json(path.read_text())
    assert model.model_validate_json(message.model_dump_json(by_alias=True)) == message


@every_example
def test_an_example_has_a_key_if_its_topic_has(path: Path) -> None:
    topic = topic_named(path.parent.name)
    key = topic.key_of(topic.model.model_validate_json(path.read_text()))
    assert (key is None) == (topic.key == "")
    assert key != ""


@pytest.mark.parametrize(
    "topic_name", ["cdp.events.validated.v1", "cdp.events.permitted.v1", "cdp.events.resolved.v1"]
)
def test_every_type_of_event_is_shown(topic_name: str) -> None:
    assert shown(topic_name, "type") >= set(get_args(EventType))


def test_every_kind_of_condition_and_window_is_shown() -> None:
    tags = set(values_at(schema_of(topic_named("cdp.segments.defined.v1")), "const"))
    assert shown("cdp.segments.defined.v1", "kind") == tags
    assert len(tags) >= 9


@pytest.mark.parametrize(
    ("topic_name", "field"),
    [
        ("cdp.segments.membership-changed.v1", "cause"),
        ("cdp.profiles.updated.v1", "cause"),
        ("cdp.segments.defined.v1", "state"),
        ("cdp.tracking-plans.defined.v1", "unknown_properties"),
    ],
)
def test_every_value_of_a_closed_list_is_shown(topic_name: str, field: str) -> None:
    (listed, *_) = (
        rule["enum"] for rule in values_at(schema_of(topic_named(topic_name)), field) if "enum" in rule
    )
    assert shown(topic_name, field) == set(listed)


def test_no_example_belongs_to_a_topic_that_is_not_there() -> None:
    assert {path.parent.name for path in EXAMPLES} == {topic.name for topic in TOPICS}
    assert all(
        path.parent.parent == FOLDER and path.suffix == ".json" for path in FOLDER.rglob("*") if path.is_file()
    )

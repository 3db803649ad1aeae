"""What every contract promises: readers pass over unknown fields, values are frozen, time is UTC."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from cdp_contracts.envelope import Contract, Message
from cdp_contracts.events_v1 import EventRejected
from cdp_contracts.topics import TOPICS, Topic, topic_named
from pydantic import ValidationError

EXAMPLES = sorted((Path(__file__).parents[1] / "examples").glob("*/*.json"))
FREE = {
    *("properties", "traits", "context", "choices", "basis", "memberships", "value", "threshold", "computed"),
    *("events", "jurisdictions", "strictest", "categories", "kinds", "sources"),
}
every_example = pytest.mark.parametrize("path", EXAMPLES, ids=lambda path: f"{path.parent.name}/{path.stem}")


def from_the_future(value: Any) -> Any:
    """The same message with a field nobody knows in every object that is a contract."""
    if isinstance(value, list):
        return [from_the_future(part) for part in value]
    if not isinstance(value, dict):
        return value
    known = {name: part if name in FREE else from_the_future(part) for name, part in value.items()}
    return {**known, "added_in_a_later_version": {"of": ["anything"]}}


@every_example
def test_readers_pass_over_fields_they_do_not_know(path: Path) -> None:
    model = topic_named(path.parent.name).model
    text = path.read_text()
    later = json.dumps(from_the_future(json.loads(text)))
    assert later != text
    assert model.model_validate_json(later) == model.model_validate_json(text)


@pytest.mark.parametrize("topic", TOPICS, ids=lambda topic: topic.name)
def test_a_message_cannot_be_changed(topic: Topic[Contract]) -> None:
    assert topic.model.model_config["frozen"] is True
    assert topic.model.model_config["extra"] == "ignore"


def rejection(**changes: Any) -> EventRejected:
    noon = datetime(2026, 3, 2, 12, tzinfo=UTC)
    fields = {
        "tenant": "demo",
        "id": "4f85767f-99f0-502c-8a22-111a908fdc42",
        "message_id": "m-1",
        "occurred_at": noon,
        "received_at": noon,
        "source": "web-shop",
        "rule": "type",
        "pointer": "/event",
        "expected": "string",
        "got": "array",
    }
    return EventRejected.model_validate({**fields, **changes})


def test_time_is_utc_whatever_was_sent() -> None:
    message = rejection(occurred_at="2026-03-02T13:00:00+01:00")
    assert message.occurred_at == datetime(2026, 3, 2, 12, tzinfo=UTC)
    assert message.occurred_at.utcoffset() == timedelta(0)
    assert '"occurred_at":"2026-03-02T12:00:00Z"' in message.model_dump_json()


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("occurred_at", "2026-03-02T13:00:00"),
        ("tenant", "Demo"),
        ("tenant", ""),
        ("tenant", "a/b"),
        ("message_id", ""),
        ("message_id", "m" * 129),
        ("id", "not-a-uuid"),
    ],
)
def test_an_envelope_that_is_wrong_names_the_field(field: str, value: str) -> None:
    with pytest.raises(ValidationError) as caught:
        rejection(**{field: value})
    assert [error["loc"] for error in caught.value.errors()] == [(field,)]


def test_what_our_services_emit_is_a_message() -> None:
    ours = [topic for topic in TOPICS if not topic.open]
    assert ours
    assert all(issubclass(topic.model, Message) for topic in ours)

"""Whatever stands in a record, a header, a file or a command line: it is understood, or refused in our words."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
import yaml
from cdp_cli import definitions
from cdp_contracts.topics import TOPICS, Topic
from cdp_runtime.codec import decode, trace_of
from cdp_runtime.tracing import PROPAGATOR
from hypothesis import given, settings
from hypothesis import strategies as st
from opentelemetry.trace import get_current_span
from pydantic import ValidationError
from typer.testing import CliRunner

ROOT = Path(__file__).parents[2]
FINITE = st.floats(allow_nan=False, allow_infinity=False)  # JSON has no others: the validator refuses them
LEAVES = st.none() | st.booleans() | st.integers() | FINITE | st.text(max_size=12)
VALUES = st.recursive(
    LEAVES, lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=6), inner, max_size=3)
)
FEW = settings(max_examples=40, deadline=None)


def examples(topic: Topic[Any]) -> list[dict[str, Any]]:
    return [
        json.loads(file.read_text()) for file in sorted((ROOT / "contracts/examples" / topic.name).glob("*.json"))
    ]


@pytest.mark.parametrize("topic", TOPICS, ids=lambda topic: topic.name)
@FEW
@given(data=st.data())
def test_any_value_is_a_message_or_no_message(topic: Topic[Any], data: st.DataObject) -> None:
    """Bytes, JSON of any shape, and good messages with something else in one place."""
    kind = data.draw(st.sampled_from(["bytes", "json", "changed"]))
    if kind == "bytes":
        value = data.draw(st.binary(max_size=60))
    elif kind == "json":
        value = json.dumps(data.draw(VALUES)).encode()
    else:
        message = dict(data.draw(st.sampled_from(examples(topic) or [{}])))
        name = data.draw(st.sampled_from(sorted(message)) if message else st.text(max_size=5))
        value = json.dumps({**message, name: data.draw(VALUES)}).encode()
    try:
        message = decode(topic, value)
    except ValidationError:
        return
    assert decode(topic, message.model_dump_json().encode()) == message
    topic.key_of(message)


HEADER_NAMES = st.sampled_from(["traceparent", "tracestate", "ce_id", "ce_time", "content-type"]) | st.text(
    max_size=8
)
HEADERS = st.lists(st.tuples(HEADER_NAMES, st.binary(max_size=80)), max_size=6).map(tuple)


@FEW
@given(headers=HEADERS)
def test_any_headers_of_a_record_make_a_trace_or_none(headers: tuple[tuple[str, bytes], ...]) -> None:
    carrier = {name: value.decode("utf-8", "replace") for name, value in trace_of(headers)}
    get_current_span(PROPAGATOR.extract(carrier)).get_span_context()


CONTENTS = st.binary(max_size=80) | VALUES.map(lambda value: yaml.safe_dump(value).encode())
WORDS = st.sampled_from(["schemas", "show", "--help", "--limit", "--"]) | st.text(max_size=8)
FOLDERS = ("sources", "tracking-plans", "policies", "segments")


@FEW
@given(
    folder=st.sampled_from(FOLDERS),
    content=st.binary(max_size=80) | VALUES.map(lambda v: yaml.safe_dump(v).encode()),
)
def test_any_file_of_definitions_is_loaded_or_named(
    tmp_path_factory: pytest.TempPathFactory, folder: str, content: bytes
) -> None:
    home = tmp_path_factory.mktemp("definitions")
    (home / folder).mkdir()
    (home / folder / "one.yaml").write_bytes(content)
    try:
        definitions.load(home)
    except definitions.BadDefinition as fault:
        assert "one.yaml" in str(fault)  # noqa: PT017  # any other error fails the test as it is


@FEW
@given(
    arguments=st.lists(
        st.sampled_from(["schemas", "show", "topics", "dlq", "--limit"]) | st.text(max_size=8), max_size=4
    )
)
def test_any_arguments_of_the_command_are_understood_or_explained(arguments: list[str]) -> None:
    """Of the part that reaches no server."""
    from cdp_cli.main import app

    result = CliRunner().invoke(app, ["schemas", "show", *arguments])
    assert result.exit_code in (0, 1, 2)
    assert result.exception is None or isinstance(result.exception, SystemExit)

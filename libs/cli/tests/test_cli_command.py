"""What the command says without any server: help, schemas, and what is missing."""

from __future__ import annotations

import json
import subprocess
import sys
from datetime import UTC, datetime
from pathlib import Path

import pytest
from cdp_cli import stages, tail
from cdp_cli.main import app
from cdp_contracts.topics import TOPICS
from cdp_runtime.transport import Incoming
from typer.testing import CliRunner

NOON = datetime(2026, 1, 5, 12, 0, tzinfo=UTC)
COMMANDS = ("apply", "halt", "resume", "topics", "tail", "profile", "explain", "dlq", "identity", "schemas")


def said(*arguments: str, code: int = 0) -> str:
    """What the command prints."""
    outcome = CliRunner().invoke(app, list(arguments))
    assert outcome.exit_code == code, outcome.output
    return outcome.output


def record(value: bytes, headers: tuple[tuple[str, bytes], ...] = ()) -> Incoming:
    return Incoming("t", 0, 1, NOON, b"k", value, headers)


def test_help_names_every_command() -> None:
    text = said("--help")
    assert [command for command in COMMANDS if command not in text] == []


def test_schemas_are_listed_and_shown() -> None:
    assert [topic.name for topic in TOPICS if topic.name not in said("schemas", "list")] == []
    schema = json.loads(said("schemas", "show", "cdp.events.withheld.v1"))
    assert schema["title"] == "EventWithheld"
    assert "no topic is called nothing" in said("schemas", "show", "nothing", code=2)


def test_a_topic_is_found_by_part_of_its_name_if_only_one_has_it() -> None:
    assert tail.find("membership").name == "cdp.segments.membership-changed.v1"
    assert tail.find("cdp.identities.merged.v1").name == "cdp.identities.merged.v1"
    with pytest.raises(tail.NoSuchTopic, match=r"events: one of cdp\.events\.received\.v1, "):
        tail.find("events")
    assert "nothing: one of" in said("tail", "nothing", code=2)


def test_personal_data_is_shown_on_demand_only() -> None:
    one = record(b'{"tenant": "demo", "message_id": "m", "event": {"user_id": "jane"}, "absorbed": null}')
    assert json.loads(tail.line(one, personal=False)) == {"tenant": "demo", "message_id": "m", "event": "…"}
    assert "jane" in tail.line(one, personal=True)
    assert tail.line(record(b"\xffjane"), personal=False) == '"5 bytes that are not JSON"'


def test_an_unknown_dead_letter_topic_is_named() -> None:
    assert "no dead-letter topic is called nothing" in said("dlq", "list", "nothing", code=2)


@pytest.mark.parametrize(
    ("environment", "message"),
    [
        ({"CDP_KAFKA_BOOTSTRAP": "127.0.0.1:9"}, "Kafka at 127.0.0.1:9 (CDP_KAFKA_BOOTSTRAP) does not answer"),
        ({"CDP_KAFKA_SECURITY_PROTOCOL": "HTTP"}, "environment: security_protocol: Input should be"),
    ],
)
@pytest.mark.parametrize("command", [["topics", "plan"], ["dlq", "list"], ["tail", "withheld"]])
def test_what_is_missing_is_said_in_a_line(
    command: list[str], environment: dict[str, str], message: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name, value in environment.items():
        monkeypatch.setenv(name, value)
    done = subprocess.run(
        [sys.executable, "-m", "cdp_cli.main", *command], capture_output=True, text=True, timeout=60, check=False
    )
    assert done.returncode == 2
    assert message in done.stderr
    assert "Traceback" not in done.stderr


def test_an_unreachable_read_api_is_said_in_a_line() -> None:
    text = said("profile", "user_id=jane", "--url", "http://127.0.0.1:9", "--token", "t", code=2)
    assert "http://127.0.0.1:9/v1/profiles: ConnectError" in text


def test_which_instances_are_meant() -> None:
    told = {"CDP_PROFILES_WRITER_URL": "http://one/, http://two"}
    assert stages.instances(["http://x"], ["profiles-writer"], told) == ["http://x", "http://one", "http://two"]
    with pytest.raises(stages.Refused, match="CDP_CONSENT_GATE_URL does not say where consent-gate answers"):
        stages.instances([], ["consent-gate"], told)
    assert "name a URL or a --role" in said("halt", code=2)
    assert "http://127.0.0.1:9: ConnectError" in said("resume", "http://127.0.0.1:9", code=2)


def test_rules_are_not_tried_out_before_they_are_rules(tmp_path: Path) -> None:
    rules = tmp_path / "rules.yaml"
    rules.write_text("tenant: demo\nname: default\nkinds: {email: {limit: {count: 99}}}")
    assert "kinds/email/limit/count: " in said("identity", "dry-run", str(rules), code=2)
    assert "No such file" in said("identity", "dry-run", str(tmp_path / "none.yaml"), code=2)
    rules.write_text("tenant: demo\nname: default")
    assert "ConnectError" in said("identity", "dry-run", str(rules), "--url", "http://127.0.0.1:9", code=2)
    assert "CDP_IDENTITY_RESOLVER_URL does not say" in said("identity", "dry-run", str(rules), code=2)

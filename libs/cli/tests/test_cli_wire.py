"""The command against a running platform."""

from __future__ import annotations

import asyncio
import json
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any
from uuid import uuid4

import httpx
import pytest
from cdp_cli.main import app
from cdp_client import Emitter
from cdp_contracts.topics import EVENTS_RECEIVED
from cdp_devstack.platform import READ_TOKEN, WRITE_KEY, environment_for
from cdp_devstack.running import Running
from cdp_runtime.kafka_client import KafkaProducer
from cdp_runtime.transport import Outgoing
from typer.testing import CliRunner

pytestmark = pytest.mark.wire

REPOSITORY = Path(__file__).parents[3]
ALLOWED = {"consent": {"categoryPreferences": {"Analytics": True}}}
DEADLINE = 60
DEAD = "cdp.events.received.v1.collector.dlq"


@pytest.fixture
def cdp(live: Running, monkeypatch: pytest.MonkeyPatch) -> Callable[..., str]:
    """Runs the command as `source .run/env` sets a shell up; returns what it prints."""
    for name, value in {
        **environment_for(live.stack),
        "CDP_RECEIPTS_URL": live.url("collector-receipts"),
        "CDP_PROFILES_URL": live.url("profiles-http"),
        "CDP_SEGMENTS_URL": live.url("segments-http"),
        "CDP_READ_TOKEN": READ_TOKEN,
        "CDP_PROFILES_WRITER_URL": live.url("profiles-writer"),
        "CDP_IDENTITY_RESOLVER_URL": live.url("identity-resolver"),
    }.items():
        monkeypatch.setenv(name, value)

    def run(*arguments: str, code: int = 0) -> str:
        outcome = CliRunner().invoke(app, list(arguments))
        assert outcome.exit_code == code, outcome.output
        return outcome.output

    return run


def eventually(what: Callable[[], bool]) -> None:
    deadline = time.monotonic() + DEADLINE
    while not what():
        assert time.monotonic() < deadline, "it did not come about"
        time.sleep(0.3)


def visit(live: Running, device: str, views: int = 3) -> None:
    """Somebody looks at products."""
    with Emitter(live.url("collector-http"), WRITE_KEY) as emitter:
        for _ in range(views):
            emitter.track("Product Viewed", anonymous_id=device, context=ALLOWED)


def test_topics_and_definitions_are_applied_again_without_harm(cdp: Callable[..., str]) -> None:
    assert cdp("topics", "plan").splitlines()[-1].endswith(" there, 0 missing, 0 differing")
    assert cdp("topics", "apply").splitlines()[-1].endswith(" there, 0 created, 0 differing")
    applied = cdp("apply", str(REPOSITORY / "infra" / "definitions"))
    assert "cdp.segments.defined.v1  demo/engaged-shoppers  version 1" in applied


def test_nothing_is_written_if_any_definition_is_bad(cdp: Callable[..., str], tmp_path: Path) -> None:
    (tmp_path / "segments").mkdir()
    (tmp_path / "segments" / "bad.yaml").write_text("tenant: demo")
    assert "bad.yaml: name: Field required" in cdp("apply", str(tmp_path), code=2)


def test_a_person_is_found_and_a_segment_explained(live: Running, cdp: Callable[..., str]) -> None:
    device = f"cli-{uuid4().hex[:8]}"
    visit(live, device)

    def told(*arguments: str) -> dict[str, object]:
        outcome = CliRunner().invoke(app, list(arguments))
        return json.loads(outcome.output) if outcome.exit_code == 0 else {}

    eventually(lambda: told("profile", f"anonymous_id={device}").get("counters") == {"Product Viewed": 3})
    profile = told("profile", f"anonymous_id={device}")
    profile_id = str(profile["id"])
    assert told("profile", profile_id) == profile
    eventually(lambda: told("explain", "third-view", profile_id).get("member") is True)
    assert "404: " in cdp("profile", "anonymous_id=nobody", code=2)
    assert "404: no segment has this name" in cdp("explain", "no-such-segment", profile_id, code=2)


def test_what_became_of_an_event_is_told(live: Running, cdp: Callable[..., str]) -> None:
    device = f"cli-{uuid4().hex[:8]}"
    with Emitter(live.url("collector-http"), WRITE_KEY) as emitter:
        for n in (1, 2, 2, 3):
            emitter.track("Product Viewed", anonymous_id=device, context=ALLOWED, message_id=f"{device}/{n}")

    def told(n: int) -> str:
        return str(CliRunner().invoke(app, ["receipt", f"{device}/{n}"]).output)

    eventually(lambda: "entered     third-view (version 1)" in told(3))
    text = cdp("receipt", f"{device}/2")
    assert text.startswith(f"{device}/2: resolved\n  accepted    20")
    assert " from web-shop at " in text
    assert "\n  duplicates  1, of the one at " in text
    assert "\n  resolved    to profile " in text
    answer = json.loads(cdp("receipt", f"{device}/2", "--json"))
    assert (answer["outcome"], answer["duplicates"]["count"]) == ("resolved", 1)
    missing = cdp("receipt", "never-sent", code=2)
    assert "404: nothing is known of this message id" in missing
    assert "kept for 24 hours" in missing
    assert "401: " in cdp("receipt", f"{device}/2", "--token", "wrong", code=2)


def test_the_ledger_of_the_platform_balances(live: Running, cdp: Callable[..., str]) -> None:
    visit(live, f"cli-{uuid4().hex[:8]}")

    def rows(*options: str) -> list[dict[str, Any]]:
        return list(json.loads(cdp("conservation", "--json", *options)))

    eventually(lambda: not any(row["in flight"] for row in rows()))
    seldom = ("absorb", "verdicts", "part_", "computed")
    assert all(row["in"] for row in rows() if not any(word in row["hop"] for word in seldom))
    assert cdp("conservation").splitlines()[-1] == "it balances"
    assert cdp("conservation", "--minutes", "60").splitlines()[-1] == "it balances"


def test_two_people_are_parted_and_joined_again(live: Running, cdp: Callable[..., str], tmp_path: Path) -> None:
    user, phone, tablet = (f"cli-{uuid4().hex[:8]}" for _ in range(3))
    for device in (phone, tablet):
        visit(live, device)
    with Emitter(live.url("collector-http"), WRITE_KEY) as emitter:
        for device in (phone, tablet):
            emitter.identify(user_id=user, anonymous_id=device, context=ALLOWED)

    def said(*arguments: str) -> str:
        return str(CliRunner().invoke(app, ["identity", *arguments]).output)

    def views(device: str) -> object:
        outcome = CliRunner().invoke(app, ["profile", f"anonymous_id={device}"])
        return json.loads(outcome.output)["counters"].get("Product Viewed") if outcome.exit_code == 0 else None

    one, other = f"user_id={user}", f"anonymous_id={tablet}"
    eventually(lambda: "one person: " in said("explain", one, other))
    assert "same-event  web-shop" in said("explain", one, other)
    eventually(lambda: views(tablet) == 6)
    assert "nothing was done: --yes does it" in said("unmerge", "--link", one, other)
    assert "asked for as " in said("unmerge", "--link", one, other, "--yes", "--reason", "a tablet in a shop")
    eventually(lambda: (views(phone), views(tablet)) == (3, 3))
    assert "two persons: " in said("explain", one, other)
    picture = tmp_path / "person.svg"
    assert f"wrote {picture}" in said("graph", one, "--svg", str(picture))
    assert "stroke-dasharray" in picture.read_text()
    assert "asked for as " in said("join", one, other)
    eventually(lambda: views(tablet) == 6)
    assert "404: the graph has never seen this identifier" in said("explain", one, "user_id=nobody-at-all")
    assert "an identifier is <kind>=<value>" in said("explain", one, "tablet")


def test_a_wrong_token_is_said(cdp: Callable[..., str]) -> None:
    assert "401: " in cdp("profile", "user_id=ada", "--token", "wrong", code=2)


def test_a_topic_is_followed_and_personal_data_is_hidden(live: Running, cdp: Callable[..., str]) -> None:
    device = f"cli-{uuid4().hex[:8]}"
    visit(live, device, views=1)
    hidden = cdp("tail", "events.validated", "--from-beginning", "--limit", "1")
    assert json.loads(hidden)["event"] == "…"
    shown = cdp("tail", "events.validated", "--from-beginning", "--limit", "1", "--personal")
    assert json.loads(shown)["event"]["type"]


async def put(live: Running, value: bytes) -> None:
    """Bytes on the topic that anybody may write to."""
    producer = KafkaProducer(live.kafka)
    await producer.send([Outgoing(EVENTS_RECEIVED.name, None, value)])
    await producer.close()


def test_dead_letters_are_listed_shown_replayed_and_dropped(live: Running, cdp: Callable[..., str]) -> None:
    text = f"no event of the command {uuid4().hex}"
    asyncio.run(put(live, text.encode()))

    def mine() -> list[dict[str, str]]:
        told = [json.loads(line) for line in cdp("dlq", "list", "events.received", "--json").splitlines()]
        return [one for one in told if text in cdp("dlq", "show", one["topic"], one["place"], "--value")]

    eventually(lambda: len(mine()) == 1)
    (letter,) = mine()
    assert (letter["topic"], letter["state"], letter["reason"]) == (DEAD, "open", "json_invalid at /")
    assert f"{DEAD}  json_invalid at /" in cdp("dlq", "list")
    assert text not in cdp("dlq", "show", DEAD, letter["place"])
    chosen = ("events.received", "--reason", "json_invalid", "--since", letter["failed_at"])
    assert cdp("dlq", "replay", "events.received", "--reason", "no such reason") == "0 letters replayed\n"
    assert "would replay " in cdp("dlq", "replay", *chosen, "--dry-run")
    assert letter in mine(), "a rehearsal changes nothing"

    assert " letters replayed" in cdp("dlq", "replay", *chosen)
    eventually(lambda: len(mine()) == 1 and mine()[0]["place"] != letter["place"])
    (again,) = mine()
    first_place = ("source_topic", "source_partition", "source_offset", "source_time")
    assert [again[name] for name in first_place] == [letter[name] for name in first_place]

    assert "would drop " in cdp("dlq", "drop", *chosen, "--because", "a test", code=2)
    assert again in mine()
    assert " letters dropped" in cdp("dlq", "drop", *chosen, "--because", "a test", "--yes")
    assert mine() == []
    assert cdp("dlq", "replay", *chosen) == "0 letters replayed\n"


def test_a_role_is_halted_and_resumed_by_command(live: Running, cdp: Callable[..., str]) -> None:
    url = live.url("profiles-writer")
    device = f"cli-{uuid4().hex[:8]}"
    try:
        assert cdp("halt", "--role", "profiles-writer") == f"{url}  4 halted, 0 finishing\n"
        visit(live, device, views=1)
        assert "401: the admin token is wrong" in cdp("resume", url, "--admin-token", "wrong", code=2)
        assert "404: " in cdp("profile", f"anonymous_id={device}", code=2)
    finally:
        assert cdp("resume", url) == f"{url}  4 resumed\n"
    eventually(lambda: CliRunner().invoke(app, ["profile", f"anonymous_id={device}"]).exit_code == 0)


def test_identity_rules_are_tried_out_on_what_there_is(live: Running, cdp: Callable[..., str]) -> None:
    device = f"rules-{uuid4().hex[:8]}"
    with Emitter(live.url("collector-http"), WRITE_KEY) as emitter:
        emitter.identify(user_id=device, anonymous_id=device, context=ALLOWED)
    eventually(lambda: CliRunner().invoke(app, ["profile", f"user_id={device}"]).exit_code == 0)
    rules = str(REPOSITORY / "infra" / "definitions" / "identity-rules" / "default.yaml")
    report = json.loads(cdp("identity", "dry-run", rules, "--json"))
    assert report["links"] > 0
    assert report["persons_then"] >= report["persons_now"] > 0
    assert "persons who would be several" in cdp("identity", "dry-run", rules)
    assert "401: " in cdp("identity", "dry-run", rules, "--admin-token", "wrong", code=2)


def test_a_file_is_imported_and_people_are_exported(
    cdp: Callable[..., str], live: Running, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("CDP_COLLECTOR_URL", live.url("collector-http"))
    monkeypatch.setenv("CDP_WRITE_KEY", WRITE_KEY)
    user, out, people = f"u-{uuid4()}", tmp_path / "out.jsonl", tmp_path / "people.csv"
    people.write_text(f"user_id,plan\n{user},pro\n,free\n")
    told = cdp("profiles", "import", str(people), "--allow", "Analytics", code=1)
    assert "row 2: user_id: required" in told
    assert "1 rows sent, 1 rejected" in told

    def asked(path: str = "", **params: str) -> httpx.Response:
        headers = {"Authorization": f"Bearer {READ_TOKEN}"}
        return httpx.get(f"{live.url('profiles-http')}/v1/profiles{path}", params=params, headers=headers)

    eventually(lambda: asked(user_id=user).is_success)
    profile = asked(user_id=user).json()

    def timeline() -> list[dict[str, Any]]:
        return list(asked(f"/{profile['id']}/timeline").json()["entries"])

    eventually(lambda: [entry["type"] for entry in timeline()] == ["identify"])
    cdp("profiles", "export", "--out", str(out))
    assert profile in [json.loads(line) for line in out.read_text().splitlines()]

"""`cdp segments` against the API's answers."""

from __future__ import annotations

import json
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from threading import Thread
from typing import Any
from uuid import uuid4

import pytest
from cdp_cli.main import app
from typer.testing import CliRunner

ANN, BOB = str(uuid4()), str(uuid4())
AT = "2026-01-05T12:00:00Z"
BUYERS = {
    "name": "buyers", "title": "Buyers", "description": "", "owner": "shop", "state": "live", "version": 2,
    "condition": "count(buy) >= 1 ever", "size": 1234, "status": "live", "percent": None, "version_in_force": 2,
}  # fmt: skip
COUNTING = {"status": "counting", "percent": 40}
EDITED = {**BUYERS, **COUNTING, "name": "edited", "version_in_force": 1}
NEW = {**BUYERS, **COUNTING, "name": "new", "version": 1, "version_in_force": None, "size": 0}
GONE = {**BUYERS, "name": "gone", "state": "archived", "status": "archived", "size": 0}
LEFT = {"timer": 60, "merge": 6}
BUCKET = {"start": AT, "entered": 1300, "left": 66, "net": 1234, "size": 1234, "left_by": LEFT}
MOVES = {"buckets": [BUCKET], "entered": 1300, "left": 66, "volatility": 1.2}
FLIP = {"at": AT, "entered": False, "segment": "buyers", "cause": "timer",
        "reasons": [{"condition": "count(buy) >= 1", "satisfied": False}]}  # fmt: skip
LEAF = {
    "condition": "count(buy) >= 3",
    "satisfied": False,
    "value": 1,
    "of": [],
    "flips_if": [{"words": "2 more buy"}],
}
ANSWERS: dict[str, dict[str, Any]] = {
    "/v1/segments": {"segments": [BUYERS, EDITED, NEW, GONE]},
    "/v1/segments/buyers": BUYERS,
    "/v1/segments/edited": EDITED,
    "/v1/segments/edited/size": {"version": 1, "size": 1234, "population": 10_000, "share": 0.1234},
    "/v1/segments/edited/activity": MOVES,
    "/v1/segments/buyers/size": {"size": 1234, "population": 10_000, "share": 0.1234},
    "/v1/segments/buyers/activity": MOVES,
    "/v1/segments/buyers/activity?bucket=day": MOVES,
    "/v1/segments/overlap?a=buyers&b=vips": {
        "a": "buyers", "b": "vips", "both": 7, "only_a": 1227, "only_b": 0, "jaccard": 0.0057, "lift": 8.1,
    },
    f"/v1/profiles/{ANN}/segments/history?limit=50": {
        "profile_id": ANN, "asked": ANN, "as_of": AT, "complete_from": None, "flips": [FLIP], "next": None,
        "memberships": [],
    },
    f"/v1/profiles/{BOB}/segments/history?as_of=2026-01-01T00%3A00%3A00Z&limit=50": {
        "profile_id": ANN, "asked": BOB, "as_of": "2026-01-01T00:00:00Z", "complete_from": AT, "flips": [],
        "next": "1.2.3", "memberships": None,
    },
    f"/v1/segments/buyers/explain/{ANN}": {
        "title": "Buyers", "segment": "buyers", "summary": "not in, would enter if 2 more buy", "why": {
            "condition": "(count(buy) >= 3)", "satisfied": False, "value": None, "of": [LEAF]},
    },
    f"/v1/segments/new/explain/{ANN}": {
        "title": "New", "segment": "new", "summary": "nobody is in it yet", "why": None,
    },
}  # fmt: skip
SURE = {"condition": "count(buy) >= 1 ever", "population": 5000, "unknown_parts": [], "bounds": None,
        "sample": {"size": 5000, "matching": 12}}  # fmt: skip
UNKNOWN = {"path": "when", "condition": "count(search)", "why": "nobody counts it"}
PREVIEWS: dict[str, tuple[int, dict[str, Any]]] = {
    "buy": (200, {**SURE, "exact": 12, "estimate": None}),
    "many": (200, {**SURE, "exact": None, "estimate": {"size": 240, "share": 0.048, "low": 200, "high": 288}}),
    "search": (200, {**SURE, "exact": None, "estimate": None, "bounds": {"at_least": 3, "at_most": 40},
                     "unknown_parts": [UNKNOWN]}),
    "wrong": (422, {"code": "condition", "message": "it makes no sense", "faults": [
        {"path": "when/oop", "expected": "no such field here", "did_you_mean": "op"}]}),
}  # fmt: skip


class Api(BaseHTTPRequestHandler):
    """Answers as the API would."""

    def do_GET(self) -> None:
        found = ANSWERS.get(self.path)
        self.answer(
            200 if found else 404, found or {"code": "no-such-segment", "message": "no segment has this name"}
        )

    def do_POST(self) -> None:
        said = json.loads(self.rfile.read(int(self.headers["content-length"])))
        self.answer(*PREVIEWS[said["when"]["event"]])

    def answer(self, status: int, body: dict[str, Any]) -> None:
        data = json.dumps(body).encode()
        self.send_response(status)
        self.send_header("content-type", "application/json")
        self.send_header("content-length", str(len(data)))
        self.end_headers()
        self.wfile.write(data)

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002
        """Nothing is printed."""


@pytest.fixture(scope="module")
def url() -> Iterator[str]:
    server = HTTPServer(("127.0.0.1", 0), Api)
    thread = Thread(target=server.serve_forever)
    thread.start()
    yield f"http://127.0.0.1:{server.server_port}"
    server.shutdown()
    thread.join()
    server.server_close()


def cdp(url: str, *words: str, code: int = 0) -> str:
    result = CliRunner().invoke(app, ["segments", *words, "--url", url, "--token", "t"])
    assert result.exit_code == code, result.output
    return str(result.output)


def test_all_of_them_and_one(url: str) -> None:
    assert [" ".join(line.split()) for line in cdp(url, "list").splitlines()] == [
        "buyers live v2 1,234 Buyers", "edited counting 40% v1 -> v2 1,234 Buyers",
        "new counting 40% none -> v1 0 Buyers", "gone archived v2 0 Buyers",
    ]  # fmt: skip
    shown = cdp(url, "show", "buyers")
    assert "1,234 people, 12.34% of 10,000 people" in shown
    assert "in 30 days 1,300 entered, 66 left, volatility 1.20" in shown
    assert json.loads(cdp(url, "show", "buyers", "--json"))["share"] == 0.1234


def test_how_far_a_segment_has_come(url: str) -> None:
    assert "  counting 40%, v1 -> v2, owned by shop" in cdp(url, "show", "edited").splitlines()
    assert "  live, v2, owned by shop" in cdp(url, "show", "buyers").splitlines()
    assert json.loads(cdp(url, "show", "edited", "--json"))["version"] == 2
    assert cdp(url, "explain", "new", ANN) == "New: nobody is in it yet\n"


def test_activity_and_overlap(url: str) -> None:
    assert cdp(url, "activity", "buyers").splitlines()[1:] == [
        f"{AT}    1,300    66  +1,234  1,234  timer 60, merge 6", "1,300 entered, 66 left, volatility 1.20",
    ]  # fmt: skip
    assert "lift 8.10" in cdp(url, "overlap", "buyers", "vips")


@pytest.mark.parametrize(
    ("event", "said"),
    [
        ("buy", "12 of 5,000 people"),
        ("many", "about 240 of 5,000 people (4.80%), with 95 % from 200 to 288"),
        ("search", "not known: count(search) (when): nobody counts it"),
    ],
)
def test_a_preview(url: str, tmp_path: Path, event: str, said: str) -> None:
    file = tmp_path / "s.yaml"
    for text in (f"when: {{kind: count, event: {event}}}", f"{{kind: count, event: {event}}}"):
        file.write_text(text)
        assert said in cdp(url, "preview", str(file))


def test_a_condition_that_makes_no_sense(url: str, tmp_path: Path) -> None:
    file = tmp_path / "s.yaml"
    file.write_text("{kind: count, event: wrong, oop: 1}")
    assert "when/oop: no such field here; did you mean op?" in cdp(url, "preview", str(file), code=2)
    file.write_text("{")
    assert "not YAML" in cdp(url, "preview", str(file), code=2)
    assert "No such file" in cdp(url, "preview", str(tmp_path / "none.yaml"), code=2)


def test_histories_and_reasons(url: str) -> None:
    assert cdp(url, "history", ANN).splitlines() == [
        f"at {AT}: in no segment", f"{AT}  left  buyers  timer  not count(buy) >= 1",
    ]  # fmt: skip
    beyond = cdp(url, "history", BOB, "--as-of", "2026-01-01T00:00:00Z")
    assert f"{BOB} is part of {ANN} by now" in beyond
    assert f"not known; the history reaches back to {AT}" in beyond
    assert cdp(url, "explain", "buyers", ANN).splitlines() == [
        "Buyers: not in, would enter if 2 more buy", "  no  (count(buy) >= 3)", "    no  count(buy) >= 3  (is 1)",
        "        changes with: 2 more buy",
    ]  # fmt: skip


def test_what_is_not_there_is_told(url: str) -> None:
    assert "404: no segment has this name" in cdp(url, "show", "nothing", code=2)

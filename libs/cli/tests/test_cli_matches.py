"""`cdp match` against the queue's API."""

from __future__ import annotations

import json
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, HTTPServer
from threading import Thread
from uuid import uuid4

import pytest
from cdp_cli.main import app
from typer.testing import CliRunner

ONE, OTHER = str(uuid4()), str(uuid4())
PAIR = {"profile_id": ONE, "other": OTHER, "score": 3.25, "held": "score"}


class Queue(BaseHTTPRequestHandler):
    """Answers as the API would."""

    def do_GET(self) -> None:
        self.answer({"pairs": [PAIR]} if self.path.startswith("/v1/matches?") else PAIR)

    def do_POST(self) -> None:
        said = json.loads(self.rfile.read(int(self.headers["content-length"])))
        self.answer({"id": ONE, **said})

    def answer(self, body: dict[str, object]) -> None:
        known = self.headers["authorization"] == "Bearer steward"
        data = json.dumps(body if known else {"code": "unauthorized", "message": "no such token"}).encode()
        self.send_response(200 if known else 401)
        self.send_header("content-type", "application/json")
        self.send_header("content-length", str(len(data)))
        self.end_headers()
        self.wfile.write(data)

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002
        """Nothing is printed."""


@pytest.fixture
def url() -> Iterator[str]:
    server = HTTPServer(("127.0.0.1", 0), Queue)
    thread = Thread(target=server.serve_forever)
    thread.start()
    yield f"http://127.0.0.1:{server.server_port}"
    server.shutdown()
    thread.join()
    server.server_close()


def cdp(url: str, *words: str, who: str = "steward", code: int = 0) -> str:
    result = CliRunner().invoke(app, ["match", *words, "--url", url, "--token", who])
    assert result.exit_code == code, result.output
    return str(result.output)


def test_pairs_are_listed_shown_and_decided(url: str) -> None:
    assert cdp(url, "list").split() == ["3.25", ONE, OTHER, "score"]
    assert json.loads(cdp(url, "show", ONE, OTHER)) == PAIR
    assert cdp(url, "decide", ONE, OTHER, "different").split() == [ONE, "and", f"{OTHER}:", "different"]


def test_a_wrong_token_and_a_wrong_verdict_are_told(url: str) -> None:
    assert "401: no such token" in cdp(url, "list", who="nobody", code=2)
    assert "perhaps" in cdp(url, "decide", ONE, OTHER, "perhaps", code=2)

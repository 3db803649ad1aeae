"""The HTTP emitter against a server that answers as it is told."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import pytest
from cdp_client import EmitError, Emitter


@dataclass
class Edge:
    """Statuses to answer with, one after the other, then 200; and what was asked."""

    url: str = ""
    statuses: list[int] = field(default_factory=list)
    asked: list[tuple[str, str | None, dict[str, Any]]] = field(default_factory=list)


@pytest.fixture
def edge() -> Iterator[Edge]:
    told = Edge()

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
            told.asked.append((self.path, self.headers["Authorization"], body))
            self.send_response(told.statuses.pop(0) if told.statuses else 200)
            self.send_header("Retry-After", "0")
            self.end_headers()
            self.wfile.write(b'{"code": "a-rule"}')

        def log_message(self, *arguments: Any) -> None:
            """Nothing on standard error."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    told.url = f"http://127.0.0.1:{server.server_port}"
    yield told
    server.shutdown()
    thread.join()
    server.server_close()


def test_an_event_is_sent_in_the_shape_of_the_specification(edge: Edge) -> None:
    with Emitter(edge.url, "key") as emitter:
        message_id = emitter.track("Product Viewed", anonymous_id="d", properties={"sku": "42"})

    ((path, authorization, body),) = edge.asked
    assert (path, authorization) == ("/v1/track", "Basic a2V5Og==")
    assert datetime.fromisoformat(body.pop("timestamp")).tzinfo is not None
    assert body == {
        "type": "track", "event": "Product Viewed", "anonymousId": "d", "messageId": message_id,
        "properties": {"sku": "42"},
    }  # fmt: skip


def test_a_login_and_a_choice_are_events_too(edge: Edge) -> None:
    noon = datetime(2026, 1, 5, 12, tzinfo=UTC)
    with Emitter(edge.url, "key") as emitter:
        emitter.identify(user_id="u", anonymous_id="d", traits={"plan": "pro"}, message_id="m-1", timestamp=noon)
        emitter.consent({"Analytics": True}, anonymous_id="d", context={"locale": "de"})

    (_, _, login), (path, _, choice) = edge.asked
    assert login == {
        "type": "identify", "userId": "u", "anonymousId": "d", "messageId": "m-1",
        "timestamp": "2026-01-05T12:00:00+00:00", "traits": {"plan": "pro"},
    }  # fmt: skip
    assert path == "/v1/track"
    assert choice["event"] == "Segment Consent Preference Updated"
    assert choice["context"] == {"locale": "de", "consent": {"categoryPreferences": {"Analytics": True}}}


def test_what_the_edge_cannot_take_just_now_is_sent_again_with_the_same_id(edge: Edge) -> None:
    edge.statuses = [503, 429, 500]
    with Emitter(edge.url, "key") as emitter:
        message_id = emitter.track("x", user_id="u")

    assert [body["messageId"] for _, _, body in edge.asked] == [message_id] * 4


def test_what_the_edge_refuses_is_not_sent_again(edge: Edge) -> None:
    edge.statuses = [400]
    with Emitter(edge.url, "key") as emitter, pytest.raises(EmitError, match=r"400: .*a-rule"):
        emitter.track("x", user_id="u")

    assert len(edge.asked) == 1


def test_patience_ends(edge: Edge) -> None:
    edge.statuses = [503] * 1000
    with Emitter(edge.url, "key", patience=0.05) as emitter, pytest.raises(EmitError, match="503"):
        emitter.track("x", user_id="u")


def test_an_edge_that_is_not_there_is_an_error_after_a_while() -> None:
    with (
        Emitter("http://127.0.0.1:9", "key", patience=0.2) as emitter,
        pytest.raises(EmitError, match="cannot be reached"),
    ):
        emitter.track("x", user_id="u")


@pytest.mark.parametrize(
    ("about", "rule"),
    [({}, "user_id or anonymous_id"), ({"user_id": "u", "timestamp": datetime(2026, 1, 5)}, "time zone")],
)
def test_what_is_no_event_is_refused_before_it_is_sent(edge: Edge, about: Any, rule: str) -> None:
    with Emitter(edge.url, "key") as emitter, pytest.raises(ValueError, match=rule):
        emitter.track("x", **about)

    assert edge.asked == []

"""The edge over HTTP: what is refused, as a whole or event by event, and in which words."""

from __future__ import annotations

import gzip
import json
from collections.abc import AsyncIterator
from typing import Any

import pytest
from cdp_collector.store import MemoryLog
from cdp_runtime.settings import HttpBounds
from collector_builders import item
from collector_edge import SETTINGS, EdgeUnderTest, batch

NESTED = b'{"batch":' + b"[" * 300 + b"]" * 300 + b"}"
WHOLE = gzip.compress(json.dumps(batch(item())).encode())


@pytest.mark.parametrize(
    ("code", "body"),
    [
        ("json", b""),
        ("json", b"{"),
        ("json", b"not json"),
        ("json", b"\xff\xfe"),
        ("json", b'{"batch":[{"n":NaN}]}'),
        ("json", b'{"batch":[{"n":"\\ud800"}]}'),
        ("json", NESTED),
        ("object", b"[]"),
        ("object", b"null"),
        ("gzip", WHOLE[:-4]),
        ("gzip", WHOLE + b"more"),
        ("gzip", b"\x1f\x8bnonsense"),
        ("body-size", b'{"batch":[' + b" " * 600_000 + b"]}"),
        ("body-size", gzip.compress(b" " * 100_000_000)),
        ("batch", {}),
        ("batch", {"batch": []}),
        ("batch", {"batch": {"0": item()}}),
        ("batch-size", {"batch": [1] * 2501}),
        ("context", {"batch": [item()], "context": "odd"}),
    ],
    ids=[
        "nothing", "an open brace", "text", "no UTF-8", "NaN", "half a surrogate", "nested", "a list", "null",
        "gzip cut off", "gzip and more", "no gzip", "600 KB", "a gzip bomb", "no batch", "an empty batch",
        "an object of events", "2,501 events", "an odd context",
    ],
)  # fmt: skip
async def test_a_request_that_cannot_be_read_is_refused_as_a_whole(edge, code, body):
    response = await edge.post("batch", body)
    answer = response.json()
    assert (response.status_code, answer["success"], answer["code"]) == (400, False, code)
    assert answer["message"]
    assert edge.stored == []


async def test_one_bad_event_refuses_no_other(edge):
    deep: Any = 1
    for _ in range(50):
        deep = [deep]
    response = await edge.post(
        "batch",
        batch(
            item(),
            item(properties={"text": "CANARY" * 6000}),
            item(properties={"note": "CANARY\x00"}),
            "CANARY",
            item(properties={"n": 2**70}),
            item(properties={"deep": deep}),
            item(messageId="m-2"),
        ),
    )
    assert response.status_code == 200
    answer = response.json()
    assert answer["success"] is True
    assert [(r["index"], r["code"]) for r in answer["rejected"]] == [
        (1, "size"), (2, "text"), (3, "object"), (4, "number"), (5, "depth"),
    ]  # fmt: skip
    assert answer["rejected"][1]["message"].startswith("/properties/note: expected ")
    assert "CANARY" not in response.text
    assert [event.message_id for event in edge.stored] == ["m-1", "m-2"]


async def test_a_batchs_context_cannot_swell_events_past_their_limit(edge):
    response = await edge.post("b", batch(*[item()] * 10, context={"page": {"title": "x" * 40_000}}))
    assert (response.status_code, response.json()["code"]) == (400, "size")
    assert edge.stored == []


async def test_if_no_event_can_be_carried_nothing_is_stored_and_all_are_named(edge):
    response = await edge.post("track", item(properties={"note": "\x00"}))
    answer = response.json()
    assert (response.status_code, answer["success"], answer["code"]) == (400, False, "text")
    assert len(answer["rejected"]) == 1


async def test_what_the_log_does_not_acknowledge_is_not_stored(edge):
    edge.log.away = True
    response = await edge.post("batch", batch(item()))
    assert (response.status_code, response.json()["code"]) == (503, "unavailable")
    assert response.headers["Retry-After"] == "7"
    assert response.json()["success"] is False


async def test_without_sources_it_is_not_ready():
    edge = EdgeUnderTest()
    response = await edge.post("batch", batch(item()))
    assert (response.status_code, response.json()["code"]) == (503, "not-ready")
    assert int(response.headers["Retry-After"]) > 0
    await edge.client.aclose()


async def test_more_requests_than_it_can_hold_are_told_to_wait():
    edge = EdgeUnderTest(SETTINGS.model_copy(update={"max_in_flight": 1}))
    edge.define()
    codes: list[int] = []

    async def slow_body() -> AsyncIterator[bytes]:
        codes.append((await edge.post("b", batch(item()))).status_code)
        yield json.dumps(batch(item())).encode()

    response = await edge.client.post("/v1/b", content=slow_body())
    assert (codes, response.status_code) == ([503], 200)
    await edge.client.aclose()


async def test_a_failure_of_ours_tells_nothing_of_itself(edge, caplog):
    class Broken(MemoryLog):
        async def append(self, events, trace):
            raise RuntimeError("CANARY")

    broken = EdgeUnderTest()
    broken.define()
    broken.log.append = Broken().append  # type: ignore[method-assign]
    response = await broken.post("batch", batch(item()))
    assert (response.status_code, response.json()["code"]) == (500, "internal")
    assert "CANARY" not in response.text + caplog.text
    await broken.client.aclose()


@pytest.mark.parametrize(("method", "path", "status"), [("GET", "/v1/batch", 405), ("POST", "/v1/nothing", 404)])
async def test_other_routes_answer_in_the_same_shape(edge, method, path, status):
    response = await edge.client.request(method, path)
    assert response.status_code == status
    assert response.json()["code"] == "route"


async def test_a_source_that_sends_too_often_is_told_when_to_come_back():
    bounds = HttpBounds(requests_per_second=0.5, burst_seconds=4)
    edge = EdgeUnderTest(SETTINGS.model_copy(update={"http": bounds}))
    edge.define()
    answers = [await edge.post("t", item()) for _ in range(3)]
    assert [answer.status_code for answer in answers] == [200, 200, 429]
    assert answers[-1].json()["code"] == "rate"
    assert 1 <= int(answers[-1].headers["Retry-After"]) <= 2
    assert len(edge.stored) == 2
    unknown = await edge.post("t", item(), Authorization="Basic bm9ib2R5Og==")
    assert unknown.status_code == 401

"""Bad input over HTTP: a clear answer at once, or a rejection with rule and pointer; and the stream goes on."""

from __future__ import annotations

import gzip
import json
from typing import Any

import pytest
from probing import ALLOWED, Probe, new_id

pytestmark = pytest.mark.wire

GOOD = {"event": "Product Viewed", "anonymousId": "d", "context": ALLOWED}


def event(**changes: Any) -> bytes:
    return json.dumps({**GOOD, **changes}).encode()


def deep(levels: int) -> bytes:
    return b'{"event": "x", "anonymousId": "d", "properties": {"a": ' + b"[" * levels + b"]" * levels + b"}}"


REFUSED = {
    "nothing at all": (b"", 400, "json"),
    "not JSON": (b"event=Product+Viewed", 400, "json"),
    "half an object": (event()[:-5], 400, "json"),
    "bytes that are not UTF-8": (b'{"event": "\xff\xfe"}', 400, "json"),
    "no object": (b'["event"]', 400, "object"),
    "truncated gzip": (gzip.compress(event())[:-9], 400, "gzip"),
    "a gzip bomb": (gzip.compress(b" " * 50_000_000), 400, "body-size"),
    "an event over 32 KB": (event(properties={"a": "x" * 33_000}), 400, "size"),
    "a body over 500 KB": (event(properties={"a": "x" * 520_000}), 400, "body-size"),
    "NUL in a value": (event(properties={"a": "b\x00c"}), 400, "text"),
    "NUL in an id": (event(anonymousId="d\x00"), 400, "text"),
    "a lone surrogate": (b'{"event": "x", "anonymousId": "\\ud800"}', 400, "json"),
    "nesting 200 deep": (deep(200), 400, "json"),
    "nesting 100 deep": (deep(100), 400, "depth"),
    "NaN": (b'{"event": "x", "anonymousId": "d", "properties": {"a": NaN}}', 400, "json"),
    "a number over all measure": (
        b'{"event": "x", "anonymousId": "d", "properties": {"a": 1e999}}',
        400,
        "number",
    ),
    "an integer over 64 bits": (event(properties={"a": 2**80}), 400, "number"),
}

REJECTED: dict[str, tuple[dict[str, Any], str, str]] = {
    "no id at all": ({"anonymousId": None}, "identifier", "/userId"),
    "an empty id": ({"anonymousId": "  "}, "identifier", "/userId"),
    "a placeholder for an id": ({"anonymousId": "undefined"}, "identifier", "/anonymousId"),
    "an object for an id": ({"userId": {"id": 1}}, "type", "/userId"),
    "the year 1900": ({"timestamp": "1900-01-01T00:00:00Z"}, "timestamp", "/timestamp"),
    "the year 9999": ({"timestamp": "9999-12-31T23:59:59Z"}, "timestamp", "/timestamp"),
    "the year 9999 from afar": ({"timestamp": "9999-12-31T23:59:59-23:59"}, "timestamp", "/timestamp"),
    "no time at all": ({"timestamp": "yesterday"}, "timestamp", "/timestamp"),
    "properties that are no object": ({"properties": "a"}, "type", "/properties"),
    "a name that is no text": ({"event": 7}, "type", "/event"),
    "what the plan requires is missing": ({"event": "Order Completed"}, "plan-required", "/properties/order_id"),
}


@pytest.mark.parametrize("what", REFUSED)
async def test_what_cannot_be_carried_is_refused_at_once(probe: Probe, what: str) -> None:
    body, status, code = REFUSED[what]
    answer = await probe.edge.post("/v1/track", content=body)
    assert (answer.status_code, answer.json()["code"]) == (status, code), answer.text
    assert answer.json()["message"]


@pytest.mark.parametrize("key", ["", "unknown", "k" * 10_000, "ключ", "a\x00b"])
async def test_an_unknown_write_key_is_refused(probe: Probe, key: str) -> None:
    answer = await probe.edge.post("/v1/track", content=event(), auth=(key, ""))
    assert (answer.status_code, answer.json()["code"]) == (401, "write-key")


async def test_one_bad_event_of_a_batch_refuses_no_other(probe: Probe) -> None:
    device = new_id("batch")
    good = {"type": "track", **GOOD, "anonymousId": device}
    batch = [
        good,
        {**good, "properties": {"a": "x" * 33_000}},
        "no object",
        {**good, "properties": {"a": "\x00"}},
        good,
    ]
    answer = await probe.edge.post("/v1/batch", json={"batch": batch})
    assert answer.status_code == 200
    assert [(item["index"], item["code"]) for item in answer.json()["rejected"]] == [
        (1, "size"), (2, "object"), (3, "text"),
    ]  # fmt: skip
    await probe.profile(lambda found: found["counters"] == {"Product Viewed": 2}, anonymous_id=device)


@pytest.mark.parametrize("what", REJECTED)
async def test_what_is_no_good_event_is_rejected_with_rule_and_pointer(probe: Probe, what: str) -> None:
    changes, rule, pointer = REJECTED[what]
    message_id = new_id("bad")
    answer = await probe.edge.post("/v1/track", content=event(messageId=message_id, **changes))
    assert answer.status_code == 200, "stored is not yet valid"
    rejected = await probe.rejected(message_id)
    assert (rejected.rule, rejected.pointer, rejected.owner) == (rule, pointer, "shop-team")
    judged = await probe.edge.post(
        "/v1/validate", json={"batch": [{"type": "track", **json.loads(event(**changes))}]}
    )
    (verdict,) = judged.json()["results"]
    assert (verdict["rule"], verdict["pointer"]) == (rule, pointer)


async def test_fields_of_a_newer_contract_pass(probe: Probe) -> None:
    device = new_id("newer")
    body = event(anonymousId=device, invented={"later": [1, 2]}, context={**ALLOWED, "invented": True})
    answer = await probe.edge.post("/v1/track", content=body, headers={"X-Invented": "1"})
    assert answer.status_code == 200
    await probe.profile(anonymous_id=device)


async def test_after_all_that_the_stream_goes_on(probe: Probe) -> None:
    await probe.stream_goes_on()

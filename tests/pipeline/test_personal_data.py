"""Canaries: unique values planted in every field of an event are found where they may be, and only there."""

from __future__ import annotations

import json
import logging
from collections.abc import Iterator

import pytest
from assembly import TENANT, Pipeline
from cdp_contracts.conditions_v1 import Trait
from cdp_contracts.definitions_v1 import SegmentDefined
from cdp_contracts.topics import EVENTS_RECEIVED, SEGMENTS_DEFINED, topic_named
from cdp_testkit import Action
from prometheus_client import generate_latest

MARK = "canary"
NAME = "plover"  # in the names of properties, which a JSON pointer may name
KNOWN_CITY = SegmentDefined(
    tenant=TENANT, name="known-city", title="City known", when=Trait(trait="city", op="exists")
)  # fmt: skip


def planted(place: str) -> dict[str, object]:
    """An event with a canary in every field that a sender may fill with a person's data."""
    c = f"{MARK}-{place}"
    return {
        "anonymousId": f"{c}-device",
        "userId": f"{c}-user",
        "groupId": f"{c}-group",
        "properties": {"note": f"{c}-note", f"{NAME}-property": {"deep": [f"{c}-deep"]}},
        "traits": {"email": f"{c}@example.com", "city": f"{c}-city", f"{NAME}-trait": 1},
        "context": {
            "ip": f"{c}-ip",
            "userAgent": f"{c}-agent",
            "page": {"url": f"https://shop.example/{c}-page", "referrer": f"{c}-referrer"},
            "device": {"id": f"{c}-device-id", "fingerprint": f"{c}-fingerprint"},
            "externalIds": [{"type": "loyalty", "id": f"{c}-loyalty"}, {"type": "cookie", "id": f"{c}-cookie"}],
            "consent": {"categoryPreferences": {"Analytics": True, "Functional": True}},
            "traits": {"phone": f"{c}-phone"},
        },
    }


async def planting(platform: Pipeline) -> list[str]:
    """Events of every fate, over HTTP and on the broker; what the edge answered."""
    batch = [
        {"type": "track", "event": "Product Viewed", **planted("http")},
        {"type": "identify", **planted("http")},
        {"type": "alias", "previousId": f"{MARK}-before", **planted("http")},
        {"type": "group", **planted("http")},
        {"type": "track", "event": "Order Completed", **planted("rejected")},
        {"type": "track", "event": "Product Viewed", **planted("withheld"), "context": {"ip": f"{MARK}-ip"}},
        {"type": "track", "event": f"{MARK}-event", **planted("deep"), "properties": nested(40)},
        f"{MARK}-no-object",
    ]
    async with platform.edge() as edge:
        headers = {
            "traceparent": f"00-{'a' * 32}-{'b' * 16}-01", "Origin": "https://shop.example", "Cookie": f"a={MARK}",
        }  # fmt: skip
        answers = [
            await edge.post("/v1/batch", json={"batch": batch}, headers=headers),
            await edge.post("/v1/validate", json={"batch": batch}),
            await edge.post("/v1/track", content=f'{{"event": "{MARK}'),
            await edge.post("/v1/track", json=planted("key"), auth=(f"{MARK}-write-key", "")),
        ]
    straight = {"type": "identify", "writeKey": "demo-write-key", **planted("broker")}
    platform.bus.publish_raw(EVENTS_RECEIVED.name, json.dumps(straight).encode())
    platform.bus.publish_raw(EVENTS_RECEIVED.name, f'{{"type": "{MARK}'.encode())
    platform.bus.publish_raw("cdp.events.validated.v1", f'{{"tenant": "{MARK}"}}'.encode())
    await platform.bus.drain()
    return [answer.text for answer in answers]


def nested(levels: int) -> object:
    value: object = f"{MARK}-nested"
    for _ in range(levels):
        value = {f"{NAME}-level": value}
    return value


def leaks(platform: Pipeline) -> Iterator[str]:
    """Where a canary is found that must not be there."""
    for record in platform.records():
        if any(word in repr((record.key, record.headers)) for word in (MARK, NAME)):
            yield f"key or header on {record.topic}"
        source = (
            record.topic.removesuffix(".dlq").rsplit(".", 1)[0] if record.topic.endswith(".dlq") else record.topic
        )
        if MARK.encode() in (record.value or b"") and not topic_named(source).personal:
            yield f"value on {record.topic}"
    for span in platform.spans.get_finished_spans():
        if MARK in span.to_json() or NAME in span.to_json():
            yield f"span {span.name}"
    if MARK in repr(platform.subjects.documents) + repr(platform.ledger.documents):
        yield "consent's store"
    if MARK in repr(vars(platform.graph)):
        yield "identity's store"
    if MARK in generate_latest().decode() or NAME in generate_latest().decode():
        yield "metrics"


async def test_no_key_header_span_log_or_answer_holds_personal_data(
    platform: Pipeline, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    await platform.bus.publish(SEGMENTS_DEFINED, KNOWN_CITY)
    answers = await planting(platform)

    assert sorted(set(leaks(platform))) == []
    assert [text for text in answers if MARK in text] == []
    assert MARK not in caplog.text
    assert NAME not in caplog.text
    assert platform.spans.get_finished_spans()
    assert len(platform.flips("known-city")) == 2
    assert len(platform.dead_letters()) == 2
    stored = repr(platform.state()["profiles"])
    assert f"{MARK}-http@example.com" in stored
    assert f"{MARK}-withheld" not in stored
    validated = b"".join(r.value or b"" for r in platform.bus.raw("cdp.events.validated.v1")).decode()
    kept_out = [f"{MARK}-{part}" for part in ("ip", "http-ip", "http-device-id", "http-fingerprint")]
    assert [value for value in kept_out if value in validated] == []
    assert f"{MARK}-http-loyalty" in validated


@pytest.mark.parametrize(
    "store", [f"Memory{name}" for name in ("Subjects", "GraphStore", "ProfileStore", "PersonStore")]
)
async def test_a_store_that_quotes_a_person_in_its_errors_is_not_quoted(
    platform: Pipeline, store: str, caplog: pytest.LogCaptureFixture
) -> None:
    """Drivers put documents into the texts of their exceptions."""
    caplog.set_level(logging.DEBUG)

    def failing(action: Action) -> None:
        if action.topic == store:
            raise ValueError(f"E11000 duplicate key: {{ email: {MARK}@example.com }}")

    platform.bus.script = failing
    await platform.shop.play(platform.shop.visitor("phone").consents())

    (letter,) = platform.dead_letters()
    assert dict(letter.headers)["cdp_reason"] == b"ValueError"
    assert "ValueError" in caplog.text
    assert MARK not in caplog.text
    assert list(leaks(platform)) == []

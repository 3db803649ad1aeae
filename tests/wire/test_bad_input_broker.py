"""Bad input straight on the broker: a rejection or a dead letter with its reason; and the stream goes on."""

from __future__ import annotations

import gzip
import json
import random
from datetime import UTC, datetime
from typing import Any
from uuid import uuid4

import pytest
from cdp_contracts.envelope import JsonObject, Message
from cdp_contracts.events_v1 import (
    ConsentSignals,
    Decision,
    Event,
    EventPermitted,
    EventResolved,
    EventValidated,
)
from cdp_contracts.profiles_v1 import ProfileUpdated
from cdp_contracts.topics import (
    DELIVERIES_REQUESTED,
    EVENTS_PERMITTED,
    EVENTS_RECEIVED,
    EVENTS_RESOLVED,
    EVENTS_VALIDATED,
    PROFILES_UPDATED,
    TOPICS,
    Topic,
    roles_reading,
)
from cdp_devstack.platform import WRITE_KEY
from probing import Probe, new_id

pytestmark = pytest.mark.wire

DEAD = EVENTS_RECEIVED.dead_letters("collector")
READ_BY_US = [topic for topic in TOPICS if roles_reading(topic)]
STREAMS = [
    topic
    for topic in READ_BY_US
    if not topic.compacted and topic.on_poison == "dead_letter" and topic is not DELIVERIES_REQUESTED
]
"""Requests for deliveries have readers only where a destination is defined: see test_sender_patience.py."""
TABLES = [topic for topic in READ_BY_US if topic.table]
SLIM = "collector-receipts"
"""Decodes only what a receipt tells, so what is new elsewhere in a message does not concern it."""


def event(**changes: Any) -> bytes:
    fields = {"type": "track", "event": "Product Viewed", "anonymousId": "d", "writeKey": WRITE_KEY, **changes}
    return json.dumps(fields).encode()


def deep(levels: int, **fields: Any) -> bytes:
    nest: Any = "x"
    for _ in range(levels):
        nest = [nest]
    return event(properties={"a": nest}, **fields)


DEAD_LETTERS = {
    "nothing at all": b"",
    "not JSON": b"event=Product+Viewed",
    "truncated gzip": gzip.compress(event())[:-9],
    "half an object": event()[:-5],
    "no object": b'["event"]',
    "nesting 200 deep": deep(200),
    "bytes that are not UTF-8": b'{"event": "\xff\xfe"}',
}

REJECTED: dict[str, tuple[dict[str, Any], str, str]] = {
    "an unknown write key": ({"writeKey": "unknown"}, "write-key", "/writeKey"),
    "no write key": ({"writeKey": None}, "write-key", "/writeKey"),
    "a write key that is no text": ({"writeKey": {"a": 1}}, "write-key", "/writeKey"),
    "an event over 32 KB": ({"properties": {"a": "x" * 33_000}}, "size", ""),
    "an event over 500 KB": ({"properties": {"a": "x" * 520_000}}, "size", ""),
    "no id at all": ({"anonymousId": None}, "identifier", "/userId"),
    "NUL in a value": ({"properties": {"a": "b\x00c"}}, "text", "/properties/a"),
    "NUL in an id": ({"anonymousId": "\x00d"}, "text", "/anonymousId"),
    "NaN": ({"properties": {"a": float("nan")}}, "number", "/properties/a"),
    "the year 1900": ({"timestamp": "1900-01-01T00:00:00Z"}, "timestamp", "/timestamp"),
    "the year 9999": ({"timestamp": "9999-12-31T23:59:59Z"}, "timestamp", "/timestamp"),
    "a type of a newer contract": ({"type": "telepathy"}, "event-type", "/type"),
    "no type": ({"type": None}, "event-type", "/type"),
}


def messages(device: str) -> dict[Topic[Any], Message]:
    """A good message on every stream that our roles write and read."""
    now, message_id, profile_id = datetime.now(UTC), new_id("message"), uuid4()
    common: dict[str, Any] = {"tenant": "demo", "message_id": message_id, "occurred_at": now, "received_at": now}
    seen = Event(type="track", name="Product Viewed", anonymous_id=device)
    validated = EventValidated(
        **common, id=uuid4(), subject="0" * 32, source="web-shop", event=seen,
        signals=ConsentSignals(choices={"Analytics": True}, jurisdiction="EU"),
    )  # fmt: skip
    decision = Decision(purposes=("analytics",), jurisdiction="EU", policy="default", policy_version=1)
    permitted = EventPermitted(**{**validated.__dict__, "id": uuid4(), "decision": decision})
    resolved = EventResolved(**{**permitted.__dict__, "id": uuid4(), "profile_id": profile_id, "part": "0" * 32})
    updated = ProfileUpdated(
        **common, id=uuid4(), profile_id=profile_id, revision=1, cause="event", event=seen, purposes=("analytics",)
    )  # fmt: skip
    return {
        EVENTS_VALIDATED: validated, EVENTS_PERMITTED: permitted, EVENTS_RESOLVED: resolved,
        PROFILES_UPDATED: updated,
    }  # fmt: skip


def newer(message: Message) -> JsonObject:
    """The message as a later version of its writer might send it: fields that nobody knows yet, at every level."""
    fields: JsonObject = json.loads(message.model_dump_json())
    for part in (fields, *(fields[name] for name in ("event", "signals", "decision") if fields.get(name))):
        assert isinstance(part, dict)
        part["invented_later"] = {"deep": [1, None]}
    return fields


@pytest.mark.parametrize("what", DEAD_LETTERS)
async def test_what_is_no_message_is_set_aside_untouched_with_its_reason(probe: Probe, what: str) -> None:
    await probe.put(DEAD_LETTERS[what])
    assert await probe.reason(DEAD, DEAD_LETTERS[what]) in ("json_invalid at /", "model_type at /")


@pytest.mark.parametrize("what", REJECTED)
async def test_what_is_no_good_event_is_rejected_with_rule_and_pointer(probe: Probe, what: str) -> None:
    changes, rule, pointer = REJECTED[what]
    message_id = new_id("bad")
    await probe.put(event(messageId=message_id, **changes))
    rejected = await probe.rejected(message_id)
    assert (rejected.rule, rejected.pointer) == (rule, pointer)
    assert rejected.expected


async def test_deep_nesting_is_rejected_at_its_place(probe: Probe) -> None:
    message_id = new_id("deep")
    await probe.put(deep(100, messageId=message_id))
    rejected = await probe.rejected(message_id)
    assert rejected.rule == "depth"
    assert rejected.pointer.startswith("/properties/a/0/0/")


@pytest.mark.parametrize("topic", STREAMS, ids=lambda topic: topic.name)
async def test_random_bytes_on_a_stream_are_set_aside_by_every_service_that_reads_it(
    probe: Probe, topic: Topic[Any]
) -> None:
    noise = random.Random(topic.name).randbytes(300)
    for value in (noise, b"{}" if topic is not EVENTS_RECEIVED else b"null"):
        await probe.put(value, topic.name, key=noise[:16])
        for role in roles_reading(topic):
            reason = await probe.reason(topic.dead_letters(role.split("-")[0]), value)
            assert reason.split(" at ")[0] in ("json_invalid", "missing", "model_type")
    await probe.stream_goes_on()


@pytest.mark.parametrize("topic", TABLES, ids=lambda topic: topic.name)
async def test_random_bytes_on_a_table_leave_the_last_good_definition_in_force(
    probe: Probe, topic: Topic[Any]
) -> None:
    keys = {"sources": "web-shop", "tracking-plans": "shop", "segments": "third-view"}
    key = f"demo/{keys.get(topic.name.split('.')[1], 'default')}".encode()
    for value in (random.Random(topic.name).randbytes(300), b'{"tenant": "demo", "name": "bad", "version": 2}'):
        await probe.put(value, topic.name, key=key)
        await probe.put(value, topic.name, key=b"\xff\xfe")
    await probe.stream_goes_on()


@pytest.mark.parametrize("topic", messages(""), ids=lambda topic: topic.name)
async def test_a_message_of_a_newer_contract_passes(probe: Probe, topic: Topic[Any]) -> None:
    device = new_id("newer")
    message = messages(device)[topic]
    await probe.put(json.dumps(newer(message)).encode(), topic.name, key=str(topic.key_of(message)).encode())
    if isinstance(message, ProfileUpdated):
        await probe.member("active-shoppers-24h", str(message.profile_id))
    else:
        profile = await probe.profile(anonymous_id=device)
        await probe.member("active-shoppers-24h", profile["id"])


@pytest.mark.parametrize("topic", messages(""), ids=lambda topic: topic.name)
async def test_a_word_that_only_a_newer_contract_knows_is_set_aside(probe: Probe, topic: Topic[Any]) -> None:
    message = messages(new_id("newer"))[topic]
    fields = json.loads(message.model_dump_json())
    place = fields if isinstance(message, ProfileUpdated) else fields["event"]
    name = "cause" if isinstance(message, ProfileUpdated) else "type"
    place[name] = "telepathy"
    value = json.dumps(fields).encode()
    await probe.put(value, topic.name, key=str(topic.key_of(message)).encode())
    role = next(role for role in roles_reading(topic) if role != SLIM)
    reason = await probe.reason(topic.dead_letters(role.split("-")[0]), value)
    assert reason == (
        "literal_error at /cause" if isinstance(message, ProfileUpdated) else "literal_error at /event/type"
    )


async def test_after_all_that_the_stream_goes_on(probe: Probe) -> None:
    await probe.stream_goes_on()

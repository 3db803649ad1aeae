"""Which events are well-formed: one row a rule, the rule and the pointer held to the letter."""

from __future__ import annotations

from typing import Any

import pytest
from cdp_contracts.events_v1 import EventReceived, EventRejected, EventValidated
from collector_builders import ARRIVAL, LIMITS, WEB_KEY, item, sent, source, stamp, validator

DEEP: Any = "bottom"
for _ in range(LIMITS.depth):
    DEEP = [DEEP]

REFUSED = [
    ("event-type", "/type", {"type": "purchase"}),
    ("event-type", "/type", {"type": 7}),
    ("event-type", "/type", {"type": None}),
    ("event-name", "/event", {"event": None}),
    ("event-name", "/event", {"event": "  "}),
    ("type", "/event", {"event": 12}),
    ("length", "/event", {"event": "x" * 201}),
    ("type", "/name", {"type": "page", "name": ["home"]}),
    ("identifier", "/userId", {"anonymousId": None}),
    ("identifier", "/userId", {"anonymousId": "   "}),
    ("identifier", "/userId", {"userId": "null"}),
    ("identifier", "/userId", {"userId": "Undefined"}),
    ("identifier", "/userId", {"userId": "[object Object]"}),
    ("identifier", "/userId", {"userId": "NaN"}),
    ("identifier", "/userId", {"userId": "0000"}),
    ("identifier", "/userId", {"userId": 0}),
    ("identifier", "/anonymousId", {"anonymousId": "00000000-0000-0000-0000-000000000000"}),
    ("type", "/userId", {"userId": True}),
    ("type", "/userId", {"userId": {"id": 1}}),
    ("type", "/anonymousId", {"anonymousId": 1.5}),
    ("length", "/userId", {"userId": "u" * 257}),
    ("group-id", "/groupId", {"type": "group"}),
    ("identifier", "/groupId", {"type": "group", "groupId": "none"}),
    ("previous-id", "/previousId", {"type": "alias", "userId": "u-1"}),
    ("previous-id", "/userId", {"type": "alias", "previousId": "device-1"}),
    ("message-id", "/messageId", {"messageId": ""}),
    ("message-id", "/messageId", {"messageId": 17}),
    ("message-id", "/messageId", {"messageId": "m" * 101}),
    ("type", "/properties", {"properties": [1]}),
    ("type", "/traits", {"traits": "red"}),
    ("type", "/context", {"context": "here"}),
    ("type", "/context/traits", {"context": {"traits": 3}}),
    ("text", "/properties/note", {"properties": {"note": "a\x00b"}}),
    ("text", "/properties/deep/0", {"properties": {"deep": [{"a\x00b": 1}]}}),
    ("text", "/userId", {"userId": "u\x00"}),
    ("text", "/messageId", {"messageId": "m\x00"}),
    ("number", "/properties/n", {"properties": {"n": float("nan")}}),
    ("number", "/traits/n", {"traits": {"n": float("inf")}}),
    ("number", "/properties/n", {"properties": {"n": 2**63}}),
    ("number", "/properties/a~1b", {"properties": {"a/b": -(2**63) - 1}}),
    ("depth", "/properties/d" + "/0" * (LIMITS.depth - 2), {"properties": {"d": DEEP}}),
    ("size", "", {"properties": {"text": "x" * LIMITS.event_bytes}}),
    ("timestamp", "/timestamp", {"timestamp": "1900-01-01T00:00:00Z"}),
    ("timestamp", "/timestamp", {"timestamp": "9999-12-31T23:59:59Z"}),
    ("timestamp", "/timestamp", {"timestamp": "0001-01-01T00:00:00+14:00"}),
    ("timestamp", "/timestamp", {"timestamp": "yesterday"}),
    ("timestamp", "/timestamp", {"timestamp": 1767614400000}),
    ("timestamp", "/originalTimestamp", {"originalTimestamp": "2026-13-01"}),
]


@pytest.mark.parametrize(("rule", "pointer", "changes"), REFUSED)
def test_an_event_that_breaks_a_rule_is_rejected_with_the_rule_and_the_place(rule, pointer, changes):
    rejected = validator().decide(sent_odd(**changes), ARRIVAL)
    assert isinstance(rejected, EventRejected)
    assert (rejected.rule, rejected.pointer) == (rule, pointer)
    assert (rejected.tenant, rejected.source, rejected.owner) == ("demo", "web", "team-shop")


def sent_odd(**changes: Any) -> EventReceived:
    """An event with what no parser of ours lets through, such as NaN."""
    fields = {name: changes.pop(name) for name in ("properties", "traits") if name in changes}
    return sent(**changes).model_copy(update=fields)


@pytest.mark.parametrize(
    "changes",
    [
        {},
        {"userId": "u-1", "anonymousId": None},
        {"userId": 42},
        {"type": "identify", "event": None, "traits": {"plan": "pro"}},
        {"type": "page", "event": None, "name": "Home"},
        {"type": "screen", "event": None},
        {"type": "group", "event": None, "groupId": "g-1"},
        {"type": "alias", "event": None, "userId": "u-1", "previousId": "device-1"},
        {"type": "consent", "event": None},
        {"messageId": "m" * 100},
        {"properties": {"n": 2**63 - 1}, "traits": None},
        {"properties": {"text": "x" * (LIMITS.event_bytes - 500)}},
    ],
)
def test_what_keeps_the_rules_passes(changes):
    assert isinstance(validator().decide(sent(**changes), ARRIVAL), EventValidated)


def test_an_event_straight_on_the_broker_names_its_source_by_write_key():
    direct = EventReceived.model_validate({**item(), "writeKey": WEB_KEY})
    validated = validator().decide(direct, ARRIVAL)
    assert isinstance(validated, EventValidated)
    assert (validated.tenant, validated.source, validated.received_at) == ("demo", "web", ARRIVAL.at)


@pytest.mark.parametrize("key", [None, "", "another", 7, {"key": WEB_KEY}])
def test_without_a_known_key_it_belongs_to_nobody(key):
    direct = EventReceived.model_validate({**item(), "writeKey": key})
    rejected = validator().decide(direct, ARRIVAL)
    assert isinstance(rejected, EventRejected)
    assert (rejected.tenant, rejected.source, rejected.rule) == ("unknown", "unknown", "write-key")


def test_a_disabled_source_is_refused_on_the_broker_but_what_the_edge_took_still_passes():
    disabled = validator(source(enabled=False))
    direct = EventReceived.model_validate({**item(), "writeKey": WEB_KEY})
    assert isinstance(disabled.decide(direct, ARRIVAL), EventRejected)
    assert isinstance(disabled.decide(sent(), ARRIVAL), EventValidated)


def test_a_stamp_of_a_source_that_nobody_defined_is_refused():
    rejected = validator().decide(sent(edge=stamp(source="forged")), ARRIVAL)
    assert isinstance(rejected, EventRejected)
    assert (rejected.tenant, rejected.rule) == ("unknown", "write-key")


def test_a_rejection_carries_no_value_of_the_event():
    secret = "jane@example.com"
    event = sent(userId=secret, messageId=None, timestamp=secret, properties={"price": secret})
    rejected = validator().decide(event, ARRIVAL)
    assert isinstance(rejected, EventRejected)
    assert secret not in rejected.model_dump_json()


def test_an_event_without_a_message_id_is_named_by_its_place():
    first = validator().decide(sent(messageId=None), ARRIVAL)
    again = validator().decide(sent(messageId=None), ARRIVAL)
    assert first == again
    assert len(first.message_id) == 36

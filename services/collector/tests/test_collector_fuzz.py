"""Whatever is sent ends in exactly one of three places, twice in the same one, and no value leaks."""

from __future__ import annotations

import json
from typing import Any

from cdp_collector.domain.rules import RULES
from cdp_contracts.events_v1 import EventReceived, EventRejected, EventValidated
from cdp_contracts.topics import EVENTS_RECEIVED, EVENTS_REJECTED, EVENTS_VALIDATED
from cdp_runtime.codec import decode, encode
from collector_builders import ARRIVAL, NOON, WEB_KEY, planned, stamp
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

LEAVES = st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=20) | st.just("CANARY-4711")
NAMES = st.text(max_size=8) | st.sampled_from(["product_id", "price", "traits", "consent", "categoryPreferences"])
VALUES = st.recursive(
    LEAVES, lambda inner: st.lists(inner, max_size=4) | st.dictionaries(NAMES, inner, max_size=4)
)
OBJECTS = st.dictionaries(NAMES, VALUES, max_size=5)
FIELDS: dict[str, st.SearchStrategy[Any]] = {
    "type": st.sampled_from(["track", "identify", "page", "group", "alias", "consent"]) | VALUES,
    "event": st.sampled_from(["Product Viewed", "Segment Consent Preference"]) | VALUES,
    "name": VALUES,
    "userId": st.sampled_from(["u-1", "null", 7]) | VALUES,
    "anonymousId": st.just("device-1") | VALUES,
    "groupId": VALUES,
    "previousId": VALUES,
    "messageId": st.just("m-1") | VALUES,
    "timestamp": st.datetimes().map(lambda moment: moment.isoformat()) | VALUES,
    "originalTimestamp": VALUES,
    "sentAt": st.datetimes().map(lambda moment: moment.isoformat()) | VALUES,
    "properties": OBJECTS | VALUES,
    "traits": OBJECTS | VALUES,
    "context": st.fixed_dictionaries(
        {}, optional={"consent": VALUES, "traits": VALUES, "location": OBJECTS, "page": OBJECTS}
    )
    | VALUES,
    "writeKey": st.just(WEB_KEY) | VALUES,
}
EVENTS = st.fixed_dictionaries({}, optional=FIELDS)


@given(event=EVENTS, stamped=st.booleans())
def test_any_event_is_either_validated_or_rejected_and_the_same_again(event, stamped):
    received = EventReceived.model_construct(**snake(event), edge=stamp() if stamped else None)
    for judge in (planned(), planned(unknown_events="reject")):
        message = judge.decide(received, ARRIVAL)
        assert message == judge.decide(received, ARRIVAL)
        topic = EVENTS_VALIDATED if isinstance(message, EventValidated) else EVENTS_REJECTED
        record = encode(topic, message, source="test", now=NOON)
        assert record.value is not None
        assert decode(topic, record.value) == message
        if isinstance(message, EventRejected):
            assert message.rule in RULES
            assert "CANARY" not in (message.pointer + message.expected + message.got)


def snake(event: dict[str, Any]) -> dict[str, Any]:
    """Under the names of the model: taken as they are, what no parser lets through included."""
    names = {field.alias: name for name, field in EventReceived.model_fields.items()}
    return {names[name]: value for name, value in event.items()}


@given(value=st.binary(max_size=200) | EVENTS.map(lambda event: json.dumps(event).encode()))
def test_any_bytes_are_undecodable_or_decided(value):
    try:
        received = decode(EVENTS_RECEIVED, value)
    except ValidationError:
        return
    assert isinstance(planned().decide(received, ARRIVAL), EventValidated | EventRejected)

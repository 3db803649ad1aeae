"""A dialect in, one shape out."""

from __future__ import annotations

from datetime import UTC

import pytest
from cdp_contracts.envelope import derived_id
from cdp_contracts.events_v1 import EventValidated
from collector_builders import ARRIVAL, NOON, PSEUDONYMS, at, sent, validator


def decided(**changes) -> EventValidated:
    message = validator().decide(sent(**changes), ARRIVAL)
    assert isinstance(message, EventValidated)
    return message


def test_the_envelope_of_a_validated_event():
    message = decided(userId=" u-1 ", timestamp="2026-01-05T12:59:00+01:00")
    assert message.id == derived_id("demo/m-1", "validated")
    assert (message.tenant, message.source, message.message_id) == ("demo", "web", "m-1")
    assert (message.occurred_at, message.received_at) == (at(-60), NOON)
    assert message.occurred_at.tzinfo is UTC
    assert message.subject == PSEUDONYMS.of("demo", "subject", "device:device-1")
    assert (message.event.user_id, message.event.anonymous_id) == ("u-1", "device-1")


def test_the_subject_is_the_user_where_there_is_no_device():
    message = decided(anonymousId=None, userId=42)
    assert message.event.user_id == "42"
    assert message.subject == PSEUDONYMS.of("demo", "subject", "user:42")


@pytest.mark.parametrize(
    ("changes", "name"),
    [
        ({"event": " Product Viewed "}, "Product Viewed"),
        ({"type": "page", "event": None, "name": "Home"}, "Home"),
        ({"type": "screen", "event": None, "name": " "}, "screen"),
        ({"type": "identify", "event": "ignored"}, "identify"),
        ({"type": "consent", "event": None}, "consent"),
    ],
)
def test_every_event_has_a_name(changes, name):
    assert decided(**changes).event.name == name


def test_traits_come_from_both_places_and_the_events_own_win():
    message = decided(
        type="identify", event=None, traits={"plan": "pro"}, context={"traits": {"plan": "free", "age": 9}}
    )
    assert message.event.traits == {"plan": "pro", "age": 9}


def test_a_groups_traits_are_never_taken_for_the_persons():
    message = decided(type="group", event=None, groupId="g-1", properties=None, traits={"name": "ACME"})
    assert message.event.traits == {}
    assert message.event.properties == {"name": "ACME"}
    assert message.event.group_id == "g-1"


def test_the_context_keeps_what_is_on_the_list_and_nothing_else():
    message = decided(
        context={
            "ip": "203.0.113.9",
            "locale": "de-DE",
            "userAgent": "Browser/1",
            "sessionId": 17,
            "timezone": {"odd": 1},
            "page": {"path": "/shop", "url": "https://shop.example/shop", "tab": 3, "title": None},
            "campaign": {"source": "letter", "id": {"odd": 1}},
            "library": {"name": "analytics-python", "version": "2.4.0"},
            "device": {"type": "phone", "id": "F00", "advertisingId": "AD-1"},
            "location": {"country": "DE", "latitude": 52.5},
            "consent": {"categoryPreferences": {}},
            "os": "unknown",
        }
    )
    assert message.event.context == {
        "locale": "de-DE",
        "userAgent": "Browser/1",
        "sessionId": 17,
        "page": {"path": "/shop", "url": "https://shop.example/shop"},
        "campaign": {"source": "letter"},
        "library": {"name": "analytics-python", "version": "2.4.0"},
        "device": {"type": "phone"},
    }

"""What a validated event says of its browser: by the edge, or by a sender who may; and of ids in other systems."""

from __future__ import annotations

from typing import Any

import pytest
from cdp_contracts.definitions_v1 import FirstParty
from cdp_contracts.events_v1 import EventValidated, Visit
from collector_builders import ARRIVAL, PSEUDONYMS, at, sent, source, stamp, validator
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

PRINT = "f1-9c2e77aa01"
VISIT = Visit(id="a" * 32, since=at(-3600))
FINGERPRINTS = source(fingerprint_consent=("Functional",))
YES = {"categoryPreferences": {"functional": True, "Analytics": False}}


def decided(*sources: Any, **changes: Any) -> EventValidated:
    message = validator(*sources).decide(sent(**changes), ARRIVAL)
    assert isinstance(message, EventValidated)
    return message


def test_the_id_and_the_visit_are_the_edges() -> None:
    edge = stamp(first_party_id="first-party:1", visit=VISIT)
    event = decided(edge=edge, context={"sessionId": "the sender's own"}).event
    assert (event.first_party_id, event.context) == ("first-party:1", {"sessionId": VISIT.id})


def test_an_event_that_waited_since_an_earlier_visit_keeps_what_its_sender_said() -> None:
    edge = stamp(first_party_id="first-party:1", visit=VISIT)
    late, sent_by_itself = "2026-01-05T10:59:59Z", {"sessionId": "yesterday's"}
    event = decided(edge=edge, timestamp=late, context=sent_by_itself).event
    assert (event.first_party_id, event.context) == ("first-party:1", sent_by_itself)
    assert decided(edge=edge, timestamp=late).event.context == {}
    assert decided(edge=edge, timestamp="2026-01-05T11:00:00Z").event.context == {"sessionId": VISIT.id}


def test_nothing_in_a_body_makes_a_first_party_id() -> None:
    said = {"first_party_id": "first-party:1", "firstPartyId": "first-party:1"}
    assert decided(**said, context=said, traits=said).event.first_party_id is None


@pytest.mark.parametrize(
    "value", ["first-party:1", " First-Party:1", "\ufb01rst-party:1", "first-party\uff1a1", "first-party:"]
)
@pytest.mark.parametrize("kind", ["cookie", "ga_client_id"])
def test_an_external_id_cannot_read_like_one_of_the_edges(value: str, kind: str) -> None:
    assert decided(context={"externalIds": [{"id": value, "type": kind}]}).event.context == {}


def test_external_ids_are_kept_and_those_of_devices_are_not() -> None:
    given_ids = [
        {"id": "c-1", "type": "cookie", "collection": "users", "encoding": "none", "more": {"odd": 1}},
        {"id": 17, "type": "loyalty"},
        {"id": "a" * 64, "type": "email", "encoding": "sha256"},
        {"id": "AD-1", "type": "ios.idfa"},
        {"id": "D-1", "type": "android.id"},
        {"id": "x" * 257, "type": "loyalty"},
        {"id": {"odd": 1}, "type": "loyalty"},
        {"type": "loyalty"},
        "odd",
    ]
    assert decided(context={"externalIds": given_ids}).event.context == {
        "externalIds": [
            {"id": "c-1", "type": "cookie", "collection": "users", "encoding": "none"},
            {"id": "17", "type": "loyalty"},
            {"id": "a" * 64, "type": "email", "encoding": "sha256"},
        ]
    }
    assert len(decided(context={"externalIds": given_ids[:1] * 99}).event.context["externalIds"]) == 50


def test_a_fingerprint_is_kept_as_a_keyed_hash_where_the_source_and_the_person_allow_it() -> None:
    context = {"device": {"type": "phone", "fingerprint": f" {PRINT} "}, "consent": YES}
    kept = decided(FINGERPRINTS, context=context).event
    assert kept.context == {
        "device": {"type": "phone", "fingerprint": PSEUDONYMS.of("demo", "fingerprint", PRINT)}
    }
    assert PRINT not in kept.model_dump_json()


@pytest.mark.parametrize(
    ("of", "changes"),
    [
        (source(), {}),
        (FINGERPRINTS, {"edge": stamp(gpc=True)}),
        (FINGERPRINTS, {"consent": None}),
        (FINGERPRINTS, {"consent": {"categoryPreferences": {"Analytics": True}}}),
        (FINGERPRINTS, {"consent": {"categoryPreferences": {"Functional": False}}}),
        (FINGERPRINTS, {"consent": {"categoryPreferences": {"Functional": 1}}}),
        (FINGERPRINTS, {"consent": "Functional"}),
        (FINGERPRINTS, {"device": {"fingerprint": "short"}}),
        (FINGERPRINTS, {"device": {"fingerprint": "x" * 257}}),
        (FINGERPRINTS, {"device": {"fingerprint": "00000000"}}),
        (FINGERPRINTS, {"device": {"fingerprint": "undefined"}}),
        (FINGERPRINTS, {"device": {"fingerprint": 1234567890}}),
        (FINGERPRINTS, {"device": "odd"}),
    ],
)
def test_in_any_other_case_a_fingerprint_is_dropped(of: Any, changes: dict[str, Any]) -> None:
    edge = changes.pop("edge", None)
    event = decided(of, edge=edge, context={"device": {"fingerprint": PRINT}, "consent": YES, **changes}).event
    assert event.context.get("device", {}) == {}


@given(st.text(st.characters(codec="utf-8", exclude_characters="\0"), min_size=8, max_size=256))
def test_no_fingerprint_is_carried_in_the_clear(value: str) -> None:
    event = decided(FINGERPRINTS, context={"device": {"fingerprint": value}, "consent": YES}).event
    assert event.context.get("device", {}).get("fingerprint") != value


@pytest.mark.parametrize(
    "origin",
    ["*", "null", "", "shop.example", "http://shop.example", "https://shop.example/", "https://SHOP.example",
     "https://*.example", "https://shop.example\r\nX: y", "https://shop.example\n"],
)  # fmt: skip
def test_an_origin_is_one_that_a_browser_would_state_and_encrypted(origin: str) -> None:
    with pytest.raises(ValidationError, match="origins"):
        FirstParty(origins=(origin,), consent=("Functional",))


def test_a_cookie_needs_a_name_to_consent_to() -> None:
    for consent in ((), ("",)):
        with pytest.raises(ValidationError, match="consent"):
            FirstParty(origins=("https://shop.example",), consent=consent)

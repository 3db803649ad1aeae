"""Tracking plans: what a source may send, to the property."""

from __future__ import annotations

import pytest
from cdp_contracts.definitions_v1 import PropertyRule
from cdp_contracts.events_v1 import EventRejected, EventValidated
from collector_builders import ARRIVAL, at, catalogue, plan, planned, sent, source, validator

CONSENT = {"consent": {"categoryPreferences": {"Analytics": True}}}


def properties(**changes):
    return {"properties": {"product_id": "p-1", **changes}}


@pytest.mark.parametrize(
    ("rule", "pointer", "changes"),
    [
        ("plan-required", "/properties/product_id", {"properties": {}}),
        ("plan-required", "/properties/product_id", properties(product_id=None)),
        ("plan-type", "/properties/product_id", properties(product_id=7)),
        ("plan-type", "/properties/price", properties(price="9.50")),
        ("plan-type", "/properties/price", properties(price=True)),
        ("plan-type", "/properties/quantity", properties(quantity=1.5)),
        ("plan-type", "/properties/seen_at", properties(seen_at="soon")),
        ("plan-range", "/properties/price", properties(price=-0.01)),
        ("plan-range", "/properties/price", properties(price=1001)),
        ("plan-one-of", "/properties/currency", properties(currency="GBP")),
        ("plan-unknown", "/properties/reason", {"event": "Cart Emptied", "properties": {"reason": "x"}}),
        ("plan-required", "/traits/email", {"type": "identify", "event": None, "traits": {}}),
        ("plan-type", "/traits/age", {"type": "identify", "event": None, "traits": {"email": "e", "age": "9"}}),
        ("plan-type", "/context/traits/age", {**properties(), "context": {"traits": {"age": "9"}}}),
    ],
)
def test_what_breaks_the_plan_is_rejected(rule, pointer, changes):
    rejected = planned().decide(sent(**changes), ARRIVAL)
    assert isinstance(rejected, EventRejected)
    assert (rejected.rule, rejected.pointer, rejected.owner) == (rule, pointer, "team-shop")


@pytest.mark.parametrize(
    "changes",
    [
        properties(price=3, currency="EUR", quantity=2.0, seen_at="2026-01-05", other=[1]),
        properties(price=None),
        {"event": "Cart Emptied", "properties": {}},
        {"event": " Product Viewed ", **properties()},
        {"type": "identify", "event": None, "traits": {"email": "e"}},
        {"type": "group", "event": None, "groupId": "g", "traits": {"age": "not a person's"}},
        {"type": "page", "event": None, "properties": {"price": "not planned"}},
    ],
)
def test_what_keeps_the_plan_passes_unmarked(changes):
    validated = planned().decide(sent(**changes), ARRIVAL)
    assert isinstance(validated, EventValidated)
    assert validated.flags == ()


@pytest.mark.parametrize(("unknown", "flags"), [("allow", ()), ("flag", ("unplanned-event",))])
def test_an_event_that_the_plan_does_not_know_may_pass(unknown, flags):
    validated = planned(unknown_events=unknown).decide(sent(event="Sung"), ARRIVAL)
    assert isinstance(validated, EventValidated)
    assert validated.flags == flags


def test_an_event_that_the_plan_does_not_know_may_be_rejected():
    rejected = planned(unknown_events="reject").decide(sent(event="Sung"), ARRIVAL)
    assert isinstance(rejected, EventRejected)
    assert (rejected.rule, rejected.pointer) == ("plan-event", "/event")


@pytest.mark.parametrize("name", ["Segment Consent Preference", "Segment Consent Preference Updated"])
def test_no_plan_refuses_a_consent_event(name):
    strict = planned(unknown_events="reject", traits={"email": PropertyRule(type="string", required=True)})
    event = sent(event=name, properties={"odd": 1}, context={**CONSENT, "traits": {"email": 5}})
    assert isinstance(strict.decide(event, ARRIVAL), EventValidated)


def test_a_plan_that_is_named_but_not_defined_is_marked():
    validated = validator(source(tracking_plan="lost")).decide(sent(), ARRIVAL)
    assert isinstance(validated, EventValidated)
    assert validated.flags == ("plan-missing",)


def test_a_new_version_holds_for_what_is_received_from_its_hour_on():
    strict = plan(version=2, unknown_events="reject", effective_at=at(0))
    book = validator(source(tracking_plan="shop"), plan(), strict)
    assert isinstance(book.decide(received(at(-1)), ARRIVAL), EventValidated)
    assert isinstance(book.decide(received(at(0)), ARRIVAL), EventRejected)


def received(moment):
    event = sent(event="Sung", timestamp=None)
    assert event.edge
    return event.model_copy(update={"edge": event.edge.model_copy(update={"received_at": moment})})


def test_a_removed_definition_is_gone():
    book = catalogue()
    book.put_source("demo/web", None)
    assert book.source_named("demo", "web", at(0)) is None
    assert book.source_of_key("web-write-key", at(0)) is None


def test_a_rotated_key_is_accepted_until_the_new_version_holds():
    book = catalogue(source(), source(version=2, effective_at=at(60), write_key_hashes=("0" * 64,)))
    assert book.source_of_key("web-write-key", at(59)) is not None
    assert book.source_of_key("web-write-key", at(60)) is None


def test_the_only_version_known_holds_even_before_its_hour():
    book = catalogue(source(effective_at=at(60)))
    assert book.source_of_key("web-write-key", at(0)) is not None

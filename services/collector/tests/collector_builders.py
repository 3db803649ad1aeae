"""Sources, plans and events as the tests tell them."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

from cdp_collector.domain.catalogue import Catalogue, key_digest
from cdp_collector.domain.limits import Limits
from cdp_collector.domain.sightings import Arrival
from cdp_collector.domain.validator import Validator
from cdp_contracts.definitions_v1 import EventRule, PropertyRule, SourceDefined, TrackingPlanDefined
from cdp_contracts.events_v1 import EdgeStamp, EventReceived
from cdp_runtime.pseudonyms import Pseudonymizer

NOON = datetime(2026, 1, 5, 12, 0, tzinfo=UTC)
PEPPER = "a pepper for the tests only"
PSEUDONYMS = Pseudonymizer(PEPPER.encode())
CHANGED = Pseudonymizer(b"a pepper of the next year", [PEPPER.encode()])
LIMITS = Limits()
WEB_KEY = "web-write-key"
ARRIVAL = Arrival("cdp.events.received.v1", 3, 41, NOON)


def at(seconds: float) -> datetime:
    """So many seconds after noon."""
    return NOON + timedelta(seconds=seconds)


def source(**changes: Any) -> SourceDefined:
    """The web shop of the tenant demo."""
    fields: dict[str, Any] = {
        "tenant": "demo", "name": "web", "owner": "team-shop", "write_key_hashes": (key_digest(WEB_KEY),),
    }  # fmt: skip
    return SourceDefined(**{**fields, **changes})


def plan(**changes: Any) -> TrackingPlanDefined:
    """What the web shop may send."""
    fields: dict[str, Any] = {
        "tenant": "demo",
        "name": "shop",
        "events": {
            "Product Viewed": EventRule(
                properties={
                    "product_id": PropertyRule(type="string", required=True),
                    "price": PropertyRule(type="number", minimum=0, maximum=1000),
                    "currency": PropertyRule(type="string", one_of=("EUR", "USD")),
                    "quantity": PropertyRule(type="integer"),
                    "seen_at": PropertyRule(type="date-time"),
                },
            ),
            "Cart Emptied": EventRule(unknown_properties="reject"),
        },
        "traits": {"email": PropertyRule(type="string", required=True), "age": PropertyRule(type="integer")},
    }
    return TrackingPlanDefined(**{**fields, **changes})


def catalogue(*definitions: SourceDefined | TrackingPlanDefined) -> Catalogue:
    """The definitions in force: those given, else the web shop without a plan."""
    made = Catalogue()
    for definition in definitions or (source(),):
        if isinstance(definition, SourceDefined):
            made.put_source(definition.id, definition)
        else:
            made.put_plan(definition.id, definition)
    return made


def validator(*definitions: SourceDefined | TrackingPlanDefined) -> Validator:
    """The validator over these definitions."""
    return Validator(catalogue(*definitions), PSEUDONYMS.of, LIMITS)


def planned(**changes: Any) -> Validator:
    """The validator with the shop's plan in force."""
    return validator(source(tracking_plan="shop"), plan(**changes))


def stamp(**changes: Any) -> EdgeStamp:
    """What the edge puts on an event of the web shop."""
    return EdgeStamp(**{"tenant": "demo", "source": "web", "received_at": NOON, **changes})


def item(**changes: Any) -> dict[str, Any]:
    """A product view as a sender writes it; None takes a field away."""
    fields = {
        "type": "track",
        "event": "Product Viewed",
        "messageId": "m-1",
        "anonymousId": "device-1",
        "timestamp": "2026-01-05T11:59:00Z",
        "properties": {"product_id": "p-1", "price": 9.5},
        **changes,
    }
    return {name: value for name, value in fields.items() if value is not None}


def sent(*, edge: EdgeStamp | None = None, **changes: Any) -> EventReceived:
    """The same as it stands on the topic, stamped by the edge."""
    return EventReceived.model_validate({**item(**changes), "edge": edge or stamp()})

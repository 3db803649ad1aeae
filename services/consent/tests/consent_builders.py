"""Policies, events and signals as the tests tell them."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

from cdp_consent.domain.choices import Choices, Moment, Signal
from cdp_consent.domain.policy import Policy, PolicyBook, compile_policy
from cdp_contracts.definitions_v1 import PolicyDefined, PurposeRule
from cdp_contracts.envelope import derived_id
from cdp_contracts.events_v1 import ConsentSignals, Event, EventValidated
from cdp_runtime.pseudonyms import Pseudonymizer

NOON = datetime(2026, 1, 5, 12, 0, tzinfo=UTC)
PSEUDONYMS = Pseudonymizer(b"a pepper for tests only")

OPT_IN = PurposeRule(default="denied")
OPT_OUT = PurposeRule(default="granted")
OPT_OUT_GPC = PurposeRule(default="granted", gpc_denies=True)
CLOSED = PurposeRule(default="denied", gpc_denies=True)


def at(seconds: float) -> datetime:
    """So many seconds after noon."""
    return NOON + timedelta(seconds=seconds)


def policy_defined(**changes: Any) -> PolicyDefined:
    """The policy of the demo in small: opt-in in the EU, opt-out in California, a lax rest of the world."""
    fields: dict[str, Any] = {
        "tenant": "demo",
        "name": "default",
        "requires": ("analytics",),
        "jurisdictions": {
            "EU": {"analytics": OPT_IN, "marketing": OPT_IN},
            "US-CA": {"analytics": OPT_OUT_GPC, "marketing": OPT_OUT_GPC},
            "default": {"analytics": OPT_OUT, "marketing": OPT_OUT},
        },
        "strictest": {"analytics": CLOSED, "marketing": CLOSED},
        "categories": {"Analytics": "analytics", "C0002": "analytics", "Advertising": "marketing"},
    }
    return PolicyDefined(**{**fields, **changes})


def policy(**changes: Any) -> Policy:
    """The same, compiled."""
    return compile_policy(policy_defined(**changes))


def book(*policies: Policy) -> PolicyBook:
    """A book of these policies; of the usual one if none is given."""
    made = PolicyBook()
    for each in policies or (policy(),):
        made.learn(f"{each.tenant}/{each.name}", each)
    return made


def event(
    message_id: str,
    seconds: float = 0,
    *,
    user: str | None = None,
    device: str | None = "phone",
    previous: str | None = None,
    choices: dict[str, bool] | None = None,
    unparsable: bool = False,
    gpc: bool = False,
    place: str | None = "DE",
    kind: str = "track",
    tenant: str = "demo",
    occurred: float | None = None,
) -> EventValidated:
    """An event received so many seconds after noon. `choices` make it carry a consent object."""
    return EventValidated(
        tenant=tenant,
        id=derived_id(f"{tenant}/{message_id}", "validated"),
        message_id=message_id,
        occurred_at=at(seconds if occurred is None else occurred),
        received_at=at(seconds),
        subject=PSEUDONYMS.of(tenant, "subject", f"device:{device}" if device else f"user:{user}"),
        source="shop",
        event=Event.model_validate(
            {
                "type": kind, "name": "Product Viewed", "user_id": user, "anonymous_id": device,
                "previous_id": previous, "properties": {"sku": "canary-sku"}, "traits": {"name": "canary-name"},
            }
        ),
        signals=ConsentSignals(choices=choices, unparsable=unparsable, gpc=gpc, jurisdiction=place),
    )  # fmt: skip


def consent(message_id: str, seconds: float = 0, **fields: Any) -> EventValidated:
    """A consent event: a choice as an act of its own. Pass `choices`."""
    return event(message_id, seconds, kind="consent", **fields)


def signal(
    message_id: str,
    seconds: float = 0,
    *,
    deliberate: bool = True,
    unreadable: bool = False,
    gpc: tuple[str, ...] = (),
    occurred: float | None = None,
    **choices: bool,
) -> Signal:
    """A signal in our purposes."""
    moment = Moment(at(seconds), at(seconds if occurred is None else occurred))
    return Signal(moment, message_id, choices, unreadable, gpc, deliberate)


def after(*signals: Signal) -> Choices:
    """What stands after these."""
    choices = Choices()
    for each in signals:
        choices = choices.heard(each)
    return choices

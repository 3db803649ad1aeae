"""Events and sightings in few words: `u1` is a user, `e1` an e-mail address, `d1` a device."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from itertools import count
from typing import Any, Final
from uuid import uuid5

from cdp_contracts.definitions_v1 import IdentityRulesDefined
from cdp_contracts.envelope import NAMESPACE
from cdp_contracts.events_v1 import Decision, Event, EventPermitted, EventType
from cdp_identity.domain.facts import Resolution
from cdp_identity.domain.identifiers import Identifier, Sign
from cdp_identity.domain.rules import DAY_MS, SHIPPED, Kind, Rules, compile_rules
from cdp_identity.domain.sightings import Sighting
from cdp_identity.stewards import Stewards
from cdp_identity.store import GraphStore, IdentityGraph
from cdp_runtime.clock import ManualClock
from cdp_runtime.pseudonyms import Pseudonymizer

START: Final = datetime(2026, 1, 5, 12, 0, tzinfo=UTC)
PSEUDONYMS: Final = Pseudonymizer(b"a pepper for tests only")
KINDS: Final[dict[str, Kind]] = {
    "u": "user_id", "e": "email", "p": "phone", "d": "anonymous_id", "k": "device_id", "x": "external.loyalty",
}  # fmt: skip


def ident(name: str, tenant: str = "acme") -> Identifier:
    """The identifier of a short name."""
    kind = KINDS[name[0]]
    return Identifier(kind, PSEUDONYMS.of(tenant, kind, name))


class Sightings:
    """Builds sightings, each a second after the one before: see("u1", "d1"); or so many days after the start."""

    def __init__(self, rules: Rules = SHIPPED) -> None:
        self._numbers = count()
        self.rules = rules

    def __call__(
        self, *names: str, tenant: str = "acme", source: str = "web", day: float = 0, rules: Rules | None = None
    ) -> Sighting:
        number = next(self._numbers)
        seen_at = int(START.timestamp() * 1000) + number * 1000 + int(day * DAY_MS)
        signs = tuple(Sign(ident(name, tenant)) for name in names)
        event = uuid5(NAMESPACE, f"event-{number}")
        subject = PSEUDONYMS.of(tenant, "subject", names[-1])
        return Sighting(event, tenant, source, seen_at, signs, rules or self.rules, subject)


def ruled(**said: Any) -> Rules:
    """The rules of a definition that says these things: ruled(shared_devices="first_owner")."""
    return compile_rules(IdentityRulesDefined.model_validate({"tenant": "acme", "name": "default", **said}))


def permitted(number: int = 0, *, type: EventType = "track", tenant: str = "acme", **said: Any) -> EventPermitted:  # noqa: A002
    """The n-th event, which says these things about who it belongs to."""
    at = START + timedelta(seconds=number)
    device = said.get("anonymous_id") or said.get("user_id") or "nobody"
    return EventPermitted(
        tenant=tenant,
        id=uuid5(NAMESPACE, f"{tenant}-{number}"),
        message_id=f"message-{number}",
        occurred_at=at,
        received_at=at,
        subject=PSEUDONYMS.of(tenant, "anonymous_id", device),
        source="web",
        event=Event(type=type, name="Product Viewed", **said),
        decision=Decision(purposes=("analytics",), jurisdiction="EU", policy="main", policy_version=1),
    )


async def resolve(store: GraphStore, *sightings: Sighting) -> list[Resolution]:
    """By a worker that remembers nothing, one sighting a batch."""
    return [(await IdentityGraph(store).resolve([sighting]))[0] for sighting in sightings]


class Written(list[Any]):
    """A log in memory."""

    async def write(self, message: Any) -> None:
        self.append(message)

    async def ping(self) -> None:
        pass


def stewards(store: GraphStore) -> Stewards:
    """The stewards' desk over a store; what is asked for and decided is written down in memory."""
    return Stewards(store, PSEUDONYMS, Written(), Written(), ManualClock(START + timedelta(days=1)))

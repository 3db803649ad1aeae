"""People who identify themselves, in few words."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any, Final
from uuid import UUID, uuid5

from cdp_contracts.envelope import NAMESPACE
from cdp_contracts.events_v1 import Decision, Event, EventResolved
from cdp_contracts.identities_v1 import Evidence, IdentitiesMerged, IdentitiesUnmerged, Parting
from cdp_identity.matcher.handlers import stages
from cdp_identity.matcher.matcher import Matcher
from cdp_identity.matcher.store import MatcherStore
from cdp_identity.matcher.telling import Rules
from cdp_testkit import LocalBus
from identity_builders import PSEUDONYMS

START: Final = datetime(2026, 1, 5, 12, 0, tzinfo=UTC)
RULES: Final = Rules(frozenset({"personalization"}), {"*": "GB"}, unasked=True)
ADA: Final = {
    "firstName": "Ada", "lastName": "Byron", "birthday": "1990-05-17",
    "address": {"street": "12 Elm Street", "city": "Leeds", "postalCode": "LS1 4AB"},
}  # fmt: skip


def profile(name: str) -> UUID:
    """The profile id of a short name."""
    return uuid5(NAMESPACE, f"profile-{name}")


def identified(
    number: int,
    who: str,
    traits: dict[str, Any],
    *,
    tenant: str = "acme",
    user_id: str | None = None,
    purposes: tuple[str, ...] = ("analytics", "personalization"),
    part: str = "",
    fingerprint: str = "",
) -> EventResolved:
    """The n-th event: somebody says who they are."""
    at = START + timedelta(seconds=number)
    context: dict[str, Any] = {"device": {"fingerprint": fingerprint}} if fingerprint else {}
    return EventResolved(
        tenant=tenant, id=uuid5(NAMESPACE, f"{tenant}-{number}"), message_id=f"message-{number}", occurred_at=at,
        received_at=at, subject=PSEUDONYMS.of(tenant, "anonymous_id", who), source="web",
        event=Event(type="identify", name="identify", anonymous_id=who, user_id=user_id, traits=traits,
                    context=context),
        decision=Decision(purposes=purposes, jurisdiction="EU", policy="main", policy_version=1),
        profile_id=profile(who), part=PSEUDONYMS.of(tenant, "anonymous_id", part or who),
    )  # fmt: skip


def merged(number: int, into: str, absorbed: str, tenant: str = "acme") -> IdentitiesMerged:
    """The n-th message: two profiles are one."""
    at = START + timedelta(seconds=number)
    return IdentitiesMerged(
        tenant=tenant, id=uuid5(NAMESPACE, f"merge-{number}"), message_id=f"message-{number}", occurred_at=at,
        received_at=at, profile_id=profile(into), absorbed=profile(absorbed),
        evidence=Evidence(rule="same-event", identifiers=(), source="web"),
    )  # fmt: skip


def unmerged(number: int, kept: str, version: int = 1, **groups: list[str]) -> IdentitiesUnmerged:
    """The n-th message: these identifiers of a profile, by the profile that they are of now."""
    at = START + timedelta(seconds=number)
    return IdentitiesUnmerged(
        tenant="acme", id=uuid5(NAMESPACE, f"unmerge-{number}"), message_id=f"message-{number}", occurred_at=at,
        received_at=at, profile_id=profile(kept), version=version,
        partings=tuple(
            Parting(profile_id=profile(new), identifiers=tuple(map(identifier, names)))
            for new, names in groups.items()
        ),
    )  # fmt: skip


def identifier(name: str) -> str:
    """The identifier of a short name."""
    return PSEUDONYMS.of("acme", "anonymous_id", name)


def matching_bus(store: MatcherStore, rules: Rules = RULES) -> LocalBus:
    """The matcher alone."""
    bus = LocalBus()
    bus.attach("identity-matcher", stages(Matcher(store, rules, PSEUDONYMS)))
    return bus

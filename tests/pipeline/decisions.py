"""What is said of people on devices that are a profile each, where no role of the platform says it."""

from __future__ import annotations

from datetime import datetime
from typing import Literal
from uuid import UUID

from assembly import PSEUDONYMS, TENANT
from cdp_contracts.envelope import derived_id
from cdp_contracts.events_v1 import Decision, Event, EventResolved
from cdp_contracts.identities_v1 import Evidence, IdentitiesMerged, IdentitiesUnmerged, Parting
from cdp_contracts.matches_v1 import MatchDecided
from pydantic import JsonValue


def verdict(
    n: int, one: str, other: str, now: datetime, says: Literal["same", "different"] = "different"
) -> MatchDecided:
    """A person says that two profiles are one person or two."""
    return MatchDecided(
        tenant=TENANT, id=derived_id(f"verdict-{n}", "decided"), message_id=f"verdict-{n}", occurred_at=now,
        received_at=now, profile_id=derived_id(one, "profile"), other=derived_id(other, "profile"),
        identifiers=(PSEUDONYMS.of(TENANT, "anonymous_id", one), PSEUDONYMS.of(TENANT, "anonymous_id", other)),
        verdict=says, by="token-of-a-steward",
    )  # fmt: skip


def identified(n: int, device: str, traits: dict[str, JsonValue], now: datetime) -> EventResolved:
    """Somebody says who they are, on a device that is a profile of its own."""
    pseudonym = PSEUDONYMS.of(TENANT, "anonymous_id", device)
    return EventResolved(
        tenant=TENANT, id=derived_id(f"told-{n}", "event"), message_id=f"told-{n}", occurred_at=now,
        received_at=now, subject=pseudonym, part=pseudonym, source="shop",
        profile_id=derived_id(device, "profile"),
        event=Event(type="identify", name="identify", anonymous_id=device, traits=traits),
        decision=Decision(purposes=("analytics",), jurisdiction="EU", policy="main", policy_version=1),
    )  # fmt: skip


def joined(into: str, absorbed: str, now: datetime) -> IdentitiesMerged:
    """The profiles of two devices are one."""
    return IdentitiesMerged(
        tenant=TENANT, id=derived_id(absorbed, "merge"), message_id=f"merge-{absorbed}", occurred_at=now,
        received_at=now, profile_id=derived_id(into, "profile"), absorbed=derived_id(absorbed, "profile"),
        evidence=Evidence(rule="same-event", identifiers=(), source="shop"),
    )  # fmt: skip


def parted(kept: str | UUID, new: str, device: str, now: datetime, version: int = 1) -> IdentitiesUnmerged:
    """A device of a profile is somebody else's."""
    identifiers = (PSEUDONYMS.of(TENANT, "anonymous_id", device),)
    kept = kept if isinstance(kept, UUID) else derived_id(kept, "profile")
    return IdentitiesUnmerged(
        tenant=TENANT, id=derived_id(new, "unmerge"), message_id=f"unmerge-{new}", occurred_at=now,
        received_at=now, profile_id=kept, version=version,
        partings=(Parting(profile_id=derived_id(new, "profile"), identifiers=identifiers),),
    )  # fmt: skip

"""Builders of the messages that the writer reads."""

from __future__ import annotations

import sys
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from uuid import UUID, uuid5

import pytest
from cdp_contracts.events_v1 import Decision, Event, EventResolved
from cdp_contracts.identities_v1 import Evidence, IdentitiesMerged, IdentitiesUnmerged, Parting
from cdp_profiles.domain.profile import Profile, record_id
from cdp_runtime.pseudonyms import Pseudonymizer

sys.path.insert(0, str(Path(__file__).parent))

NAMES = UUID("6f0c6c1e-58a2-4c43-9a39-1f0f5ad0a001")
NOON = datetime(2026, 1, 5, 12, 0, tzinfo=UTC)
DECISION = Decision(purposes=("analytics",), jurisdiction="EU", policy="default", policy_version=1)


@dataclass(frozen=True)
class Messages:
    """Makes messages; equal arguments make equal messages."""

    tenant: str = "demo"
    pseudonyms: Pseudonymizer = field(default_factory=lambda: Pseudonymizer(b"pepper for the tests"))

    def profile_id(self, name: str) -> UUID:
        """The profile id that goes by a short name."""
        return uuid5(NAMES, name)

    def record_id(self, name: str) -> str:
        """The id of that profile's record."""
        return record_id(self.tenant, self.profile_id(name))

    def blank(self, *names: str) -> dict[str, Profile]:
        """Records of which nothing is stored yet."""
        return {self.record_id(name): Profile(self.record_id(name)) for name in names}

    def event(
        self, n: int, profile: str, *, at: float | None = None, part: str | None = None, **event
    ) -> EventResolved:
        """The n-th event, `at` seconds past noon, attributed to a profile by its first identifier."""
        occurred_at = NOON + timedelta(seconds=n if at is None else at)
        event = {"type": "track", "name": "Product Viewed", "anonymous_id": f"device of {profile}"} | event
        owner = part or event.get("user_id") or event["anonymous_id"]
        return EventResolved(
            tenant=self.tenant, id=uuid5(NAMES, f"event {n}"), message_id=f"m{n}", occurred_at=occurred_at,
            received_at=occurred_at, subject="0" * 32, source="web", event=Event(**event), decision=DECISION,
            profile_id=self.profile_id(profile), part=self.part(owner),
        )  # fmt: skip

    def identify(self, n: int, profile: str, *, at: float | None = None, **traits) -> EventResolved:
        """The n-th event, which sets traits."""
        return self.event(n, profile, at=at, type="identify", name="identify", traits=traits)

    def merge(self, survivor: str, absorbed: str) -> IdentitiesMerged:
        """One profile becomes part of another."""
        return IdentitiesMerged(
            tenant=self.tenant, id=uuid5(NAMES, f"merge {absorbed}"), message_id=f"merge of {absorbed}",
            occurred_at=NOON, received_at=NOON, profile_id=self.profile_id(survivor),
            absorbed=self.profile_id(absorbed),
            evidence=Evidence(rule="same-event", identifiers=(), source="web"),
        )  # fmt: skip

    def part(self, identifier: str) -> str:
        """The pseudonym of an identifier that attributes events."""
        return self.pseudonyms.of(self.tenant, "part", identifier)

    def unmerge(self, kept: str, version: int, **parted: list[str]) -> IdentitiesUnmerged:
        """Identifiers of one profile become profiles of their own."""
        name = f"unmerge {kept} {version}"
        return IdentitiesUnmerged(
            tenant=self.tenant, id=uuid5(NAMES, name), message_id=name,
            occurred_at=NOON, received_at=NOON, profile_id=self.profile_id(kept), version=version,
            partings=tuple(
                Parting(profile_id=self.profile_id(name), identifiers=tuple(map(self.part, identifiers)))
                for name, identifiers in parted.items()
            ),
        )  # fmt: skip


@pytest.fixture(scope="session")
def make() -> Messages:
    """The builders."""
    return Messages()


@pytest.fixture(scope="session")
def noon() -> datetime:
    """The instant all tests count from."""
    return NOON

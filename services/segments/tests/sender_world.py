"""The sender on a bus of its own: flips go in, requests come out at real endpoints."""

from __future__ import annotations

from base64 import b64encode
from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from uuid import UUID, uuid5

from cdp_contracts.definitions_v1 import DestinationDefined
from cdp_contracts.envelope import derived_id
from cdp_contracts.segments_v1 import MembershipChange, MembershipChanged
from cdp_contracts.topics import DELIVERIES_REQUESTED, DESTINATIONS_DEFINED, MEMBERSHIP_CHANGED
from cdp_runtime.backoff import Patience
from cdp_runtime.settings import tls_context
from cdp_segments.sender.courier import Courier
from cdp_segments.sender.crew import Crew
from cdp_segments.sender.destinations import Destinations
from cdp_segments.sender.handlers import stages
from cdp_segments.sender.metrics import DELIVERIES
from cdp_segments.sender.posting import Poster
from cdp_segments.sender.signing import SecretFiles
from cdp_testkit import LocalBus
from webhook_receiver import Answers, Reply, Request

NAMES = UUID("6f0c6c1e-58a2-4c43-9a39-1f0f5ad0a003")
SECRET = "whsec_" + b64encode(b"a secret of thirty-two bytes, ok").decode()
HERE = ("127.0.0.1", "localhost")
QUICK = Patience(first_wait=5, longest_wait=60)


def person(name: str) -> UUID:
    return uuid5(NAMES, name)


def flip(
    who: str, version: int, *segments: str, member: bool = True, tenant: str = "demo", at: Any
) -> MembershipChanged:
    """Who entered (or left) which segments."""
    changes = tuple(
        MembershipChange(segment=name, segment_version=1, member=member, cause="event", effective_at=at)
        for name in segments
    )
    return MembershipChanged(
        tenant=tenant, id=derived_id(f"{who}-{version}-{tenant}", "test"), message_id=f"m-{version}",
        occurred_at=at, received_at=at, profile_id=person(who), version=version, changes=changes,
        memberships={}, computed_at=at,
    )  # fmt: skip


class Sending:
    """Destinations by definition, a bus, and the stages that the definitions call for."""

    def __init__(self, folder: Path, bus: LocalBus | None = None, ca: Path | None = None) -> None:
        self.bus = bus or LocalBus()
        self.folder = folder
        self.poster = Poster(tls_context(ca, None), HERE)
        (folder / "destination-shared").write_text(SECRET)
        self.start()

    def start(self) -> None:
        """As a new process would."""
        self.destinations = Destinations(HERE)
        self.crew = Crew(self.destinations, self._courier)
        self.bus.attach("segments-sender", stages(self.destinations), [self.destinations.table])
        self.look()

    def look(self) -> None:
        """Run the stages that are wanted now, as the line-up does."""
        self.bus.attach("segments-sender", self.crew.stages())

    def _courier(self, key: str) -> Courier:
        return Courier(
            key, destinations=self.destinations, poster=self.poster, secrets=SecretFiles(self.folder),
            clock=self.bus.clock, patience=QUICK,
        )  # fmt: skip

    async def define(self, name: str, url: str, **fields: Any) -> DestinationDefined:
        """Apply a definition; most of it has a default here."""
        given: dict[str, Any] = {
            "segments": ["s"],
            "secret": "shared",
            "owner": "them",
            "requests_per_second": 1000,
        }
        defined = DestinationDefined(tenant="demo", name=name, url=url, **given | fields)
        await self.bus.publish(DESTINATIONS_DEFINED, defined)
        self.look()
        return defined

    async def happens(self, *flips: MembershipChanged) -> None:
        await self.bus.publish(MEMBERSHIP_CHANGED, *flips)
        await self.bus.drain()

    def letters(self) -> list[dict[str, str]]:
        """What was set aside, by its headers."""
        records = self.bus.dead_letters(DELIVERIES_REQUESTED, "segments")
        return [{name: value.decode() for name, value in record.headers} for record in records]

    async def close(self) -> None:
        await self.poster.close()


def failing(times: int, reply: Reply) -> Answers:
    """Answers each flip badly so many times, then well."""
    seen: dict[str, int] = {}

    def answers(request: Request) -> Reply:
        seen[request.id] = seen.get(request.id, 0) + 1
        return reply if seen[request.id] <= times else Reply()

    return answers


def counted(outcome: str, name: str = "shop") -> float:
    return DELIVERIES.labels(f"demo/{name}", outcome)._value.get()


def real_now() -> datetime:
    """The wall's clock."""
    return datetime.now(UTC)

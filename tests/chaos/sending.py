"""Sends a story as product systems would: each lane in its order, again and again until it is acknowledged."""

from __future__ import annotations

import asyncio
import json
import time
from collections.abc import Awaitable, Callable, Iterable, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Final
from uuid import UUID

import httpx
from cdp_contracts.envelope import derived_id
from cdp_contracts.identities_v1 import UnmergeRequested
from cdp_contracts.topics import EVENTS_RECEIVED, UNMERGES_REQUESTED
from cdp_devstack.platform import PEPPER, TENANT, WRITE_KEY
from cdp_runtime.codec import encode
from cdp_runtime.failures import Away
from cdp_runtime.kafka_client import KafkaProducer
from cdp_runtime.pseudonyms import Pseudonymizer
from cdp_runtime.settings import KafkaSettings
from cdp_runtime.transport import Outgoing

from tests.chaos.story import Json, Lane, Story, Unmerge

PATIENCE_SECONDS: Final = 180
ANSWER_SECONDS: Final = 15
AGAIN_SECONDS: Final = 0.5
MOMENT_SECONDS: Final = 0.002  # two choices of one millisecond are a tie, in which the restriction is the later
PSEUDONYMS: Final = Pseudonymizer(PEPPER.encode())


class NeverAcknowledgedError(Exception):
    """Something was sent for minutes, and nobody ever took it; or it was refused for good."""


@dataclass
class Told:
    """How the sending went."""

    begun: datetime
    acknowledged: list[str] = field(default_factory=list)
    """Message ids, as often as a sending of them was acknowledged."""
    refusals: int = 0
    """How often it had to be tried again."""


class Sender:
    """Sends from one process. `edges` tells where the edge may be reached at this moment."""

    def __init__(self, kafka: KafkaSettings, edges: Callable[[], list[str]]) -> None:
        self._edges = edges
        self._producer = KafkaProducer(kafka)
        self._http = httpx.AsyncClient(auth=(WRITE_KEY, ""), timeout=ANSWER_SECONDS)

    async def tell(self, story: Story) -> Told:
        """Send everything at its time or later; returns when all of it is acknowledged."""
        now = datetime.now(UTC)
        told = Told(now.replace(microsecond=now.microsecond // 1000 * 1000))
        await self._all(story.lanes, told, time.monotonic())
        return told

    async def part(self, story: Story, whose: Callable[[str], Awaitable[UUID]]) -> None:
        """Ask for all unmerges; returns when the broker has them. `whose` tells the profile of a user."""
        now, deadline = datetime.now(UTC), time.monotonic() + PATIENCE_SECONDS
        requests = [request(unmerge, await whose(unmerge.user), now) for unmerge in story.unmerges]
        records = [encode(UNMERGES_REQUESTED, each, source="chaos", now=now) for each in requests]
        while not await self._written(records):
            if time.monotonic() > deadline:
                raise NeverAcknowledgedError(UNMERGES_REQUESTED.name)
            await asyncio.sleep(AGAIN_SECONDS)

    async def go_on(self, story: Story, told: Told) -> None:
        """Send the second act."""
        await self._all(story.later, told, time.monotonic() - story.turn / 1000)

    async def close(self) -> None:
        """Let go of the connections."""
        await self._http.aclose()
        await self._producer.close()

    async def _all(self, lanes: Iterable[Lane], told: Told, started: float) -> None:
        async with asyncio.TaskGroup() as telling:
            for lane in lanes:
                telling.create_task(self._lane(lane, told, started))

    async def _lane(self, lane: Lane, told: Told, started: float) -> None:
        for sending in lane.sendings:
            await asyncio.sleep(max(MOMENT_SECONDS, started + sending.at / 1000 - time.monotonic()))
            bodies = [event.body(told.begun) for event in sending.events]
            deadline = time.monotonic() + PATIENCE_SECONDS
            attempt = 0
            while not await self._sent(lane, bodies, attempt):
                attempt += 1
                told.refusals += 1
                if time.monotonic() > deadline:
                    raise NeverAcknowledgedError(f"{lane.name}: {[event.message_id for event in sending.events]}")
                await asyncio.sleep(AGAIN_SECONDS)
            told.acknowledged += [event.message_id for event in sending.events]

    async def _sent(self, lane: Lane, bodies: list[Json], attempt: int) -> bool:
        if lane.path == "http":
            return await self._over_http(bodies, attempt)
        values = [json.dumps({**body, "writeKey": WRITE_KEY}).encode() for body in bodies]
        return await self._written([Outgoing(EVENTS_RECEIVED.name, lane.name.encode(), v) for v in values])

    async def _written(self, records: Sequence[Outgoing]) -> bool:
        try:
            await self._producer.send(records)
        except Away:
            return False
        return True

    async def _over_http(self, bodies: list[Json], attempt: int) -> bool:
        edges = self._edges()
        try:
            answer = await self._http.post(f"{edges[attempt % len(edges)]}/v1/batch", json={"batch": bodies})
        except httpx.TransportError:
            return False
        if answer.status_code == httpx.codes.OK and "rejected" not in answer.json():
            return True
        if answer.status_code < 500:
            raise NeverAcknowledgedError(f"the edge answered {answer.status_code} {answer.text[:200]}")
        return False


def request(unmerge: Unmerge, profile: UUID, now: datetime) -> UnmergeRequested:
    """What somebody wants, as it is written."""
    return UnmergeRequested(
        tenant=TENANT, id=derived_id(unmerge.message_id, "requested"), message_id=unmerge.message_id,
        occurred_at=now, received_at=now, profile_id=profile, by="token-of-a-steward",
        groups=tuple(
            tuple(PSEUDONYMS.of(TENANT, "anonymous_id", device) for device in group) for group in unmerge.groups
        ),
    )  # fmt: skip

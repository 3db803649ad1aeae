"""Brings flips to one destination: in order, as fast as it wants them, again and again while it is worth it."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Final, Literal, Protocol
from uuid import UUID

from cdp_contracts.definitions_v1 import DestinationDefined
from cdp_contracts.deliveries_v1 import DeliveryRequested
from cdp_runtime.backoff import Patience
from cdp_runtime.clock import Clock

from cdp_segments.sender.deciding import Again, Answer, Delivered, Refused, judge
from cdp_segments.sender.destinations import Destinations
from cdp_segments.sender.metrics import DELIVERIES, OLDEST
from cdp_segments.sender.posting import Poster
from cdp_segments.sender.signing import NoSecret, signed

log: Final = logging.getLogger("cdp.sender")

PATIENCE: Final = Patience(first_wait=1.0, longest_wait=300.0)
NAP_SECONDS: Final = 1.0
NEVER: Final = datetime.min.replace(tzinfo=UTC)


class Secrets(Protocol):
    """Where secrets are."""

    def named(self, name: str) -> Sequence[bytes]:
        """The secrets of that name, the newest first; NoSecret if there is none."""
        ...


@dataclass(frozen=True, slots=True)
class Parcel:
    """What is to be delivered, and since when it waits."""

    request: DeliveryRequested
    since: datetime


@dataclass(frozen=True, slots=True)
class End:
    """What became of a parcel. Only what is dead-lettered has a reason."""

    outcome: Literal["delivered", "dead-lettered", "dropped"]
    reason: str = ""
    tries: int = 0


class Courier:
    """Delivers to one destination. Raises nothing for what the destination does; may be cancelled at any time."""

    def __init__(
        self,
        key: str,
        *,
        destinations: Destinations,
        poster: Poster,
        secrets: Secrets,
        clock: Clock,
        patience: Patience = PATIENCE,
    ) -> None:
        self.key = key
        self._destinations = destinations
        self._poster = poster
        self._secrets = secrets
        self._clock = clock
        self._patience = patience
        self._pending: dict[UUID, datetime] = {}
        self._door = asyncio.Lock()
        self._free_at = NEVER
        self._rests_until = NEVER
        self._failing = False
        OLDEST.labels(key).set_function(self.oldest_seconds)

    async def deliver(self, parcels: Sequence[Parcel]) -> list[tuple[Parcel, End]]:
        """Return when each is at its end. Of one person one after the other, in this order; of several at once."""
        self._pending = {parcel.request.id: parcel.since for parcel in parcels}
        lanes: dict[UUID, list[Parcel]] = {}
        for parcel in parcels:
            lanes.setdefault(parcel.request.flip.data.profile_id, []).append(parcel)
        places = asyncio.Semaphore(self._concurrency())
        try:
            async with asyncio.TaskGroup() as group:
                tasks = [group.create_task(self._lane(lane, places)) for lane in lanes.values()]
        finally:
            self._pending = {}
        return [end for task in tasks for end in task.result()]

    def oldest_seconds(self) -> float:
        """Age of the oldest parcel at hand; all that wait behind it are younger."""
        since = min(self._pending.values(), default=None)
        return max(0.0, (self._clock.now() - since).total_seconds()) if since else 0.0

    def _concurrency(self) -> int:
        destination = self._destinations.get(self.key)
        return destination.concurrency if destination else 1

    async def _lane(self, lane: Iterable[Parcel], places: asyncio.Semaphore) -> list[tuple[Parcel, End]]:
        ends: list[tuple[Parcel, End]] = []
        for parcel in lane:
            async with places:
                end = await self._bring(parcel)
            self._pending.pop(parcel.request.id, None)
            self._count(end.outcome)
            ends.append((parcel, end))
        return ends

    async def _bring(self, parcel: Parcel) -> End:
        tries, failure = 0, ""
        while destination := self._destinations.get(self.key):
            now = self._clock.now()
            if now - parcel.since > timedelta(seconds=destination.give_up_seconds):
                return End("dead-lettered", f"gave up after {failure}" if failure else "expired", tries)
            if not await self._turn_comes(destination):
                continue
            tries += 1
            match judge(await self._try(parcel.request, destination), self._clock.now()):
                case Delivered():
                    self._note(failure="")
                    return End("delivered", tries=tries)
                case Refused(reason):
                    self._note(reason)
                    return End("dead-lettered", reason, tries)
                case Again(failure, rest):
                    self._note(failure)
                    if tries >= destination.tries:
                        return End("dead-lettered", f"gave up after {failure}", tries)
                    self._count("retried")
                    await self._rest(destination, tries, rest)
        return End("dropped", tries=tries)

    async def _try(self, request: DeliveryRequested, destination: DestinationDefined) -> Answer:
        body = request.flip.model_dump_json().encode()
        try:
            secrets = self._secrets.named(destination.secret)
        except NoSecret:
            return Answer(failure="no-secret")
        headers = signed(str(request.id), body, secrets, self._clock.now())
        headers |= {"content-type": "application/json", "user-agent": "tessera-sender"}
        return await self._poster.post(destination.url, headers, body, destination.timeout_seconds)

    async def _turn_comes(self, destination: DestinationDefined) -> bool:
        """Wait for the next place in the rate; False if the definition changed or it rests meanwhile."""
        async with self._door:
            if not await self._until(max(self._free_at, self._rests_until), destination):
                return False
            now = self._clock.now()
            self._free_at = now + timedelta(seconds=1 / destination.requests_per_second)
            return self._rests_until <= now

    async def _rest(self, destination: DestinationDefined, tries: int, asked: float) -> None:
        """Before the next try of this flip; if the destination asks for a rest, nobody tries meanwhile."""
        now = self._clock.now()
        if asked:
            self._rests_until = max(self._rests_until, now + timedelta(seconds=asked))
        await self._until(now + timedelta(seconds=max(asked, self._patience.wait(tries - 1))), destination)

    async def _until(self, instant: datetime, destination: DestinationDefined) -> bool:
        """Whether the definition was the same all the time; a new one may have another address, or none."""
        while (left := (instant - self._clock.now()).total_seconds()) > 0:
            await self._clock.sleep(min(left, NAP_SECONDS))
            if self._destinations.get(self.key) != destination:
                self._free_at = self._rests_until = NEVER
                return False
        return True

    def _count(self, outcome: str) -> None:
        DELIVERIES.labels(self.key, outcome).inc()

    def _note(self, failure: str) -> None:
        """One line when a destination begins to fail and one when it is well again."""
        if bool(failure) != self._failing:
            self._failing = bool(failure)
            log.warning("destination %s %s", self.key, f"fails: {failure}" if failure else "takes flips again")

"""What the service keeps and where it writes: definitions, the memory for copies, the log of received events."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Sequence
from dataclasses import replace
from datetime import datetime
from typing import Final, Protocol

from cdp_contracts.definitions_v1 import SourceDefined, TrackingPlanDefined
from cdp_contracts.topics import EVENTS_RECEIVED, SOURCES_DEFINED, TRACKING_PLANS_DEFINED
from cdp_runtime.clock import Clock
from cdp_runtime.codec import encode
from cdp_runtime.failures import Away
from cdp_runtime.kafka_client import KafkaProducer
from cdp_runtime.settings import RedisSettings
from cdp_runtime.tables import AnyTable, GlobalTable
from cdp_runtime.transport import Headers, Outgoing
from redis.asyncio import Redis

from cdp_collector.domain.catalogue import Catalogue
from cdp_collector.domain.intake import Taken
from cdp_collector.domain.sightings import Sighting

log: Final = logging.getLogger("cdp.edge")

MOST_LATE: Final = 64


class Definitions:
    """The tables of sources and tracking plans, and the catalogue that they fill."""

    def __init__(self) -> None:
        self.catalogue = Catalogue()
        self._sources: GlobalTable[SourceDefined, SourceDefined] = GlobalTable.plain(
            SOURCES_DEFINED, required=True
        )
        self._plans: GlobalTable[TrackingPlanDefined, TrackingPlanDefined] = GlobalTable.plain(
            TRACKING_PLANS_DEFINED
        )
        self._sources.on_change(lambda key: self.catalogue.put_source(key, self._sources.get(key)))
        self._plans.on_change(lambda key: self.catalogue.put_plan(key, self._plans.get(key)))

    @property
    def tables(self) -> list[AnyTable]:
        """What a role has to follow."""
        return [self._sources, self._plans]

    @property
    def ready(self) -> bool:
        """Whether all was read to its end and there is a source."""
        return all(table.ready for table in self.tables)


class Dedup(Protocol):
    """Remembers where each message id was seen first."""

    async def claim(self, sightings: Sequence[Sighting | None]) -> list[bool]:
        """Whether each place is where its message id was seen first, in order; True where there is nothing to ask.

        Asking again from the same place gives the same answer.
        """
        ...

    async def ping(self) -> None:
        """Raise if the memory does not answer."""
        ...


class MemoryDedup:
    """A memory in this process."""

    def __init__(self, seconds: float, now: Callable[[], datetime]) -> None:
        self._seconds = seconds
        self._now = now
        self._first: dict[tuple[str, str], tuple[str, datetime]] = {}

    async def claim(self, sightings: Sequence[Sighting | None]) -> list[bool]:
        """See Dedup."""
        return [sighting is None or self._claim(sighting) for sighting in sightings]

    async def ping(self) -> None:
        """It is always there."""

    def forget(self) -> None:
        """Lose everything, as a Redis that was flushed."""
        self._first.clear()

    def _claim(self, sighting: Sighting) -> bool:
        key, now = (sighting.tenant, sighting.message_id), self._now()
        place, since = self._first.get(key, (sighting.place, now))
        if (now - since).total_seconds() >= self._seconds:
            place, since = sighting.place, now
        self._first[key] = place, since
        return place == sighting.place


class RedisDedup:
    """A memory in Redis 7 or Valkey: `<tenant>:seen:<hash of the message id>` holds the first place."""

    def __init__(self, settings: RedisSettings, seconds: int, pseudonym: Callable[[str, str, str], str]) -> None:
        self._seconds = seconds
        self._pseudonym = pseudonym
        self._redis: Redis = Redis.from_url(
            settings.url.get_secret_value(),
            socket_timeout=settings.timeout_seconds,
            socket_connect_timeout=settings.timeout_seconds,
        )

    async def claim(self, sightings: Sequence[Sighting | None]) -> list[bool]:
        """See Dedup. One round trip."""
        asked = [sighting for sighting in sightings if sighting]
        pipeline = self._redis.pipeline(transaction=False)
        for sighting in asked:
            key = self._key(sighting)
            pipeline.execute_command("SET", key, sighting.place, "NX", "GET", "EX", self._seconds, get=True)
        places = iter(await pipeline.execute() if asked else ())
        return [sighting is None or next(places) in (None, sighting.place.encode()) for sighting in sightings]

    async def ping(self) -> None:
        """Raise if Redis does not answer."""
        await self._redis.ping()

    async def close(self) -> None:
        """Disconnect."""
        await self._redis.aclose()

    def _key(self, sighting: Sighting) -> str:
        return f"{sighting.tenant}:seen:{self._pseudonym(sighting.tenant, 'message', sighting.message_id)}"


class EventLog(Protocol):
    """Where the edge writes events before it says yes."""

    async def append(self, events: Sequence[Taken], trace: Headers) -> None:
        """Return once every event is acknowledged.

        Raises Away if that cannot be had in time; then any part of them may have been written.
        """
        ...


class BrokerLog:
    """`events.received` on the broker.

    A send that takes too long is answered with Away but never broken off: it ends by itself, and its events
    may yet be written. While too many are still on their way, further ones are refused at once.
    """

    def __init__(self, producer: KafkaProducer, clock: Clock, *, source: str, seconds: float) -> None:
        self._producer = producer
        self._clock = clock
        self._source = source
        self._seconds = seconds
        self._late: set[asyncio.Task[None]] = set()

    async def append(self, events: Sequence[Taken], trace: Headers) -> None:
        """See EventLog."""
        if len(self._late) >= MOST_LATE:
            raise Away("earlier events are still on their way")
        now = self._clock.now()
        records = [self._record(taken, now, trace) for taken in events]
        sending = asyncio.create_task(self._producer.send(records))
        done, _ = await asyncio.wait({sending}, timeout=self._seconds)
        if not done:
            self._late.add(sending)
            sending.add_done_callback(self._arrived)
            raise Away("the broker did not acknowledge in time")
        await sending

    async def ping(self) -> None:
        """Raise Away if the broker does not answer."""
        await self._producer.ping()

    async def close(self) -> None:
        """Let what is on its way arrive, for a while."""
        if self._late:
            await asyncio.wait(self._late, timeout=self._seconds)

    def _arrived(self, sending: asyncio.Task[None]) -> None:
        self._late.discard(sending)
        if not sending.cancelled() and sending.exception() is not None:
            log.warning("late events were not stored: %s", type(sending.exception()).__name__)

    def _record(self, taken: Taken, now: datetime, trace: Headers) -> Outgoing:
        record = encode(EVENTS_RECEIVED, taken.event, source=self._source, now=now, trace=trace)
        return replace(record, key=taken.key.encode()) if taken.key else record


class MemoryLog:
    """Events in this process; `away` makes it refuse."""

    def __init__(self) -> None:
        self.events: list[Taken] = []
        self.traces: list[Headers] = []
        self.away = False

    async def append(self, events: Sequence[Taken], trace: Headers) -> None:
        """See EventLog."""
        if self.away:
            raise Away("told to")
        self.events.extend(events)
        self.traces.append(trace)

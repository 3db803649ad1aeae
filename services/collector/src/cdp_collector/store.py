"""What the service keeps and where it writes: definitions, the memory for copies, the log of received events."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Sequence
from datetime import datetime
from typing import Final, Protocol

from cdp_contracts.definitions_v1 import SourceDefined, TrackingPlanDefined
from cdp_contracts.topics import EVENTS_RECEIVED, SOURCES_DEFINED, TRACKING_PLANS_DEFINED
from cdp_runtime.clock import Clock
from cdp_runtime.codec import encode
from cdp_runtime.failures import Away
from cdp_runtime.kafka_client import KafkaProducer
from cdp_runtime.pseudonyms import Pseudonymizer
from cdp_runtime.redis_client import redis_client
from cdp_runtime.settings import RedisSettings
from cdp_runtime.tables import AnyTable, GlobalTable
from cdp_runtime.transport import Headers, Outgoing

from cdp_collector.domain.catalogue import Catalogue
from cdp_collector.domain.intake import Taken
from cdp_collector.domain.sightings import MOST_COPIES, Sighting

log: Final = logging.getLogger("cdp.edge")

MOST_LATE: Final = 64
MESSAGE: Final = "message"  # the kind of pseudonym that a message id has


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


COPY: Final = """
for i, key in ipairs(KEYS) do
  if redis.call('HLEN', key) < tonumber(ARGV[2]) then
    redis.call('HSET', key, ARGV[2 * i + 1], ARGV[2 * i + 2])
    redis.call('EXPIRE', key, ARGV[1])
  end
end
"""


CLAIM: Final = """
local names, found = tonumber(ARGV[2]), {}
for i = 1, #KEYS / names do
  local current, place = (i - 1) * names + 1, false
  for key = current + 1, current + names - 1 do
    place = place or redis.call('GET', KEYS[key])
  end
  local known = redis.call('SET', KEYS[current], ARGV[i + 2], 'NX', 'GET', 'EX', ARGV[1])
  place = place or known
  if place then
    found[#found + 1] = i - 1
    found[#found + 1] = place
  end
end
return found
"""


class Dedup(Protocol):
    """Remembers where each message id was seen first, and for receipts where its first hundred copies were."""

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
        self.copies: dict[tuple[str, str], dict[str, str]] = {}

    async def claim(self, sightings: Sequence[Sighting | None]) -> list[bool]:
        """See Dedup."""
        return [sighting is None or self._claim(sighting) for sighting in sightings]

    async def ping(self) -> None:
        """It is always there."""

    def forget(self) -> None:
        """Lose everything, as a Redis that was flushed."""
        self._first.clear()
        self.copies.clear()

    def place(self, tenant: str, message_id: str) -> str | None:
        """Where a message id was seen first."""
        place, _ = self._first.get((tenant, message_id), (None, None))
        return place

    def _claim(self, sighting: Sighting) -> bool:
        key, now = (sighting.tenant, sighting.message_id), self._now()
        place, since = self._first.get(key, (sighting.place, now))
        if (now - since).total_seconds() >= self._seconds:
            place, since = sighting.place, now
        self._first[key] = place, since
        copies = self.copies.setdefault(key, {})
        if place != sighting.place and len(copies) < MOST_COPIES:
            copies[sighting.place] = place
        return place == sighting.place


class RedisDedup:
    """A memory in Redis 7 or Valkey: `<tenant>:seen:<hash of the message id>` holds the first place.

    `<tenant>:copies:<hash>` holds the places of copies, each with the first place; most events have none.
    """

    def __init__(self, settings: RedisSettings, seconds: int, pseudonyms: Pseudonymizer) -> None:
        self._seconds = seconds
        self._pseudonyms = pseudonyms
        self._redis = redis_client(settings)
        self._claim = self._redis.register_script(CLAIM)
        self._copy = self._redis.register_script(COPY)

    async def claim(self, sightings: Sequence[Sighting | None]) -> list[bool]:
        """See Dedup. One round trip, and one more where there are copies."""
        asked = [sighting for sighting in sightings if sighting]
        places = await self._places(asked) if asked else []
        firsts = [place in (None, s.place.encode()) for s, place in zip(asked, places, strict=True)]
        copies = [(s, place) for s, place, first in zip(asked, places, firsts, strict=True) if place and not first]
        if copies:
            keys = [copies_key(s.tenant, self._pseudonyms.of(*named(s))) for s, _ in copies]
            found = [text for s, first in copies for text in (s.place, first)]
            await self._copy(keys=keys, args=[self._seconds, MOST_COPIES, *found])
        answers = iter(firsts)
        return [sighting is None or next(answers) for sighting in sightings]

    async def _places(self, sightings: Sequence[Sighting]) -> list[bytes | None]:
        """Where each was seen first, under a former pepper rather than under the current one; None: here."""
        names = [self._pseudonyms.all_of(*named(sighting)) for sighting in sightings]
        keys = [seen_key(s.tenant, n) for s, known_by in zip(sightings, names, strict=True) for n in known_by]
        places = [sighting.place for sighting in sightings]
        answer = await self._claim(keys=keys, args=[self._seconds, len(names[0]), *places])
        found = dict(zip(answer[::2], answer[1::2], strict=True))
        return [found.get(n) for n in range(len(sightings))]

    async def ping(self) -> None:
        """Raise if Redis does not answer."""
        await self._redis.ping()

    async def close(self) -> None:
        """Disconnect."""
        await self._redis.aclose()


def named(sighting: Sighting) -> tuple[str, str, str]:
    """What the pseudonym of its message id is made of."""
    return sighting.tenant, MESSAGE, sighting.message_id


def seen_key(tenant: str, message: str) -> str:
    """Where the first place of a message id, given by its pseudonym, stands in Redis."""
    return f"{tenant}:seen:{message}"


def copies_key(tenant: str, message: str) -> str:
    """Where the places of its copies stand in Redis."""
    return f"{tenant}:copies:{message}"


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
        return record._replace(key=taken.key.encode()) if taken.key else record


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

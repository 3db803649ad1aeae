"""The store under the writer by the number of profiles: an event through load, apply and save, and a lookup."""

from __future__ import annotations

import random
import time
from collections.abc import Awaitable, Callable, Sequence
from datetime import UTC, datetime
from statistics import median
from typing import Any, Final
from uuid import UUID, uuid5

from bson.codec_options import CodecOptions
from bson.raw_bson import RawBSONDocument
from cdp_contracts.events_v1 import Decision, Event, EventResolved
from cdp_devstack.servers import Stack
from cdp_profiles.domain.limits import Limits
from cdp_profiles.domain.profile import record_id
from cdp_profiles.domain.updating import update
from cdp_profiles.store import MongoProfileStore
from cdp_runtime.pseudonyms import Pseudonymizer
from cdp_runtime.settings import MongoSettings
from motor.motor_asyncio import AsyncIOMotorClient

from tests.bench.report import Row, spread

TENANT: Final = "bench"
PREFIX: Final = "bench"
SIZES: Final = (10_000, 100_000, 1_000_000)
CHUNK: Final = 10_000
BATCH: Final = 100
BATCHES: Final = 40
LOOKUPS: Final = 500
ROUNDS: Final = 3
SPACE: Final = UUID(int=5)
DECISION: Final = Decision(purposes=("analytics",), jurisdiction="EU", policy="default", policy_version=1)


class Crowd:
    """Ever more people in one store."""

    def __init__(self, stack: Stack) -> None:
        pepper = Pseudonymizer(b"a pepper for benchmarks")
        self._store = MongoProfileStore(MongoSettings(url=stack.mongo, database_prefix=PREFIX), pepper)
        self._documents: Any = AsyncIOMotorClient(stack.mongo)[f"{PREFIX}_profiles"]["profiles"]
        self._raw = self._documents.with_options(CodecOptions(document_class=RawBSONDocument))
        self._dice = random.Random(3)
        self._events = 0
        self._size = 0

    async def grow(self, size: int) -> None:
        """Until there are so many: copies of the first one, whose events came as all others come."""
        if self._size == 0:
            for _ in range(10):
                await self._through([0])
            self._size = 1
        pattern = (await self._raw.find_one({"_id": person(0)})).raw
        for start in range(self._size, size, CHUNK):
            numbers = range(start, min(size, start + CHUNK))
            await self._raw.insert_many([RawBSONDocument(copied(pattern, n)) for n in numbers], ordered=False)
        self._size = size

    async def batch(self) -> float:
        """Microseconds an event of a batch for people drawn from all."""
        numbers = [self._dice.randrange(self._size) for _ in range(BATCH)]
        return await timed(lambda: self._through(numbers)) / BATCH

    async def lookup(self) -> float:
        """Microseconds until one record is read by its id."""
        number = self._dice.randrange(self._size)
        return await timed(lambda: self._documents.find_one({"_id": person(number)}))

    async def _through(self, numbers: Sequence[int]) -> None:
        people = await self._store.load(person(n) for n in numbers)
        for number in numbers:
            self._events += 1
            update(people, event(number, self._events), Limits(), datetime.now(UTC))
        await self._store.save(people)


async def rows(stack: Stack) -> list[Row]:
    """Both figures at every size."""
    crowd = Crowd(stack)
    found: list[Row] = []
    for size in SIZES:
        await crowd.grow(size)
        print(f"    {size:,} profiles", flush=True)
        rounds = [median([await crowd.batch() for _ in range(BATCHES)]) for _ in range(ROUNDS)]
        found.append(Row(f"load, apply, save among {size:,} profiles", median(rounds), "us/event", spread(rounds)))
        lookups = sorted([await crowd.lookup() for _ in range(LOOKUPS)])
        p95 = lookups[int(0.95 * LOOKUPS)]
        found.append(Row(f"lookup among {size:,} profiles, p95", p95, "us", f"p50 {median(lookups):,.0f}"))
    return found


async def timed(action: Callable[[], Awaitable[Any]]) -> float:
    """Microseconds."""
    started = time.perf_counter()
    await action()
    return 1e6 * (time.perf_counter() - started)


def copied(document: bytes, number: int) -> bytes:
    """The first one's document as that of another person: all names of it are as long."""
    ids = str(uuid5(SPACE, "0")).encode(), str(uuid5(SPACE, str(number))).encode()
    return document.replace(*ids).replace(f"{0:032x}".encode(), f"{number:032x}".encode())


def person(number: int) -> str:
    """The id of a person's record."""
    return record_id(TENANT, uuid5(SPACE, str(number)))


def event(number: int, n: int) -> EventResolved:
    """The n-th event, of that person."""
    now = datetime.now(UTC)
    return EventResolved(
        tenant=TENANT, id=uuid5(SPACE, f"event {n}"), message_id=f"m{n}", occurred_at=now, received_at=now,
        subject=f"{number:032x}", source="web-shop", decision=DECISION, profile_id=uuid5(SPACE, str(number)),
        part=f"{number:032x}",
        event=Event(type="track", name=f"Event {n % 7}", anonymous_id="visitor", traits={}),
    )  # fmt: skip

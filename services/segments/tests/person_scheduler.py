"""A scheduler that drives the evaluator's real handlers as coroutines, one worker a partition.

It switches between them, or kills one, at each single document they read or write and each message they tell. What
was not committed comes again.
"""

from __future__ import annotations

import random
import types
from collections.abc import Coroutine, Iterable, Mapping
from datetime import datetime, timedelta

from cdp_contracts.computed_v1 import TraitsComputed
from cdp_contracts.profiles_v1 import ProfileUpdated
from cdp_contracts.segments_v1 import MembershipChanged
from cdp_contracts.topics import MEMBERSHIP_CHANGED, TRAITS_COMPUTED
from cdp_runtime.batch import Batch, Tick
from cdp_runtime.failures import Conflict
from cdp_runtime.transport import Incoming
from cdp_segments.catalogs import Catalogs
from cdp_segments.domain.catalog import Catalog
from cdp_segments.domain.person import Person
from cdp_segments.domain.telling import milliseconds_of
from cdp_segments.handlers import evaluate, fire_timers
from cdp_segments.store import MemoryPersonStore, save_in_order, with_targets
from cdp_segments.timers import MemoryTimers

PARTITIONS = 3
EMITS = [MEMBERSHIP_CHANGED, TRAITS_COMPUTED]
STEP = timedelta(seconds=2)


@types.coroutine
def switch():
    """Here another worker may go on."""
    yield


class SwitchingRecords:
    """Records of which each is read and written by itself, at a time of the scheduler's choice."""

    def __init__(self, records):
        self.records = records

    async def load(self, ids: Iterable[str]) -> dict[str, Person]:
        found = {}
        for record in dict.fromkeys(ids):
            await switch()
            found |= await self.records.load([record])
        return found

    async def save(self, people: Mapping[str, Person]) -> None:
        lost = False
        for record in people.values():
            if record.changed:
                await switch()
                try:
                    await self.records.save({record.id: record})
                except Conflict:
                    lost = True
        if lost:
            raise Conflict


class SwitchingStore(MemoryPersonStore):
    """People, read and written like that."""

    async def load(self, ids: Iterable[str]) -> dict[str, Person]:
        return await with_targets(SwitchingRecords(self.records), ids)

    async def save(self, people: Mapping[str, Person]) -> None:
        await save_in_order(SwitchingRecords(self.records), people)


class OneCatalog(Catalogs):
    """The segments of everybody."""

    def __init__(self, catalog: Catalog) -> None:
        super().__init__()
        self.catalog = catalog

    def of(self, tenant: str) -> Catalog:
        return self.catalog


class Schedule:
    """Logs of updates, one a partition, each handled in its order; the workers take turns at will."""

    def __init__(self, catalog: Catalog, seed: int, start: datetime) -> None:
        self.random = random.Random(seed)
        self.catalogs = OneCatalog(catalog)
        self.people, self.timers = SwitchingStore(), MemoryTimers()
        self.start = start
        self.logs: list[list[ProfileUpdated]] = [[] for _ in range(PARTITIONS)]
        self.committed = [0] * PARTITIONS
        self.told: list[MembershipChanged] = []
        self.computed: list[TraitsComputed] = []

    def play(self) -> None:
        workers: dict[int, Coroutine] = {}
        while waiting := [p for p in range(PARTITIONS) if p in workers or self.committed[p] < len(self.logs[p])]:
            partition = self.random.choice(waiting)
            if partition not in workers:
                workers[partition] = self.work(partition)
            if self.random.random() < 0.03:  # kill -9
                workers.pop(partition).close()
                continue
            try:
                workers[partition].send(None)
            except StopIteration:
                del workers[partition]
        self.to_the_end(self.tick_all(self.at(1000)))

    def at(self, offset: int) -> datetime:
        return self.start + offset * STEP

    def to_the_end(self, coroutine: Coroutine) -> None:
        try:
            while True:
                coroutine.send(None)
        except StopIteration:
            pass

    async def work(self, partition: int) -> None:
        first = self.committed[partition]
        last = min(len(self.logs[partition]), first + self.random.randint(1, 4))
        now = self.at(last)
        incoming = [
            (self.logs[partition][n], Incoming("t", partition, n, self.at(n), None, None))
            for n in range(first, last)
        ]
        while True:
            batch = Batch(incoming, EMITS, now)
            try:
                await evaluate(batch, self.catalogs, self.people, self.timers)
                break
            except Conflict:
                await switch()
        await self.send(batch)
        self.committed[partition] = last
        if self.random.random() < 0.3:
            await self.tick(now, {partition: self.at(last - 1)})

    async def send(self, source: Batch | Tick) -> None:
        for emitted in source.outbox.emitted:
            await switch()  # killed here, it is told again
            told = self.told if isinstance(emitted.message, MembershipChanged) else self.computed
            told.append(emitted.message)
        await switch()

    async def tick(self, now: datetime, watermarks: Mapping[int, datetime]) -> bool:
        tick = Tick(now, watermarks, EMITS)
        try:
            await fire_timers(tick, self.catalogs, self.people, self.timers)
            await self.send(tick)
            for action in tick.acknowledged:
                await action()
        except Conflict:
            return True
        until = {partition: milliseconds_of(mark) for partition, mark in watermarks.items()}
        return bool(tick.outbox.emitted or await self.timers.due(until, 1))

    async def tick_all(self, now: datetime) -> None:
        while await self.tick(now, dict.fromkeys(range(PARTITIONS), now)):
            pass

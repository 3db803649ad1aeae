"""A scheduler that drives the writer's real handlers as coroutines.

It switches between them, or kills one, at each single document they read or write.
"""

from __future__ import annotations

import random
import types
from collections.abc import Coroutine, Iterable, Mapping
from datetime import timedelta

from cdp_contracts.topics import PROFILES_UPDATED
from cdp_profiles.domain.history import Bounds
from cdp_profiles.domain.limits import Limits
from cdp_profiles.domain.profile import Profile
from cdp_profiles.handlers import absorb_profiles, keep_histories, part_profiles, update_profiles
from cdp_profiles.histories import MemoryHistories
from cdp_profiles.store import MemoryProfileStore, with_targets
from cdp_runtime.batch import Batch
from cdp_runtime.failures import Conflict
from cdp_runtime.transport import Incoming


@types.coroutine
def switch():
    """Here another writer may go on."""
    yield


class SwitchingReads:
    """Reads that are no snapshot."""

    def __init__(self, records):
        self.records = records

    async def load(self, ids):
        found = {}
        for record in dict.fromkeys(ids):
            await switch()
            found |= await self.records.load([record])
        return found


class SwitchingStore(MemoryProfileStore):
    """A store whose every document is read and written by itself, at a time of the scheduler's choice."""

    async def load(self, ids: Iterable[str]) -> dict[str, Profile]:
        return await with_targets(SwitchingReads(self.records), ids)

    async def save(self, people: Mapping[str, Profile]) -> None:
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


async def kept_of(facts, now) -> MemoryHistories:
    """What the historian keeps of these updates, in this order."""
    histories = MemoryHistories()
    incoming = [(fact, Incoming("t", 0, n, now, None, None)) for n, fact in enumerate(facts)]
    await keep_histories(Batch(incoming, [], now), histories, Bounds())
    return histories


class Schedule:
    """Messages in `queue`, handled in any order by up to three writers at once. What they emit is `tell`-ed."""

    random: random.Random
    store: SwitchingStore
    queue: list
    now: object

    def tell(self, fact):
        raise NotImplementedError

    def play(self):
        writers: list[tuple[Coroutine, list]] = []
        while self.queue or writers:
            if self.queue and (len(writers) < 3 or not writers) and self.random.random() < 0.5:
                writers.append(self.writer())
            if not writers:
                continue
            turn = self.random.randrange(len(writers))
            coroutine, messages = writers[turn]
            if self.random.random() < 0.03:  # kill -9: what was not committed comes again
                coroutine.close()
                self.queue += messages
                del writers[turn]
                continue
            try:
                coroutine.send(None)
            except StopIteration:
                del writers[turn]

    def writer(self):
        first = self.queue.pop()
        messages = [first]
        while self.queue and type(self.queue[-1]) is type(first) and self.random.random() < 0.6:
            messages.append(self.queue.pop())
        return self.run(messages), messages

    async def run(self, messages):
        self.now += timedelta(seconds=1)
        incoming = [(m, Incoming("t", 0, n, self.now, None, None)) for n, m in enumerate(messages)]
        while True:
            batch = Batch(incoming, [PROFILES_UPDATED], self.now)
            try:
                if hasattr(messages[0], "absorbed"):
                    await absorb_profiles(batch, self.store)
                elif hasattr(messages[0], "partings"):
                    await part_profiles(batch, self.store)
                else:
                    await update_profiles(batch, self.store, Limits())
            except Conflict:
                await switch()
                continue
            break
        for emitted in batch.outbox.emitted:
            self.tell(emitted.message)
            await switch()  # killed here, it is told again

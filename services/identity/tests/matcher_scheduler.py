"""Drives the matcher's real handlers as coroutines.

It switches between them, or kills one, at each single document they read or write.
"""

from __future__ import annotations

import random
import types
from collections.abc import Coroutine, Iterable, Mapping
from datetime import datetime, timedelta
from typing import Any

from cdp_contracts.matches_v1 import MatchDecided
from cdp_contracts.topics import MATCHES_DECIDED, MATCHES_PROPOSED
from cdp_identity.matcher.handlers import absorb_people, match_people, part_people, settle_pairs
from cdp_identity.matcher.matcher import Matcher
from cdp_identity.matcher.store import MatcherStore, memory_store
from cdp_runtime.batch import Batch
from cdp_runtime.failures import Conflict
from cdp_runtime.transport import Incoming


@types.coroutine
def switch() -> Any:
    """Here another worker may go on."""
    yield


class SwitchingRecords:
    """Records of which every document is read and written by itself, at a time of the scheduler's choice."""

    def __init__(self, records: Any) -> None:
        self.records = records

    async def load(self, ids: Iterable[str]) -> dict[str, Any]:
        found: dict[str, Any] = {}
        for record in dict.fromkeys(ids):
            await switch()
            found |= await self.records.load([record])
        return found

    async def save(self, records: Mapping[str, Any]) -> None:
        lost = False
        for record in records.values():
            if record.changed:
                await switch()
                try:
                    await self.records.save({record.id: record})
                except Conflict:
                    lost = True
        if lost:
            raise Conflict

    async def about(self, tenant: str, profiles: Iterable[str]) -> list[Any]:
        await switch()
        return await self.records.about(tenant, profiles)


def switching_store() -> tuple[MatcherStore, MatcherStore]:
    """A store in memory, and the same as workers see it."""
    kept = memory_store()
    seen = (SwitchingRecords(records) for records in (kept.entries, kept.blocks, kept.counters, kept.pairs))
    return kept, MatcherStore(*seen)  # type: ignore[arg-type]


def stopped(work: Coroutine[Any, Any, Any], after: int) -> bool:
    """Let a worker of a switching store read and write so many documents, then kill it; False if it was done."""
    try:
        for _ in range(after + 1):
            work.send(None)
    except StopIteration:
        return False
    work.close()
    return True


class Schedule:
    """Messages in `queue`, handled in any order by up to three workers at once. What they emit is `tell`-ed."""

    random: random.Random
    matcher: Matcher
    queue: list[Any]
    now: datetime

    def tell(self, fact: Any) -> None:
        raise NotImplementedError

    def play(self) -> None:
        workers: list[tuple[Coroutine[Any, Any, None], list[Any]]] = []
        while self.queue or workers:
            if self.queue and (len(workers) < 3 or not workers) and self.random.random() < 0.5:
                workers.append(self.worker())
            if not workers:
                continue
            turn = self.random.randrange(len(workers))
            coroutine, messages = workers[turn]
            if self.random.random() < 0.01:  # kill -9: what was not committed comes again
                coroutine.close()
                self.queue += messages
                del workers[turn]
                continue
            try:
                coroutine.send(None)
            except StopIteration:
                del workers[turn]

    def worker(self) -> tuple[Coroutine[Any, Any, None], list[Any]]:
        first = self.queue.pop()
        messages = [first]
        while self.queue and type(self.queue[-1]) is type(first) and self.random.random() < 0.6:
            messages.append(self.queue.pop())
        return self.run(messages), messages

    async def run(self, messages: list[Any]) -> None:
        self.now += timedelta(seconds=1)
        incoming = [(m, Incoming("t", 0, n, self.now, None, None)) for n, m in enumerate(messages)]
        while True:
            batch: Batch[Any] = Batch(incoming, [MATCHES_PROPOSED, MATCHES_DECIDED], self.now)
            try:
                await self.handle(messages[0], batch)
            except Conflict:
                await switch()
                continue
            break
        for emitted in batch.outbox.emitted:
            self.tell(emitted.message)
            await switch()  # killed here, it is told again

    async def handle(self, message: Any, batch: Batch[Any]) -> None:
        if hasattr(message, "absorbed"):
            await absorb_people(batch, self.matcher.groups)
        elif hasattr(message, "partings"):
            await part_people(batch, self.matcher.groups)
        elif isinstance(message, MatchDecided):
            await settle_pairs(batch, self.matcher)
        else:
            await match_people(batch, self.matcher)

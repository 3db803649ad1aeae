"""The identity graph: events a second by what they name, and by how many identifiers there are.

In process the store is a dictionary: what is measured is our own time. On the document server every batch
begins with an empty cache, so that each identifier is looked up among all. The stage is the whole resolver on an
in-memory bus: decode, resolve, encode. `python -m tests.bench identity` prints the rows.
"""

from __future__ import annotations

import time
from collections.abc import Awaitable, Callable, Sequence
from datetime import UTC, datetime, timedelta
from itertools import count
from statistics import median
from typing import Final
from uuid import UUID, uuid5

from cdp_contracts.events_v1 import Decision, Event, EventPermitted
from cdp_contracts.topics import EVENTS_PERMITTED
from cdp_devstack.servers import Stack
from cdp_identity.domain.facts import facts
from cdp_identity.domain.sightings import sighting_of
from cdp_identity.handlers import stages
from cdp_identity.store import GraphStore, IdentityGraph, MemoryGraphStore, Pointer
from cdp_identity.store.mongo import MongoGraphStore
from cdp_runtime.pseudonyms import Pseudonymizer
from cdp_runtime.settings import MongoSettings
from cdp_testkit import LocalBus

from tests.bench.report import Row, spread

SIZES: Final = (10_000, 100_000, 1_000_000, 5_000_000)
MOST_SECONDS: Final = 300  # of filling the store: sizes that would take longer are left out, and it says so
CHUNK: Final = 10_000
EACH: Final = 3  # identifiers a person: user id, address, visitor id
BATCH: Final = 500
BATCHES: Final = 6
MIXES: Final = {"known": (0.0, 0.0), "20 % new": (0.2, 0.0), "20 % new, 5 % merging": (0.2, 0.05)}
START: Final = datetime(2026, 1, 5, tzinfo=UTC)
SPACE: Final = UUID(int=6)
PSEUDONYMS: Final = Pseudonymizer(b"a pepper for benchmarks")
DECISION: Final = Decision(purposes=("analytics",), jurisdiction="EU", policy="default", policy_version=1)


class Town:
    """So many people whom the graph knows, and events of them, of newcomers, and of visitors who log in."""

    def __init__(self) -> None:
        self._numbers = count()
        self._visitors = count()
        self._newcomers = count(1_000_000_000)
        self.people = 0

    async def grow(self, store: GraphStore, people: int, until: float) -> bool:
        """Store so many people as the graph would have made them; False if the time was up before."""
        for start in range(self.people, people, CHUNK // EACH):
            if time.monotonic() > until:
                return False
            numbers = range(start, min(people, start + CHUNK // EACH))
            seen = [sighting_of(self.event(number), PSEUDONYMS) for number in numbers]
            born = [s.newborn(s.first).claiming(s.identifiers[1:], s.seen_at) for s in seen]
            await store.add_entities(born)
            await store.add_pointers([
                Pointer(identifier, "bench", entity.id)
                for sighting, entity in zip(seen, born, strict=True)
                for identifier in sighting.identifiers
            ])  # fmt: skip
            self.people = numbers.stop
        return True

    def event(self, person: int, visitor: str = "") -> EventPermitted:
        """One of theirs."""
        number = next(self._numbers)
        at = START + timedelta(milliseconds=number)
        device = visitor or f"visitor-{person}"
        return EventPermitted(
            tenant="bench", id=uuid5(SPACE, str(number)), message_id=f"m{number}", occurred_at=at, received_at=at,
            subject=PSEUDONYMS.of("bench", "anonymous_id", device), source="web-shop", decision=DECISION,
            event=Event(
                type="track", name="Product Viewed", user_id=f"user-{person}", anonymous_id=device,
                traits={"email": f"person{person}@bench.org"},
            ),
        )  # fmt: skip

    async def batch(self, graph: IdentityGraph, new: float, merging: float) -> list[EventPermitted]:
        """Spread over all; who is to be merged has been seen alone before."""
        joined = [f"stranger-{next(self._visitors)}" for _ in range(round(BATCH * merging))]
        alone = [self.event(0, name) for name in joined]
        seen = [sighting_of(e.model_copy(update={"event": lone(e)}), PSEUDONYMS) for e in alone]
        if seen:
            await graph.resolve(seen)
        fresh = [self.event(next(self._newcomers)) for _ in range(round(BATCH * new))]
        steps = self.people // BATCH or 1
        offset = next(self._numbers) * 7919
        known = [self.event((n * steps + offset) % self.people) for n in range(BATCH - len(fresh) - len(joined))]
        users = [self.event((n * 31 + offset) % self.people, name) for n, name in enumerate(joined)]
        return [*known, *fresh, *users]


def lone(event: EventPermitted) -> Event:
    """The same event before anybody logged in."""
    return event.event.model_copy(update={"user_id": None, "traits": {}})


async def resolved(graph: IdentityGraph, batch: Sequence[EventPermitted]) -> None:
    """From events to facts."""
    told = await graph.resolve([sighting_of(event, PSEUDONYMS) for event in batch])
    for event, resolution in zip(batch, told, strict=True):
        facts(event, resolution)


async def in_process() -> list[Row]:
    """Our own time, by what the events name."""
    found: list[Row] = []
    for mix, (new, merging) in MIXES.items():
        store, town = MemoryGraphStore(), Town()
        await town.grow(store, 10_000 // EACH, time.monotonic() + MOST_SECONDS)
        graph = IdentityGraph(store)
        rates = []
        for _ in range(BATCHES):
            batch = await town.batch(graph, new, merging)
            started = time.process_time()
            await resolved(graph, batch)
            rates.append(len(batch) / (time.process_time() - started))
        found.append(Row(f"identity in process, {mix}", median(rates), "events/s", spread(rates)))
    return found


async def through_the_stage(store: GraphStore, town: Town) -> Row:
    """The resolver on an in-memory bus, over the real store."""
    graph = IdentityGraph(store)
    bus = LocalBus()
    bus.max_records = BATCH
    bus.attach("identity-resolver", stages(graph, PSEUDONYMS))
    rates = []
    for _ in range(BATCHES):
        await bus.publish(EVENTS_PERMITTED, *(await town.batch(graph, 0.2, 0.0)))
        rates.append(BATCH / await seconds(bus.drain))
    return Row("identity stage, 20 % new", median(rates), "events/s", spread(rates))


async def rows(stack: Stack, sizes: Sequence[int] = SIZES) -> list[Row]:
    """In process, then by size on the server, then the stage."""
    found = await in_process()
    store = MongoGraphStore(MongoSettings(url=stack.mongo, database_prefix="bench"))
    await store.migrate()
    town, until = Town(), time.monotonic() + MOST_SECONDS
    for size in sizes:
        if not await town.grow(store, size // EACH, until):
            print(
                f"    {size:,} identifiers and more left out: the store is filled for {MOST_SECONDS} s", flush=True
            )
            break
        print(f"    {size:,} identifiers", flush=True)
        for mix, (new, merging) in MIXES.items():
            rates = [await one_batch(store, town, new, merging) for _ in range(BATCHES)]
            found.append(Row(f"identity among {size:,} ids, {mix}", median(rates), "events/s", spread(rates)))
    found.append(await through_the_stage(store, town))
    await store.close()
    return found


async def one_batch(store: GraphStore, town: Town, new: float, merging: float) -> float:
    """Events a second, all round trips included, by a worker that remembers nothing."""
    graph = IdentityGraph(store, cache_size=0)
    batch = await town.batch(graph, new, merging)
    return len(batch) / await seconds(lambda: resolved(graph, batch))


async def seconds(action: Callable[[], Awaitable[object]]) -> float:
    """How long it takes."""
    started = time.perf_counter()
    await action()
    return time.perf_counter() - started

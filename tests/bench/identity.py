"""The identity graph: events a second by what they name, and by how many identifiers there are.

In process the store is a dictionary: what is measured is our own time. On the document server there is a database
for each size; they take turns within each round, so that all meet the same machine, and every batch begins with an
empty cache, so that each identifier is looked up among all. The bare driver asks the same questions and stores
the documents that the graph would make of as many newcomers, with the same indexes: what grows there with the
number of identifiers is the server's. `python -m tests.bench identity` prints the rows; `identity_stage.py` has
the resolver on Kafka.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass
from itertools import product
from statistics import median
from typing import Any, Final, TypeAlias

from cdp_contracts.events_v1 import EventPermitted
from cdp_devstack.servers import Stack
from cdp_identity.domain.facts import facts
from cdp_identity.store import IdentityGraph, MemoryGraphStore
from cdp_identity.store.documents import link_document
from cdp_identity.store.mongo import ENDS, MongoGraphStore
from cdp_runtime.mongo import found
from cdp_runtime.settings import MongoSettings
from motor.motor_asyncio import AsyncIOMotorClient, AsyncIOMotorDatabase
from pymongo import ASCENDING

from tests.bench.cpu import seconds_of
from tests.bench.report import Row, spread
from tests.bench.town import EACH, Town, documents_made_of, fill, is_newcomer, sightings

SIZES: Final = (10_000, 100_000, 5_000_000)
BATCH: Final = 500
ROUNDS: Final = 8
MOST_SECONDS: Final = 120  # of storing people; when they are over, the largest size is what there is by then
LINKS: Final = 5_000
MIXES: Final = {"known": (0.0, 0.0), "20 % new": (0.2, 0.0), "20 % new, 5 % merging": (0.2, 0.05)}

Database: TypeAlias = AsyncIOMotorDatabase[Any]
Event: TypeAlias = EventPermitted
Documents: TypeAlias = Mapping[str, Sequence[dict[str, Any]]]  # by collection


@dataclass(frozen=True, slots=True)
class Place:
    """A town and where it is stored; `pid` is the server's."""

    town: Town
    store: MongoGraphStore
    database: Database
    pid: int


@dataclass(frozen=True, slots=True)
class Turn:
    """What one batch took: seconds of the clock, of ours and the server's CPU; and seconds of the bare driver."""

    clock: float
    cpu: float
    bare: float


async def resolved(graph: IdentityGraph, batch: Sequence[Event]) -> None:
    """From events to facts."""
    told = await graph.resolve(sightings(batch))
    for event, resolution in zip(batch, told, strict=True):
        facts(event, resolution)


async def in_process() -> list[Row]:
    """Our own time, by what the events name."""
    rows: list[Row] = []
    for mix, shares in MIXES.items():
        graph, town = IdentityGraph(MemoryGraphStore()), Town(SIZES[0] // EACH)
        for start in range(0, town.people, BATCH):
            await graph.resolve(sightings(town.event(n) for n in range(start, min(town.people, start + BATCH))))
        rates = []
        for _ in range(ROUNDS):
            batch, before = town.batch(BATCH, *shares)
            await graph.resolve(sightings(before))
            started = time.process_time()
            await resolved(graph, batch)
            rates.append(BATCH / (time.process_time() - started))
        rows.append(Row(f"identity in process, {mix}", median(rates), "events/s", spread(rates)))
    return rows


async def rows(stack: Stack, sizes: Sequence[int] = SIZES) -> list[Row]:
    """In process, then by size on the server."""
    told = await in_process()
    pid = stack.server("mongo").pid or 0
    client: AsyncIOMotorClient[Any] = AsyncIOMotorClient(stack.mongo)
    places: dict[int, Place] = {}
    until = time.monotonic() + MOST_SECONDS
    for size in sizes:
        store = MongoGraphStore(MongoSettings(url=stack.mongo, database_prefix=f"bench{size}"))
        await store.migrate()
        database = client[f"bench{size}_identity"]
        began = time.monotonic()
        people = await fill(database, size // EACH, until)
        print(f"    {EACH * people:,} identifiers stored in {time.monotonic() - began:,.0f} s", flush=True)
        if people < size // EACH:
            size = EACH * people  # noqa: PLW2901  # what there is by now
        places[size] = Place(Town(people), store, database, pid)
    turns: dict[tuple[int, str], list[Turn]] = {case: [] for case in product(places, MIXES)}
    for size, mix in turns:  # warm
        await turn(places[size], *MIXES[mix])
    for _ in range(ROUNDS):
        for (size, mix), of in turns.items():
            of.append(await turn(places[size], *MIXES[mix]))
    told += [row for (size, mix) in turns for row in by_size(size, mix, turns, sizes[0])]
    told.append(await cost_of_indexes(client["bench_links"]))
    for place in places.values():
        await place.store.close()
    return told


def by_size(size: int, mix: str, turns: Mapping[tuple[int, str], Sequence[Turn]], least: int) -> list[Row]:
    """Beside the bare lookup, and of the largest how it differs from the smallest, in the same rounds."""
    mine, smallest = turns[size, mix], turns[least, mix]
    rates, bare = [BATCH / t.clock for t in mine], [BATCH / t.bare for t in mine]
    told = [
        Row(
            f"identity among {size:,} ids, {mix}", median(rates), "events/s", spread(rates), median(bare),
            "the bare driver", median(a / b for a, b in zip(rates, bare, strict=True)),
        )
    ]  # fmt: skip
    if size == least:
        return told
    measures: dict[str, Callable[[Turn], float]] = {
        "time": lambda t: t.clock, "CPU": lambda t: t.cpu, "bare driver": lambda t: t.bare,
    }  # fmt: skip
    for name, of in measures.items():
        costs, base = [1e6 * of(t) / BATCH for t in mine], [1e6 * of(t) / BATCH for t in smallest]
        ratio = median(a / b for a, b in zip(costs, base, strict=True))
        title = f"  {name} beside {least:,} ids"
        told.append(Row(title, median(costs), "us/event", spread(costs), median(base), f"among {least:,}", ratio))
    return told


async def turn(place: Place, new: float, merging: float) -> Turn:
    """One batch by a worker that remembers nothing, and one of the same kind by the driver alone."""
    batch, before = place.town.batch(BATCH, new, merging)
    await IdentityGraph(place.store).resolve(sightings(before))
    again, _ = place.town.batch(BATCH, new, merging)
    asked = sightings(again)
    fresh = [sighting for sighting, event in zip(asked, again, strict=True) if is_newcomer(event)]
    names = [[i.pseudonym for i in each.identifiers] for each in asked if each not in fresh]
    documents = await documents_made_of(fresh)
    graph = IdentityGraph(place.store, cache_size=0)
    used = time.process_time() + seconds_of(place.pid)
    clock = await seconds(resolved(graph, batch))
    cpu = time.process_time() + seconds_of(place.pid) - used
    return Turn(clock, cpu, await seconds(bare(place.database, names, documents)))


async def bare(database: Database, names: Sequence[Sequence[str]], documents: Documents) -> None:
    """The same questions, and the documents of newcomers, who were asked about, too."""
    asked = [*names, [document["_id"] for document in documents["identifiers"]]]
    known = await found(database["identifiers"], (name for event in asked for name in event))
    await found(database["entities"], {document["entity"] for document in known.values()})
    for collections in (("entities", "links"), ("identifiers",)):
        await asyncio.gather(
            *(
                database[name].insert_many(documents[name], ordered=False)
                for name in collections
                if documents[name]
            )
        )


async def bare_lookup(database: Database, names: Sequence[Sequence[str]]) -> None:
    """Who has these identifiers, and their documents; new ones are stored, a person for those of one event."""
    known = await found(database["identifiers"], (name for event in names for name in event))
    await found(database["entities"], {document["entity"] for document in known.values()})
    new = [[name for name in event if name not in known] for event in names]
    if any(new):
        pointers = {name: {"_id": name, "entity": each[0]} for each in new for name in each}
        persons = {each[0]: {"_id": each[0], "claims": each} for each in new if each}
        await database["entities"].insert_many(list(persons.values()))
        await database["identifiers"].insert_many(list(pointers.values()))


async def cost_of_indexes(database: Database) -> Row:
    """Evidence stored with the indexes by either identifier and by time, beside `_id` alone."""
    for keys in (*((end,) for end in ENDS), ("tenant", "seen_at")):
        await database["indexed"].create_index([(key, ASCENDING) for key in keys])
    town, rates, plain = Town(1), list[float](), list[float]()
    for n in range(ROUNDS):
        events = [town.event(n * LINKS + each) for each in range(LINKS // (EACH - 1))]
        links = [link for sighting in sightings(events) for _, link in sighting.links()]
        for name, into in (("indexed", rates), ("plain", plain)):
            documents = [{"_id": link.key, **link_document(link)} for link in links]
            into.append(LINKS / await seconds(database[name].insert_many(documents, ordered=False)))
    ratio = median(a / b for a, b in zip(rates, plain, strict=True))
    return Row(
        "evidence stored, with its indexes",
        median(rates),
        "links/s",
        spread(rates),
        median(plain),
        "without",
        ratio,
    )


async def seconds(action: Awaitable[object]) -> float:
    """How long it takes."""
    started = time.perf_counter()
    await action
    return time.perf_counter() - started

"""A town: so many people whom the graph knows, and events of them, of newcomers, and of visitors who log in.

Its people were each seen once, at the same moment. Filling writes the documents that the graph would have written
then, which those of the first one are with other names in their place; `test_bench_town.py` holds it to that.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Iterable, Iterator, Sequence
from datetime import UTC, datetime, timedelta
from hashlib import sha256
from itertools import count
from math import inf
from typing import Any, Final, TypeAlias
from uuid import UUID, uuid5

import bson
from cdp_contracts.envelope import derived_id
from cdp_contracts.events_v1 import Decision, Event, EventPermitted
from cdp_identity.domain.sightings import Sighting, sighting_of
from cdp_identity.store import IdentityGraph, MemoryGraphStore
from cdp_identity.store.documents import entity_document, link_document, pointer_document
from cdp_runtime.pseudonyms import Pseudonymizer
from cdp_runtime.records import State, raw
from motor.motor_asyncio import AsyncIOMotorDatabase

EACH: Final = 3  # identifiers a person: user id, address, visitor id
CHUNK: Final = 20_000  # people stored at once
NEWCOMERS: Final = 1_000_000_000  # their numbers begin here
TENANT: Final = "bench"
PEPPER: Final = b"a pepper for benchmarks"
PSEUDONYMS: Final = Pseudonymizer(PEPPER)
START: Final = datetime(2026, 1, 5, tzinfo=UTC)
SPACE: Final = UUID(int=6)
DECISION: Final = Decision(purposes=("analytics",), jurisdiction="EU", policy="default", policy_version=1)

Patterns: TypeAlias = dict[str, list[bytes]]


class Town:
    """People 0 to n-1 are known. Newcomers have numbers that nobody else gets."""

    def __init__(self, people: int) -> None:
        self.people = people
        self._numbers = count()
        self._newcomers = count(NEWCOMERS)
        self._strangers = count()

    def event(self, person: int, visitor: str = "") -> EventPermitted:
        """One of theirs, later than all before."""
        number = next(self._numbers)
        return seen(person, f"event {number}", START + timedelta(seconds=1, milliseconds=number), visitor)

    def batch(self, size: int, new: float, merging: float) -> tuple[list[EventPermitted], list[EventPermitted]]:
        """Events spread over all people, and before them those that show visitors alone who log in among them."""
        joined = [f"stranger-{next(self._strangers)}" for _ in range(round(size * merging))]
        alone = [self.event(0, name) for name in joined]
        fresh = [self.event(next(self._newcomers)) for _ in range(round(size * new))]
        rest = size - len(fresh) - len(joined)
        step, offset = max(1, self.people // size), next(self._numbers) * 7919
        known = [self.event((n * step + offset) % self.people) for n in range(rest)]
        users = [self.event((n * step * 31 + offset) % self.people, name) for n, name in enumerate(joined)]
        return [*known, *fresh, *users], [e.model_copy(update={"event": lone(e)}) for e in alone]


def seen(person: int, name: str, at: datetime, visitor: str = "") -> EventPermitted:
    """An event of a person."""
    device = visitor or f"visitor-{person}"
    return EventPermitted(
        tenant=TENANT, id=uuid5(SPACE, name), message_id=name.replace(" ", "-"), occurred_at=at, received_at=at,
        subject=PSEUDONYMS.of(TENANT, "subject", f"device:{device}"), source="web-shop", decision=DECISION,
        event=Event(
            type="track", name="Product Viewed", user_id=f"user-{person}", anonymous_id=device,
            properties={"platform": "mobile", "channel": "email", "sku": f"sku-{person % 97}"},
            traits={"email": f"person{person}@bench.org"},
        ),
    )  # fmt: skip


def is_newcomer(event: EventPermitted) -> bool:
    """Whether nobody has seen anything of the person before."""
    return int((event.event.user_id or "user-0").removeprefix("user-")) >= NEWCOMERS


def lone(event: EventPermitted) -> Event:
    """The same event before anybody logged in."""
    return event.event.model_copy(update={"user_id": None, "traits": {}})


def first_seen(person: int) -> EventPermitted:
    """The event that made the graph know a person."""
    return seen(person, f"first {person}", START)


def names_of(person: int) -> tuple[str, ...]:
    """All that tells the documents of one person from those of another."""
    address = sha256(f"person{person}@bench.org".encode()).hexdigest()
    event, of = uuid5(SPACE, f"first {person}"), PSEUDONYMS.of
    user = of(TENANT, "user_id", f"user-{person}")
    entity = derived_id(event, f"entity/{user}")
    visitor = of(TENANT, "anonymous_id", f"visitor-{person}")
    return user, of(TENANT, "email", address), visitor, str(event), str(entity)


async def patterns() -> Patterns:
    """The documents of person 0, by collection."""
    documents = await documents_made_of([sighting_of(first_seen(0), PSEUDONYMS)])
    return {name: [bson.encode({"_id": d["_id"], **d}) for d in all_] for name, all_ in documents.items()}


async def documents_made_of(newcomers: Sequence[Sighting]) -> dict[str, list[State]]:
    """What the graph writes when it first sees them, by collection."""
    store = MemoryGraphStore()
    await IdentityGraph(store).resolve(newcomers)
    return {
        "entities": [entity_document(entity) for entity in store.population.values()],
        "identifiers": [pointer_document(p, PSEUDONYMS.version) for p in store.pointing.values()],
        "links": [{"_id": link.key, **link_document(link)} for link in store.evidence.values()],
    }


def documents_of(people: Iterable[int], pattern: Sequence[bytes]) -> Iterator[bytes]:
    """The documents of these people, made of those of the first."""
    model = [name.encode() for name in names_of(0)]
    for person in people:
        names = [name.encode() for name in names_of(person)]
        for document in pattern:
            made = document
            for old, new in zip(model, names, strict=True):
                made = made.replace(old, new)
            yield made


async def fill(database: AsyncIOMotorDatabase[Any], people: int, until: float = inf) -> int:
    """Store so many people as the graph would have stored them; how many there are when the time is up."""
    known = await patterns()
    every = [document for all_ in known.values() for document in all_]
    sizes = [(name, len(all_)) for name, all_ in known.items()]

    async def insert(name: str, documents: Sequence[bytes]) -> None:
        if documents:
            await database[name].insert_many([raw(document) for document in documents], ordered=False)

    async def store(made: Sequence[bytes]) -> None:
        first = 0
        inserts = []
        for name, each in sizes:
            mine = [d for offset in range(first, first + each) for d in made[offset :: len(every)]]
            inserts.append(insert(name, sorted(mine)))  # by id, which comes first: neighbours in the same pages
            first += each
        await asyncio.gather(*inserts)

    storing = asyncio.create_task(store(()))
    stored = 0
    while stored < people and time.monotonic() < until:
        these = range(stored, min(people, stored + CHUNK))
        made = list(documents_of(these, every))  # while the last ones are being stored
        await storing
        storing = asyncio.create_task(store(made))
        await asyncio.sleep(0)
        stored = these.stop
    await storing
    return stored


def sightings(events: Iterable[EventPermitted]) -> list[Sighting]:
    """What the graph is asked about."""
    return [sighting_of(event, PSEUDONYMS) for event in events]

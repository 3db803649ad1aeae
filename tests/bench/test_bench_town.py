"""The towns of the benchmarks are what the graph makes of their events."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, Final

import pytest
from cdp_devstack.servers import Stack
from cdp_identity.store import IdentityGraph
from cdp_identity.store.mongo import MongoGraphStore
from cdp_runtime.settings import MongoSettings
from motor.motor_asyncio import AsyncIOMotorClient

from tests.bench.town import PSEUDONYMS, Town, fill, first_seen, sightings

PEOPLE: Final = 40
COLLECTIONS: Final = ("entities", "identifiers", "links")

pytestmark = pytest.mark.wire


@pytest.fixture(scope="module")
def url() -> Iterator[str]:
    with Stack.start("embedded", only=("mongo",)) as stack:
        yield stack.mongo


async def test_a_town_is_stored_as_the_graph_would_have_stored_it(url: str) -> None:
    client: AsyncIOMotorClient[Any] = AsyncIOMotorClient(url)
    store = MongoGraphStore(MongoSettings(url=url, database_prefix="seen"), pepper=PSEUDONYMS.version)
    await store.migrate()
    for start in range(0, PEOPLE, 10):
        people = range(start, start + 10)
        await IdentityGraph(store).resolve(sightings(map(first_seen, people)))
    await fill(client["town_identity"], PEOPLE)
    for name in COLLECTIONS:
        seen, stored = [
            await client[f"{prefix}_identity"][name].find().sort("_id", 1).to_list(None)
            for prefix in ("seen", "town")
        ]
        assert stored == seen
        assert len(stored) == PEOPLE * {"entities": 1, "identifiers": 3, "links": 2}[name]
    await store.close()
    client.close()


def test_who_is_said_to_be_known_is_and_who_is_new_is_not() -> None:
    town = Town(PEOPLE)
    known = {i for s in sightings(map(first_seen, range(PEOPLE))) for i in s.identifiers}
    batch, before = town.batch(100, 0.2, 0.05)
    found = [sum(i in known for i in sighting.identifiers) for sighting in sightings(batch)]
    assert [found.count(n) for n in (3, 2, 0)] == [75, 5, 20]
    assert [len(sighting.identifiers) for sighting in sightings(before)] == [1] * 5

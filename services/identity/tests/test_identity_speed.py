"""What known identifiers cost: round trips by the batch, and time by the event."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from time import process_time
from typing import Any

from cdp_identity.domain.facts import facts
from cdp_identity.domain.sightings import sighting_of
from cdp_identity.store import GraphStore, IdentityGraph, MemoryGraphStore
from identity_builders import PSEUDONYMS, permitted

BATCH = [
    permitted(
        n, user_id=f"user-{n % 700}", anonymous_id=f"device-{n % 700}", traits={"email": f"u{n % 700}@shop.org"}
    )
    for n in range(2000)
]


class Counting:
    """A store whose round trips are counted."""

    def __init__(self, store: GraphStore) -> None:
        self.store = store
        self.trips: Counter[str] = Counter()

    def __getattr__(self, name: str) -> Callable[..., Any]:
        self.trips[name] += 1
        method: Callable[..., Any] = getattr(self.store, name)
        return method


async def test_known_identifiers_cost_two_round_trips_a_batch_and_one_when_cached() -> None:
    store, sightings = Counting(MemoryGraphStore()), [sighting_of(event, PSEUDONYMS) for event in BATCH]
    graph = IdentityGraph(store)
    await graph.resolve(sightings)
    assert store.trips == {"pointers": 1, "add_links": 1, "add_entities": 1, "add_pointers": 2}
    store.trips.clear()
    await graph.resolve(sightings)
    assert store.trips == {"entities": 1}
    store.trips.clear()
    await IdentityGraph(store).resolve(sightings)
    assert store.trips == {"pointers": 1, "entities": 1}


async def test_a_shared_device_costs_no_more_once_it_is_known() -> None:
    store = Counting(MemoryGraphStore())
    ada, bob = (
        permitted(0, user_id="ada", anonymous_id="tablet"),
        permitted(1, user_id="bob", anonymous_id="tablet"),
    )
    sightings = [sighting_of(event, PSEUDONYMS) for event in [ada, *[bob] * 100]]
    graph = IdentityGraph(store)
    await graph.resolve(sightings)
    store.trips.clear()
    await graph.resolve(sightings)
    assert store.trips == {"entities": 1, "refusals": 1}


async def test_known_events_are_resolved_at_five_thousand_a_second_and_core() -> None:
    graph = IdentityGraph(MemoryGraphStore())
    await graph.resolve([sighting_of(event, PSEUDONYMS) for event in BATCH])
    best = 0.0
    for _ in range(5):
        started = process_time()
        resolutions = await graph.resolve([sighting_of(event, PSEUDONYMS) for event in BATCH])
        made = [facts(event, resolution) for event, resolution in zip(BATCH, resolutions, strict=True)]
        best = max(best, len(made) / (process_time() - started))
    print(f"known identifiers, batches of {len(BATCH)}: {best:,.0f} events/s a core")
    assert best >= 5_000

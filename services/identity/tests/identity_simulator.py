"""A world in which workers on one store can be interleaved, killed and doubled at will.

Every access to one document is a switch point: a scheduler picks at random which worker takes its next
step, kills workers, lets dead ones' successors take over while they still run (as after a rebalance), and
delivers again what was not committed. No event loop, no clock: a schedule is its seed.
"""

from __future__ import annotations

import random
from collections import Counter
from collections.abc import Coroutine, Generator, Iterable, Sequence
from dataclasses import dataclass, field
from typing import Any, Final, TypeVar
from uuid import UUID, uuid5

from cdp_contracts.envelope import NAMESPACE
from cdp_identity.domain.entities import LIMITS, Entity, Link, Merge, Refusal
from cdp_identity.domain.facts import Resolution
from cdp_identity.domain.identifiers import Identifier, Kind, Sign
from cdp_identity.domain.sightings import Sighting
from cdp_identity.store import IdentityGraph, MemoryGraphStore, Pointer
from cdp_runtime.failures import Conflict

MOST_STEPS: Final = 30_000
V = TypeVar("V")


class Switch:
    """Lets the scheduler choose who goes on."""

    def __await__(self) -> Generator[None, None, None]:
        yield


class SwitchingStore(MemoryGraphStore):
    """Atomic for one document only: between any two of them anything may happen."""

    async def pointers(self, pseudonyms: Iterable[str]) -> dict[str, UUID]:
        return await self._each(super().pointers, pseudonyms)

    async def entities(self, ids: Iterable[UUID]) -> dict[UUID, Entity]:
        return await self._each(super().entities, ids)

    async def refusals(self, pairs: Iterable[str]) -> dict[str, Refusal]:
        return await self._each(super().refusals, pairs)

    async def add_pointers(self, pointers: Sequence[Pointer]) -> set[str]:
        return await self._every(super().add_pointers, pointers)

    async def add_entities(self, entities: Sequence[Entity]) -> set[UUID]:
        return await self._every(super().add_entities, entities)

    async def add_refusals(self, refusals: Sequence[Refusal]) -> set[str]:
        return await self._every(super().add_refusals, refusals)

    async def add_links(self, links: Sequence[Link]) -> None:
        for link in links:
            await Switch()
            await super().add_links([link])

    async def repoint(self, moves: Sequence[tuple[str, UUID, UUID]]) -> None:
        for move in moves:
            await Switch()
            await super().repoint([move])

    async def swap(self, entity: Entity) -> bool:
        await Switch()
        return await super().swap(entity)

    async def _each(self, read: Any, keys: Iterable[V]) -> dict[V, Any]:
        found: dict[V, Any] = {}
        for key in list(keys):
            await Switch()
            found |= await read([key])
        return found

    async def _every(self, add: Any, values: Iterable[Any]) -> set[Any]:
        there: set[Any] = set()
        for value in list(values):
            await Switch()
            there |= await add([value])
        return there


@dataclass
class Partition:
    """Events of one partition, how far they are committed, and which worker may commit."""

    events: list[Sighting]
    committed: int = 0
    owner: int = 0


@dataclass
class World:
    """The store, the partitions, and all that was ever told about each event."""

    store: SwitchingStore
    partitions: list[Partition]
    dice: random.Random
    told: dict[UUID, list[Resolution]] = field(default_factory=dict)

    async def work(self, partition: Partition, me: int) -> None:
        graph = IdentityGraph(self.store, cache_size=self.dice.choice((0, 4, 100)))
        position = partition.committed
        while position < len(partition.events):
            batch = partition.events[position : position + self.dice.choice((1, 2, 5))]
            try:
                resolutions = await graph.resolve(batch)
            except Conflict:
                continue
            for sighting, resolution in zip(batch, resolutions, strict=True):
                await Switch()
                self.told.setdefault(sighting.event, []).append(resolution)
            await Switch()
            position += len(batch)
            if partition.owner == me:
                partition.committed = position


def random_world(seed: int) -> World:
    """A few people, more devices, and events that know some of both; shared devices included."""
    dice = random.Random(seed)
    users, devices, emails = dice.randint(1, 5), dice.randint(1, 7), dice.randint(1, 8)

    def sighting(number: int) -> Sighting:
        named: list[tuple[Kind, int]] = []
        if dice.random() < 0.6:
            named.append(("user_id", dice.randrange(users)))
        if dice.random() < 0.3:
            named.append(("email", dice.randrange(emails)))
        if dice.random() < 0.8 or not named:
            named.append(("anonymous_id", dice.randrange(devices)))
        if dice.random() < 0.1:
            named.append(("anonymous_id", dice.randrange(devices)))
        signs = {(kind, n): Sign(Identifier(kind, f"{kind}-{n}")) for kind, n in named}
        return Sighting(uuid5(NAMESPACE, str(number)), "acme", "web", number // 2 * 1000, tuple(signs.values()))

    events = [sighting(number) for number in range(dice.randint(4, 14))]
    workers = dice.randint(2, 6)
    return World(SwitchingStore(), [Partition(events[n::workers]) for n in range(workers)], dice)


def run(world: World, *, crashes: bool) -> None:
    """One schedule, to the end: everything is committed, and the next readers have seen everything."""
    dice = world.dice
    running: list[tuple[Partition, Coroutine[Any, Any, None]]] = [(p, world.work(p, 0)) for p in world.partitions]
    trouble = dice.randint(1, 4) if crashes else 0
    for _ in range(MOST_STEPS):
        if not running:
            break
        number = dice.randrange(len(running))
        partition, worker = running[number]
        if trouble and dice.random() < 0.02:
            trouble -= 1
            partition.owner += 1
            if dice.random() < 0.5:  # killed; else it goes on beside its successor
                worker.close()
                running.pop(number)
            running.append((partition, world.work(partition, partition.owner)))
            continue
        try:
            worker.send(None)
        except StopIteration:
            running.pop(number)
    assert not running, "the workers never came to an end"
    for pointer in list(world.store.pointing.values()):
        sighting = Sighting(UUID(int=0), "acme", "web", 10**9, (Sign(pointer.identifier),))
        finish(IdentityGraph(world.store).resolve([sighting]))


def finish(coroutine: Coroutine[Any, Any, V]) -> V:
    """Run it alone."""
    try:
        for _ in range(MOST_STEPS):
            coroutine.send(None)
    except StopIteration as stop:
        value: V = stop.value
        return value
    raise AssertionError("a lone worker never came to an end")


def root_of(store: MemoryGraphStore, entity_id: UUID) -> Entity:
    entity, seen = store.population[entity_id], {entity_id}
    while entity.state == "merged":
        assert entity.into is not None
        assert entity.into not in seen, "redirects form a circle"
        seen.add(entity.into)
        entity = store.population[entity.into]
    assert entity.state == "active", "a merge was left half done"
    return entity


def check(world: World) -> None:
    """What must hold for ever, whatever happened."""
    store = world.store
    roots = {name: root_of(store, pointer.entity) for name, pointer in store.pointing.items()}
    check_limits(store, roots)
    check_merges(world, roots)
    check_partition(store, roots)
    for partition in world.partitions:
        for sighting in partition.events:
            assert sighting.event in world.told, "an event was committed and never told"
            for resolution in world.told[sighting.event]:
                assert resolution.part == sighting.first.pseudonym
                assert root_of(store, resolution.profile_id).id == roots[resolution.part].id


def check_limits(store: MemoryGraphStore, roots: dict[str, Entity]) -> None:
    held = Counter((root.id, store.pointing[name].identifier.kind) for name, root in roots.items())
    for (root_id, kind), number in held.items():
        assert number <= LIMITS.get(kind, 1000), f"{number} {kind}s in one entity"
        assert number <= store.population[root_id].size


def check_merges(world: World, roots: dict[str, Entity]) -> None:
    below: dict[UUID, set[UUID]] = {}
    for entity in world.store.population.values():
        if entity.state == "merged":
            below.setdefault(root_of(world.store, entity.id).id, set()).add(entity.id)
    stored: set[Merge] = set()
    for root_id, absorbed in below.items():
        root = world.store.population[root_id]
        assert len(root.absorbed) == len(absorbed), "an entity was absorbed twice"
        assert {merge.absorbed for merge in root.absorbed} == absorbed
        stored.update(root.absorbed)
    told = {merge for tellings in world.told.values() for telling in tellings for merge in telling.merges}
    assert told == stored, "what was told is not what was done"
    for event, tellings in world.told.items():
        final = {merge for merge in stored if merge.link.event == event}
        assert set(tellings[-1].merges) <= final
        assert {merge for telling in tellings for merge in telling.merges} == final
    refusals = {
        refusal for tellings in world.told.values() for telling in tellings for refusal in telling.refusals
    }
    assert refusals == set(world.store.refused.values())


def check_partition(store: MemoryGraphStore, roots: dict[str, Entity]) -> None:
    """Who is one person is exactly who is connected by evidence that was not refused."""
    component = {name: name for name in roots}

    def top(name: str) -> str:
        while component[name] != name:
            name = component[name]
        return name

    for pair, link in store.evidence.items():
        if pair not in store.refused:
            assert roots[link.first].id == roots[link.other].id, "a union was lost"
            component[top(link.first)] = top(link.other)
        else:
            assert roots[link.first].id != roots[link.other].id
    assert len({top(name) for name in roots}) == len({root.id for root in roots.values()})

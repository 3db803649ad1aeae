"""A world in which workers on one store can be interleaved, killed and doubled at will.

Every access to one document is a switch point: a scheduler picks at random which worker takes its next
step, kills workers, lets dead ones' successors take over while they still run (as after a rebalance), and
delivers again what was not committed. No event loop, no clock: a schedule is its seed.
"""

from __future__ import annotations

import random
from collections.abc import Coroutine, Iterable, Sequence
from dataclasses import dataclass
from typing import Any, Final, TypeVar
from uuid import UUID, uuid5

from cdp_contracts.definitions_v1 import IdentityRulesDefined
from cdp_contracts.envelope import NAMESPACE
from cdp_identity.domain.entities import Entity, Link, Refusal
from cdp_identity.domain.identifiers import Identifier, Sign
from cdp_identity.domain.marks import joined
from cdp_identity.domain.rules import SHIPPED, Kind, Rules, compile_rules
from cdp_identity.domain.sightings import Sighting
from cdp_identity.domain.splitting import Split
from cdp_identity.store import IdentityGraph, MemoryGraphStore, Pointer
from cdp_runtime.failures import Conflict
from identity_unmergers import Partition, Stewards, Switch, any_order

MOST_STEPS: Final = 30_000
V = TypeVar("V")


class SwitchingStore(MemoryGraphStore):
    """Atomic for one document only: between any two of them anything may happen."""

    async def pointers(self, pseudonyms: Iterable[str]) -> dict[str, UUID]:
        return await self._each(super().pointers, pseudonyms)

    async def entities(self, ids: Iterable[UUID]) -> dict[UUID, Entity]:
        return await self._each(super().entities, ids)

    async def refusals(self, keys: Iterable[str]) -> dict[str, Refusal]:
        return await self._each(super().refusals, keys)

    async def asked(self, pseudonyms: Iterable[str], since: int) -> dict[str, int]:
        await Switch()
        return await super().asked(list(pseudonyms), since)

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

    async def members(self, tenant: str, entities: Iterable[UUID]) -> list[Pointer]:
        await Switch()
        return await super().members(tenant, list(entities))

    async def links_of(self, pseudonyms: Iterable[str]) -> list[Link]:
        await Switch()
        return await super().links_of(list(pseudonyms))

    async def revert(self, links: Iterable[Link], unmerge: UUID) -> None:
        for link in links:
            await Switch()
            await super().revert([link], unmerge)

    async def add_splits(self, splits: Sequence[Split]) -> None:
        await Switch()
        await super().add_splits(splits)

    async def splits(self, unmerge: UUID) -> list[Split]:
        await Switch()
        return await super().splits(unmerge)

    async def swap(self, entity: Entity) -> bool:
        """Also looks at what must hold between a document and the one before."""
        await Switch()
        before = self.population.get(entity.id)
        swapped = await super().swap(entity)
        if swapped and before:
            check_step(before, entity)
            if len(entity.absorbed) > len(before.absorbed):
                loser = self.population[entity.absorbed[-1].absorbed]
                assert loser.link, "absorbed what was not frozen"
                assert loser.bounds, "absorbed what was not frozen"
                assert not before.bars(loser, loser.link, loser.bounds), "absorbed over a limit"
        return swapped

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


def check_step(before: Entity, after: Entity) -> None:
    """What no single step may do."""
    assert len(after.users) < 2, "two users in one person"
    assert before.epoch <= after.epoch, "an epoch was taken back"
    assert {m.absorbed for m in before.merges} <= {m.absorbed for m in after.merges}, "a merge was forgotten"
    assert before.parted.items() <= {**before.parted, **after.parted}.items() or after.epoch > before.epoch
    if before.epoch == after.epoch:
        assert before.vetoes <= after.vetoes, "a veto was lost"
        assert joined(before.marks, after.marks) == after.marks, "a mark was taken back"
    if after.state == "active" and before.state == "merging":
        assert before.size == after.size


@dataclass
class World(Stewards):
    """The store, the partitions, and all that was ever told about each event."""

    smooth: bool = False
    seed: int = 0

    async def work(self, partition: Partition, me: int) -> None:
        graph = IdentityGraph(self.store, self.dice.choice((0, 4, 100)), any_order(self.seed))
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


def random_rules(dice: random.Random) -> Rules:
    """Limits so tight that they are met, and all that a definition may say."""
    anonymous = {"count": dice.randint(1, 4), "days": dice.choice((None, 1, 3))}
    return compile_rules(
        IdentityRulesDefined.model_validate({
            "tenant": "acme", "name": "default", "version": dice.randint(1, 9),
            "kinds": {
                "email": {"limit": {"count": dice.randint(1, 3), "days": dice.choice((None, 2))}},
                "anonymous_id": {"limit": anonymous},
            },
            "sources": {"page": {"merges": dice.random() < 0.3}},
            "shared_devices": dice.choice(("per_device", "per_device", "first_owner", "last_authenticated")),
            "fan_in": dice.choice((2, 3, 100)),
            "merges_per_person": dice.choice((2, 100)),
            "identifiers_per_person": dice.choice((5, 1000)),
        })
    )  # fmt: skip


def random_world(seed: int, *, splits: bool = False) -> World:
    """A few people, more devices, and events that know some of both; shared devices included.

    Half the worlds have tight rules, some of them of two versions that hold at once. Some have one worker alone.
    """
    dice = random.Random(seed)
    users, devices, emails = dice.randint(1, 5), dice.randint(1, 7), dice.randint(1, 8)
    tight = dice.random() < 0.5
    rules = random_rules(dice) if tight else SHIPPED
    versions = (rules, random_rules(dice) if tight and dice.random() < 0.5 else rules)
    hours = dice.choice((0, 1, 12))

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
        at = number // 2 * 1000 + number * hours * 3_600_000
        source, subject = dice.choice(("web", "page")), f"subject-{named[-1]}"
        event = uuid5(NAMESPACE, str(number))
        return Sighting(event, "acme", source, at, tuple(signs.values()), dice.choice(versions), subject)

    events = [sighting(number) for number in range(dice.randint(4, 14))]
    workers = dice.choice((1, 2, 3, 4, 5, 6))
    world = World(SwitchingStore(), [Partition(events[n::workers]) for n in range(workers)], dice, seed=seed)
    if splits:
        world.unmerges, world.lifts = dice.choice((0, 1, 2, 4, 6)), dice.choice((0.0, 0.0, 0.5))
    return world


def run(world: World, *, crashes: bool) -> None:
    """One schedule, to the end: everything is committed, and the next readers have seen everything."""
    dice = world.dice
    running = [(p, world.work(p, 0)) for p in world.partitions]
    if world.unmerges:
        stewards = Partition([])
        running.append((stewards, world.part(stewards, 0)))
    trouble = dice.randint(1, 4) if crashes else 0
    world.smooth = not trouble
    try:
        interleave(world, running, trouble)
    finally:
        for _, worker in running:
            worker.close()
    for pointer in list(world.store.pointing.values()):
        sighting = Sighting(UUID(int=0), "acme", "web", 10**9, (Sign(pointer.identifier),))
        finish(IdentityGraph(world.store).resolve([sighting]))


def interleave(world: World, running: list[tuple[Partition, Coroutine[Any, Any, None]]], trouble: int) -> None:
    """Let the workers go on in any order until all are done; kill and double so many of them."""
    dice = world.dice
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
            successor = world.work if partition.events else world.part
            running.append((partition, successor(partition, partition.owner)))
            continue
        try:
            worker.send(None)
        except StopIteration:
            running.pop(number)
    assert not running, "the workers never came to an end"


def finish(coroutine: Coroutine[Any, Any, V]) -> V:
    """Run it alone."""
    try:
        for _ in range(MOST_STEPS):
            coroutine.send(None)
    except StopIteration as stop:
        value: V = stop.value
        return value
    raise AssertionError("a lone worker never came to an end")

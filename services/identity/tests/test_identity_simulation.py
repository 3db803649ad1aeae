"""The union protocol under every kind of interleaving, and the proof that the simulation would notice."""

from __future__ import annotations

from dataclasses import replace
from typing import Any, Final
from uuid import UUID

import pytest
from cdp_identity.domain.entities import Entity, Link, Refusal
from cdp_identity.domain.identifiers import Identifier
from cdp_identity.domain.rules import SHIPPED, Bounds, Limit
from cdp_identity.domain.sightings import Sighting
from cdp_identity.store import Pointer
from cdp_identity.store import graph as graph_module
from cdp_identity.store.unions import Rounds, Unions
from cdp_runtime.failures import Conflict
from identity_checks import check
from identity_simulator import World, random_world, run

SCHEDULES: Final = 2000
PARTS: Final = 4


@pytest.mark.parametrize("part", range(PARTS))
def test_random_schedules_with_crashes_and_two_workers_on_one_partition(part: int) -> None:
    per_part = SCHEDULES // PARTS
    merges = refusals = 0
    for seed in range(part * per_part, (part + 1) * per_part):
        world = checked(seed)
        merges += sum(entity.state == "merged" for entity in world.store.population.values())
        refusals += len(world.store.refused)
    assert merges > per_part // 4, "the schedules must be worth their time"
    assert refusals > per_part // 4


@pytest.mark.parametrize("seed", [12633])
def test_worlds_that_were_once_misjudged(seed: int) -> None:
    """12633: an address becomes the owner's of a shared device and is seen on it later in the same batch."""
    checked(seed)


def checked(seed: int) -> World:
    """The world of a seed, after all that had to happen in it."""
    world = random_world(seed)
    run(world, crashes=seed % 2 == 0)
    try:
        check(world)
    except AssertionError as error:
        error.add_note(f"seed {seed}")
        raise
    return world


class NoFreeze(Unions):
    """Absorbs a loser that others may still be adding to."""

    async def join(self, home: Identifier, other: Identifier, link: Link, bounds: Bounds) -> Refusal | None:
        rounds = Rounds()
        while True:
            rounds.take()
            one, two = await self.settled(home), await self.settled(other)
            if one.id == two.id:
                return None
            if bars := one.bars(two, link, bounds):
                return Refusal(one.id, two.id, bars[0], link)
            winner, loser = sorted((one, two), key=lambda entity: entity.age)
            frozen = loser.frozen(winner, link, bounds)
            if await self.view.swap(winner.absorbing(frozen)):
                while not await self.view.swap((await self.view.entity(loser.id)).merged(winner.id)):
                    pass


class Unordered(Unions):
    """Lets whoever comes first survive, instead of the oldest."""

    async def join(self, home: Identifier, other: Identifier, link: Link, bounds: Bounds) -> Refusal | None:
        rounds = Rounds()
        while True:
            rounds.take()
            one, two = await self.settled(home), await self.settled(other)
            if one.id == two.id:
                return None
            if bars := one.bars(two, link, bounds):
                return Refusal(one.id, two.id, bars[0], link)
            if await self.view.swap(two.frozen(one, link, bounds)):
                await self.finish(two.id)


class NoRollBack(Unions):
    """Absorbs a frozen entity whatever the winner has become."""

    async def finish(self, entity_id: UUID) -> None:
        rounds = Rounds()
        while True:
            rounds.take()
            loser = await self.view.entity(entity_id)
            if loser.state != "merging" or loser.into is None:
                return
            winner = await self.view.root(loser.into)
            if winner.state == "merging":
                await self.finish(winner.id)
            elif winner.has_absorbed((loser.id,)):
                await self.view.swap(loser.merged(winner.id))
            else:
                await self.view.swap(winner.absorbing(loser))


class AttachFirst(Unions):
    """Points a new identifier at an entity that has not claimed it."""

    async def attach(self, to: Identifier, identifier: Identifier, sighting: Sighting) -> bool:
        entity = await self.settled(to)
        if entity.bars_new([identifier], sighting.bounds, sighting.seen_at, to.pseudonym):
            return True
        await self.view.point([Pointer(identifier, sighting.tenant, entity.id)])
        rounds = Rounds()
        while True:
            rounds.take()
            entity = await self.settled(to)
            if await self.view.swap(entity.claiming([identifier], sighting.seen_at)):
                return False


class OwnRules(Unions):
    """Finishes what another began by the rules it knows itself."""

    async def finish(self, entity_id: UUID) -> None:
        loser = await self.view.entity(entity_id)
        self.view._entities[entity_id] = replace(loser, bounds=SHIPPED.bounds)
        await super().finish(entity_id)


class NeverShared(Unions):
    """Leaves a device that two users log in on with the first."""

    async def share(self, sighting: Sighting, identifier: Identifier) -> None:
        pass


class BlindAttach(Unions):
    """Adds newcomers to whoever once owned a shared device."""

    async def attach(self, to: Identifier, identifier: Identifier, sighting: Sighting) -> bool:
        rounds = Rounds()
        while True:
            rounds.take()
            entity = await self.settled(to)
            if entity.bars_new([identifier], sighting.bounds, sighting.seen_at):
                return True
            if await self.view.swap(entity.claiming([identifier], sighting.seen_at)):
                await self.view.point([Pointer(identifier, sighting.tenant, entity.id)])
                return False


class Unlimited(Unions):
    """Adds newcomers without asking whether the person may have them."""

    async def attach(self, to: Identifier, identifier: Identifier, sighting: Sighting) -> bool:
        free = replace(
            sighting, rules=replace(sighting.rules, bounds=replace(FREE, shares=sighting.bounds.shares))
        )
        return await super().attach(to, identifier, free)


class NoQuarantine(Unions):
    """Blocks nobody."""

    async def block(self, identifier: Identifier, at: int) -> bool:
        return True


FREE = replace(SHIPPED.bounds, limits={"user_id": Limit(1)}, others=Limit(50), identifiers=10**6)
MUTANTS = [
    NoFreeze,
    Unordered,
    NoRollBack,
    AttachFirst,
    OwnRules,
    NeverShared,
    BlindAttach,
    Unlimited,
    NoQuarantine,
]


@pytest.mark.parametrize("mutant", MUTANTS)
def test_the_simulation_finds_a_protocol_with_a_step_left_out(
    mutant: type[Unions], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(graph_module, "Unions", mutant)
    for seed in range(SCHEDULES):
        world = random_world(seed)
        try:
            run(world, crashes=seed % 2 == 0)
            check(world)
        except (AssertionError, Conflict, RecursionError):
            return
    pytest.fail("the mutant survived")


def forgets(name: str) -> Any:
    """An absorbing that leaves something of the loser behind."""
    whole = Entity.absorbing

    def absorbing(self: Entity, loser: Entity) -> Entity:
        return replace(whole(self, loser), **{name: getattr(self, name)})

    return absorbing


@pytest.mark.parametrize("left_behind", ["claims", "marks", "size"])
def test_the_simulation_notices_what_a_merge_leaves_behind(
    left_behind: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(Entity, "absorbing", forgets(left_behind))
    for seed in range(SCHEDULES):
        world = random_world(seed)
        try:
            run(world, crashes=seed % 2 == 0)
            check(world)
        except (AssertionError, Conflict, RecursionError):
            return
    pytest.fail("the mutant survived")

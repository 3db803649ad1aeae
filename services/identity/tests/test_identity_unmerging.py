"""Unmerges under every kind of interleaving, and the proof that the simulation would notice."""

from __future__ import annotations

from dataclasses import replace
from typing import Any, Final
from uuid import UUID

import pytest
from cdp_contracts.envelope import derived_id
from cdp_identity.domain import splitting
from cdp_identity.domain.entities import Entity
from cdp_identity.domain.rules import SHIPPED
from cdp_identity.store import graph as graph_module
from cdp_identity.store import partings
from cdp_identity.store.unions import Rounds, Unions
from cdp_identity.store.view import View
from cdp_runtime.failures import Conflict
from identity_checks import check
from identity_simulator import random_world, run

SCHEDULES: Final = 2000
PARTS: Final = 2


@pytest.mark.parametrize("part", range(PARTS))
def test_random_schedules_of_merges_and_unmerges(part: int) -> None:
    per_part = SCHEDULES // PARTS
    unmerges = merges_after = 0
    for seed in range(part * per_part, (part + 1) * per_part):
        world = random_world(seed, splits=True)
        try:
            run(world, crashes=seed % 2 == 0)
            check(world)
        except AssertionError as error:
            error.add_note(f"seed {seed}")
            raise
        unmerges += len(world.parted)
        merges_after += any(entity.past and entity.absorbed for entity in world.store.population.values())
    assert unmerges > per_part // 4, "the schedules must be worth their time"
    assert merges_after > per_part // 50


class AnyEpoch(Unions):
    """Absorbs what was frozen for the winner as it was before it was split."""

    async def finish(self, entity_id: UUID) -> None:
        rounds = Rounds()
        while True:
            rounds.take()
            loser = await self.view.entity(entity_id)
            if loser.state != "merging" or loser.into is None or loser.link is None:
                return
            winner = await self.view.root(loser.into)
            if winner.state == "merging":
                await self.finish(winner.id)
            elif winner.has_absorbed((loser.id,)):
                await self.view.swap(loser.merged(winner.id))
            elif winner.bars(loser, loser.link, loser.bounds or SHIPPED.bounds):
                await self.view.swap(loser.thawed())
            else:
                await self.view.swap(winner.absorbing(loser))


async def straight(self: View, entity_id: UUID, pseudonym: str = "") -> Entity:
    """Follows redirects, and no partings."""
    entity = await self.entity(entity_id)
    while entity.into and entity.state == "merged":
        entity = await self.entity(entity.into)
    return entity


async def in_circles(self: View, entity_id: UUID, pseudonym: str = "") -> Entity:
    """Follows every parting, also to those who have come back since."""
    entity = await self.entity(entity_id)
    for _ in range(100):
        if away := entity.parted.get(pseudonym):
            entity = await self.entity(away.entity)
        elif entity.into and entity.state == "merged":
            entity = await self.entity(entity.into)
        else:
            return entity
    raise Conflict


def splits(**forgotten: Any) -> Any:
    """A split after which the parts lack something."""
    whole = splitting.split

    def split(*arguments: Any) -> Any:
        done, entities = whole(*arguments)
        return done, [replace(entity, **forgotten) for entity in entities]

    return split


def always_the_same(unmerge: UUID, entity: Entity) -> str:
    """Names attempts alike, whatever they were made of."""
    return f"{unmerge}/{entity.id}/{derived_id(unmerge, 'attempt')}"


MUTANTS: Final[dict[str, tuple[object, str, object]]] = {
    "absorbs in any epoch": (graph_module, "Unions", AnyEpoch),
    "follows no partings": (View, "root", straight),
    "follows partings in circles": (View, "root", in_circles),
    "no vetoes": (partings, "split", splits(vetoes=frozenset())),
    "forgets earlier merges": (partings, "split", splits(past=())),
    "keeps its epoch": (partings, "split", splits(epoch=0)),
    "one attempt is like the other": (splitting, "key_of", always_the_same),
    "tells a new one each time": (partings, "_done", None),
}


async def never(*_: object) -> None:
    """Nothing was done before."""


@pytest.mark.parametrize("mutant", MUTANTS)
def test_the_simulation_finds_an_unmerge_with_a_step_left_out(
    mutant: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    where, name, what = MUTANTS[mutant]
    monkeypatch.setattr(where, name, what or never)
    for seed in range(SCHEDULES):
        world = random_world(seed, splits=True)
        try:
            run(world, crashes=seed % 2 == 0)
            check(world)
        except (AssertionError, Conflict, RecursionError, LookupError):
            return
    pytest.fail("the mutant survived")

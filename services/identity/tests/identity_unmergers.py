"""The part of the simulated world that unmerges, and takes it back, again and again."""

from __future__ import annotations

import random
from collections.abc import Coroutine, Generator
from dataclasses import dataclass, field
from typing import Any
from uuid import UUID, uuid5

from cdp_contracts.envelope import NAMESPACE
from cdp_identity.domain.facts import Resolution
from cdp_identity.domain.identifiers import Identifier
from cdp_identity.domain.sightings import Sighting
from cdp_identity.domain.splitting import Split, Unmerge
from cdp_identity.domain.verdicts import Verdict
from cdp_identity.store import IdentityGraph, MemoryGraphStore
from cdp_identity.store.history import Ways
from cdp_identity.store.partings import NothingToPart, part
from cdp_identity.store.verdicts import link
from cdp_identity.store.view import Beside
from cdp_runtime.failures import Conflict


class Switch:
    """Lets the scheduler choose who goes on."""

    def __await__(self) -> Generator[None, None, None]:
        yield


def any_order(seed: int) -> Beside:
    """Does what may be done at once, one after the other: each of its steps is a switch point anyway."""
    dice = random.Random(seed)

    async def done(*actions: Coroutine[Any, Any, Any]) -> list[Any]:
        found: dict[int, Any] = {}
        try:
            for n in dice.sample(range(len(actions)), len(actions)):
                found[n] = await actions[n]
        finally:
            for action in actions:
                action.close()
        return [found[n] for n in range(len(actions))]

    return done


@dataclass
class Partition:
    """Events of one partition, how far they are committed, and which worker may commit."""

    events: list[Sighting]
    committed: int = 0
    owner: int = 0


@dataclass
class Stewards:
    """What people ask for while events are resolved: `unmerges` times, of which so many (`lifts`) are verdicts."""

    store: MemoryGraphStore
    partitions: list[Partition]
    dice: random.Random
    told: dict[UUID, list[Resolution]] = field(default_factory=dict)
    unmerges: int = 0
    asked: dict[int, Unmerge | Verdict] = field(default_factory=dict)
    parted: list[Split] = field(default_factory=list)
    lifts: float = 0.0

    async def part(self, partition: Partition, me: int) -> None:
        """Somebody unmerges, again and again. What was not committed is asked for again, word for word."""
        graph = IdentityGraph(self.store, 0, any_order(0))
        number = partition.committed
        while number < self.unmerges:
            for _ in range(self.dice.randint(0, 60)):
                await Switch()
            asked = self.asked.get(number) or self._ask(number)
            if asked is None:
                return
            try:
                await (self._part(graph, asked) if isinstance(asked, Unmerge) else self._link(graph, asked))
            except Conflict:
                continue
            await Switch()
            number += 1
            if partition.owner == me:
                partition.committed = number

    async def _part(self, graph: IdentityGraph, unmerge: Unmerge) -> None:
        try:
            done = await part(graph, unmerge)
        except NothingToPart:
            assert not [split for split in self.parted if split.unmerge == unmerge.id], "it was told before"
        else:
            await Switch()
            self.parted.append(done)

    async def _link(self, graph: IdentityGraph, verdict: Verdict) -> None:
        resolution = await link(graph, verdict)
        await Switch()
        self.told.setdefault(verdict.id, []).append(resolution)

    def _ask(self, number: int) -> Unmerge | Verdict | None:
        """An unmerge of somebody who has several identifiers, into two or three; or that it was wrong."""
        names = sorted(self.store.pointing)
        if not names:
            return None
        if self.parted and self.dice.random() < self.lifts:
            (_, away), *_ = self.parted[-1].partings
            one, other = (Identifier("subject", name) for name in (away[0], self.dice.choice(names)))
            id_ = uuid5(NAMESPACE, f"verdict {number}")
            rules = next(sighting.rules for partition in self.partitions for sighting in partition.events)
            verdict = Verdict(id_, "acme", one, other, "link", "steward", 10**9 + number, rules)
            return self.asked.setdefault(number, verdict)
        ways = Ways.of(self.store.population.values())
        owners = {name: ways.lead(self.store.pointing[name].entity, name) for name in names}
        several = [name for name in names if list(owners.values()).count(owners[name]) > 1]
        of = owners[self.dice.choice(several or names)]
        mine = [name for name in names if owners[name] == of]
        self.dice.shuffle(mine)
        cut = self.dice.randint(1, len(mine))
        groups = tuple(filter(None, (tuple(mine[:cut]), tuple(mine[cut : self.dice.randint(cut, len(mine))]))))
        id_ = uuid5(NAMESPACE, f"unmerge {number}")
        return self.asked.setdefault(number, Unmerge(id_, "acme", of, groups, 10**9 + number))

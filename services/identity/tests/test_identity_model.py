"""The graph beside a plain union-find: three workers go on step by step, die, and finish what others began.

The simulation looks at the end of random schedules. Here what must always hold is looked at after every step, a
sighting that is handled alone must do what the union-find says, and a schedule that fails is made small.
"""

from __future__ import annotations

import random
from collections.abc import Coroutine
from itertools import count
from typing import Any, Final
from uuid import UUID

import pytest
from cdp_identity.domain.entities import Merge, pair_of
from cdp_identity.domain.facts import Resolution
from cdp_identity.domain.identifiers import Identifier, Sign
from cdp_identity.domain.sightings import Sighting
from cdp_identity.store import IdentityGraph
from cdp_identity.store import graph as graph_module
from cdp_identity.store.unions import Unions
from cdp_runtime.failures import Conflict
from hypothesis import Phase, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule, run_state_machine_as_test
from identity_builders import Sightings, ruled
from identity_checks import check, root_of
from identity_simulator import Partition, SwitchingStore, World, finish
from identity_unmergers import any_order
from test_identity_simulation import NoRollBack, Unordered

WORKERS = st.integers(0, 2)
NAMES = st.tuples(
    st.sampled_from(["", "u1", "u2"]), st.sampled_from(["", "e1"]), st.sampled_from(["d1", "d2", "d3"])
).map(lambda names: tuple(filter(None, names)))
Work = Coroutine[Any, Any, list[Resolution]]


class IdentityMachine(RuleBasedStateMachine):
    """Workers keep their caches from batch to batch, so they are often out of date."""

    def __init__(self) -> None:
        super().__init__()
        self.store = SwitchingStore()
        self.world = World(self.store, [Partition([])], random.Random(0))
        self.graphs = [IdentityGraph(self.store, 10, any_order(1)) for _ in range(3)]
        self.running: dict[int, tuple[list[Sighting], Work]] = {}
        self.unfinished: list[list[Sighting]] = []
        self.versions: dict[UUID, tuple[int, str]] = {}
        self.merges: set[Merge] = set()
        self.see = Sightings(ruled(shared_devices="first_owner"))

    @rule(worker=WORKERS, batch=st.lists(NAMES, min_size=1, max_size=3))
    def begin(self, worker: int, batch: list[tuple[str, ...]]) -> None:
        if worker not in self.running:
            self._start(worker, [self.see(*names) for names in batch])

    @rule(worker=WORKERS, steps=st.integers(1, 12))
    def go_on(self, worker: int, steps: int) -> None:
        for _ in range(steps):
            if worker in self.running:
                self._step(worker)

    @rule(worker=WORKERS)
    def die(self, worker: int) -> None:
        """Killed wherever it stands; a new process gets its batch some time later."""
        if worker in self.running:
            batch, work = self.running.pop(worker)
            work.close()
            self.unfinished.append(batch)
        self.graphs[worker] = IdentityGraph(self.store, 10, any_order(1))

    @precondition(lambda self: self.unfinished)
    @rule(worker=WORKERS)
    def redeliver(self, worker: int) -> None:
        if worker not in self.running:
            self._start(worker, self.unfinished.pop(0))

    @rule(zombie=WORKERS, worker=WORKERS)
    def take_over(self, zombie: int, worker: int) -> None:
        """A batch is handled by two at once, as after a rebalance that one of them has not noticed."""
        if zombie in self.running and worker not in self.running:
            self._start(worker, self.running[zombie][0])

    @rule(worker=WORKERS, names=NAMES)
    def settle_then_see_one_alone(self, worker: int, names: tuple[str, ...]) -> None:
        self._settle()
        sighting = self.see(*names)
        refused = {refusal.link.pair for refusal in self.store.refused.values()}
        expected = joined(self._groups(), refused, sighting)
        self.world.told[sighting.event] = finish(self.graphs[worker].resolve([sighting]))
        self.world.partitions[0].events.append(sighting)
        assert self._groups() == expected

    @invariant()
    def nobody_has_two_user_ids(self) -> None:
        for entity in self.store.population.values():
            assert len(entity.users) <= 1

    @invariant()
    def nothing_is_undone(self) -> None:
        for entity in self.store.population.values():
            version, state = self.versions.get(entity.id, (0, "active"))
            assert entity.ver >= version
            assert state != "merged" or entity.state == "merged"
            self.versions[entity.id] = entity.ver, entity.state
        merges = {merge for entity in self.store.population.values() for merge in entity.absorbed}
        assert merges >= self.merges
        self.merges = merges

    @invariant()
    def redirects_lead_to_somebody_older(self) -> None:
        for entity in self.store.population.values():
            if entity.into:
                assert self.store.population[entity.into].age < entity.age

    def teardown(self) -> None:
        try:
            self._settle()
            check(self.world)
        finally:
            for _, work in self.running.values():
                work.close()

    def _start(self, worker: int, batch: list[Sighting]) -> None:
        self.running[worker] = batch, self.graphs[worker].resolve(batch)

    def _step(self, worker: int) -> None:
        batch, work = self.running[worker]
        try:
            work.send(None)
        except StopIteration as stop:
            del self.running[worker]
            self._told(batch, stop.value)
        except Conflict:
            self._start(worker, batch)
        except BaseException:
            del self.running[worker]  # it is over, and must not be sent to again
            raise

    def _told(self, batch: list[Sighting], resolutions: list[Resolution]) -> None:
        for sighting, resolution in zip(batch, resolutions, strict=True):
            self.world.told.setdefault(sighting.event, []).append(resolution)
            if sighting not in self.world.partitions[0].events:
                self.world.partitions[0].events.append(sighting)

    def _settle(self) -> None:
        """Everybody comes to an end, in turns; then every identifier is looked at once more."""
        for turn in count():
            while self.unfinished and len(self.running) < 3:
                self._start(next(w for w in range(3) if w not in self.running), self.unfinished.pop(0))
            if not self.running:
                break
            self._step(sorted(self.running)[turn % len(self.running)])
            assert turn < 20_000, "the workers never came to an end"
        for pointer in list(self.store.pointing.values()):
            root = self.store.population[pointer.entity]
            if root.state != "active":
                self._heal(pointer.identifier)

    def _heal(self, identifier: Identifier) -> None:
        again = Sighting(UUID(int=0), "acme", "web", 10**13, (Sign(identifier),))
        finish(IdentityGraph(self.store).resolve([again]))

    def _groups(self) -> set[frozenset[str]]:
        groups: dict[UUID, set[str]] = {}
        for name, pointer in self.store.pointing.items():
            groups.setdefault(root_of(self.store, pointer.entity).id, set()).add(name)
        return {frozenset(names) for names in groups.values()}


def joined(groups: set[frozenset[str]], refused: set[str], sighting: Sighting) -> set[frozenset[str]]:
    """Union-find: what was seen with the first identifier joins it, unless that makes one person of two users."""
    found = {name: group for group in groups for name in group}
    for identifier in sighting.identifiers:
        found.setdefault(identifier.pseudonym, frozenset([identifier.pseudonym]))
    first = sighting.first.pseudonym
    for identifier in sighting.identifiers[1:]:
        both = found[first] | found[identifier.pseudonym]
        if pair_of(first, identifier.pseudonym) not in refused and len(both & USERS) < 2:
            found.update(dict.fromkeys(both, both))
    return set(found.values())


USERS: Final = frozenset(sighting.first.pseudonym for sighting in map(Sightings(), ("u1", "u2")))

MANY = settings(max_examples=100, stateful_step_count=25, deadline=None, database=None)
PLENTY = settings(MANY, max_examples=2000, phases=(Phase.generate,), derandomize=True)


def test_the_graph_is_what_the_model_says() -> None:
    run_state_machine_as_test(IdentityMachine, settings=MANY)


@pytest.mark.parametrize("mutant", [Unordered, NoRollBack])
def test_the_model_notices_a_protocol_with_a_step_left_out(
    mutant: type[Unions], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(graph_module, "Unions", mutant)
    with pytest.raises((AssertionError, Conflict, RecursionError, ExceptionGroup)):
        run_state_machine_as_test(IdentityMachine, settings=PLENTY)

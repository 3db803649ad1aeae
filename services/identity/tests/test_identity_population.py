"""A generated stream with known truth: nobody gets two users, order and replay do not matter, crashes neither."""

from __future__ import annotations

import random
from collections.abc import Sequence
from dataclasses import replace
from uuid import UUID

import pytest
from cdp_contracts.events_v1 import EventPermitted
from cdp_identity.domain.rules import Rules
from cdp_identity.domain.sightings import sighting_of
from cdp_identity.store import IdentityGraph, MemoryGraphStore
from identity_builders import PSEUDONYMS, ruled
from identity_checks import root_of
from identity_population import Population


class Stopped(BaseException):
    """What kill -9 looks like from inside."""


class Dying(MemoryGraphStore):
    """Ends the worker at one in so many writes."""

    def __init__(self, dice: random.Random, one_in: int) -> None:
        super().__init__()
        self._dice, self._one_in = dice, one_in

    async def swap(self, entity):  # type: ignore[no-untyped-def]
        if self._dice.randrange(self._one_in) == 0:
            raise Stopped
        return await super().swap(entity)

    async def add_pointers(self, pointers):  # type: ignore[no-untyped-def]
        if self._dice.randrange(self._one_in) == 0:
            raise Stopped
        return await super().add_pointers(pointers)


async def deliver(
    store: MemoryGraphStore, events: Sequence[EventPermitted], dice: random.Random
) -> dict[UUID, UUID]:
    """In batches of any size, again when a worker died; whose each event is in the end."""
    graph, found, position = IdentityGraph(store), {}, 0
    while position < len(events):
        batch = events[position : position + dice.choice((1, 7, 100))]
        try:
            told = await graph.resolve([sighting_of(event, PSEUDONYMS) for event in batch])
        except Stopped:
            graph = IdentityGraph(store)
            continue
        found.update({event.id: resolution.profile_id for event, resolution in zip(batch, told, strict=True)})
        position += len(batch)
    return found


def partition(store: MemoryGraphStore) -> set[frozenset[str]]:
    """Which identifiers belong together."""
    groups: dict[UUID, set[str]] = {}
    for name, pointer in store.pointing.items():
        groups.setdefault(root_of(store, pointer.entity).id, set()).add(name)
    return {frozenset(names) for names in groups.values()}


def owners(store: MemoryGraphStore, people: Population) -> list[set[int]]:
    """Of each person of the graph, whose the identifiers are in truth."""
    kinds = ("user_id", "anonymous_id")
    names = {PSEUDONYMS.of("acme", k, value): person for value, person in people.owner.items() for k in kinds}
    return [{names[name] for name in group if name in names} for group in partition(store)]


@pytest.mark.parametrize("seed", range(3))
async def test_without_shared_devices_everybody_is_exactly_one_person_in_any_order(seed: int) -> None:
    people = Population(random.Random(seed), people=40)
    events, dice = people.live(300), random.Random(seed)
    found = []
    for crashes in (False, True, True):
        store = Dying(dice, 15) if crashes else MemoryGraphStore()
        await deliver(store, events, dice)
        found.append(partition(store))
        assert not store.refused
        assert all(len(group) <= 1 for group in owners(store, people))
        dice.shuffle(events)
    assert found[0] == found[1] == found[2]
    assert len(found[0]) == len(set(people.owner.values()))


@pytest.mark.parametrize("seed", range(6))
@pytest.mark.parametrize("shuffled", [False, True])
async def test_with_tablets_kiosks_and_bombs_nobody_ever_has_two_users(seed: int, shuffled: bool) -> None:
    dice = random.Random(seed)
    people = Population(random.Random(seed), people=30, shared=3)
    events = people.live(300)
    people.bomb(400)
    if shuffled:
        dice.shuffle(events)
    store = Dying(dice, 200)
    await deliver(store, events, dice)
    users = {PSEUDONYMS.of("acme", "user_id", f"user-{n}") for n in range(30)}
    assert all(len(group & users) <= 1 for group in partition(store))
    assert max(len(group) for group in partition(store)) < 60, "the bomb went off"

    before = partition(store), dict(store.population)
    again = await deliver(store, events, dice)
    assert (partition(store), dict(store.population)) == before, "a replay changed something"
    for event in events:
        user = event.event.user_id or ""
        if user.startswith("user-") and PSEUDONYMS.of("acme", "user_id", user) in store.pointing:
            pointer = store.pointing[PSEUDONYMS.of("acme", "user_id", user)]
            home = root_of(store, pointer.entity)
            if not home.marks.get(PSEUDONYMS.of("acme", "user_id", user)):
                assert again[event.id] == home.id, "an identified event is not its user's"


@pytest.mark.parametrize("policy", ["first_owner", "per_device", "last_authenticated"])
async def test_visitors_of_a_tablet_are_whoever_logged_in(policy: str) -> None:
    """The visitor ids are new each time. Once it is known to be shared, nobody's visit is given to another."""
    rules: Rules = ruled(shared_devices=policy)
    people = Population(random.Random(5), people=6, shared=1)
    store = MemoryGraphStore()
    graph = IdentityGraph(store)
    for event in people.live(80):
        await graph.resolve([_by(rules, event)])
    mixed = sum(len(group) - 1 for group in owners(store, people))
    if policy == "first_owner":
        assert mixed > 1, "the first owner is given every next visitor before he logs in"
    else:
        assert mixed <= 1, "only who came second, before he logged in"


def _by(rules: Rules, event: EventPermitted):  # type: ignore[no-untyped-def]
    return replace(sighting_of(event, PSEUDONYMS), rules=rules)

"""Whose an event is, and what becomes of the graph."""

from __future__ import annotations

import random
from collections.abc import AsyncIterator, Callable, Sequence
from typing import Any
from uuid import UUID

import pytest
from cdp_identity.domain.facts import Resolution
from cdp_identity.domain.sightings import Sighting
from cdp_identity.store import GraphStore, IdentityGraph, MemoryGraphStore
from cdp_identity.store.view import PointerCache, View
from cdp_runtime.failures import Away
from hypothesis import given, settings
from hypothesis import strategies as st
from identity_builders import Sightings, ident, resolve, ruled

FIRST_OWNER = ruled(shared_devices="first_owner")


@pytest.fixture
def see() -> Sightings:
    return Sightings()


async def test_a_device_keeps_its_person_when_a_user_logs_in(store: GraphStore, see: Sightings) -> None:
    before, login, after = await resolve(store, see("d1"), see("u1", "e1", "d1"), see("u1"))
    assert before.profile_id == login.profile_id == after.profile_id
    assert login.merges == login.refusals == ()
    assert (before.part, login.part) == (ident("d1").pseudonym, ident("u1").pseudonym)


async def test_a_login_on_a_second_device_merges_the_younger_into_the_older(
    store: GraphStore, see: Sightings
) -> None:
    phone, laptop = see("u1", "d1"), see("d2")
    login = see("u1", "d2")
    first, second, third = await resolve(store, phone, laptop, login)
    (merge,) = third.merges
    assert (merge.survivor, merge.absorbed) == (first.profile_id, second.profile_id)
    assert third.profile_id == first.profile_id
    assert (merge.link.event, merge.link.first, merge.link.other) == (
        login.event, ident("u1").pseudonym, ident("d2").pseudonym,
    )  # fmt: skip
    assert [r.profile_id for r in await resolve(store, see("d2"), see("u1"))] == [first.profile_id] * 2


async def test_the_oldest_survives_whoever_logs_in_first(store: GraphStore, see: Sightings) -> None:
    old, young = see("d1"), see("u1", "d2")
    late, early, merged = await resolve(store, young, old, see("u1", "d1"))
    assert merged.profile_id == early.profile_id != late.profile_id


async def test_a_pointer_that_could_not_be_moved_is_moved_by_the_next_pass(see: Sightings) -> None:
    class Forgetful(MemoryGraphStore):
        away = True

        async def repoint(self, moves: Sequence[tuple[str, UUID, UUID]]) -> None:
            if self.away:
                raise Away
            await super().repoint(moves)

    store = Forgetful()
    graph = IdentityGraph(store)
    phone, laptop, login = see("u1", "d1"), see("d2"), see("u1", "d2")
    (first, _) = await graph.resolve([phone, laptop])
    with pytest.raises(Away):
        await graph.resolve([login])
    store.away = False
    await graph.resolve([login])
    assert {pointer.entity for pointer in store.pointing.values()} == {first.profile_id}


async def test_an_email_brings_devices_together_before_any_login(store: GraphStore, see: Sightings) -> None:
    one, two = await resolve(store, see("e1", "d1"), see("e1", "d2"))
    assert one.profile_id == two.profile_id


async def test_a_shared_device_stays_with_its_first_owner(store: GraphStore) -> None:
    see = Sightings(FIRST_OWNER)
    ada, _, bob, tablet = await resolve(store, see("u1", "d1"), see("u2"), see("u2", "d1"), see("d1"))
    assert bob.profile_id != ada.profile_id == tablet.profile_id
    (refusal,) = bob.refusals
    assert (refusal.profile_id, refusal.other, refusal.limit) == (bob.profile_id, ada.profile_id, "user_id:1")


@pytest.mark.parametrize("before", [(), ("d1",)])
async def test_a_shared_device_stays_with_its_first_owner_also_within_one_batch(
    store: GraphStore, before: tuple[str, ...]
) -> None:
    see = Sightings(FIRST_OWNER)
    (ada,) = await resolve(store, see("u1", "d9"))
    batch = [*map(see, before), see("u1", "d1"), see("u2", "d1"), see("d1")]
    *_, login, bob, tablet = await IdentityGraph(store).resolve(batch)
    assert bob.profile_id != ada.profile_id == login.profile_id == tablet.profile_id
    assert [refusal.other for refusal in bob.refusals] == [ada.profile_id]


async def test_a_new_user_on_anothers_device_gets_a_profile_of_its_own(store: GraphStore, see: Sightings) -> None:
    ada, bob = await resolve(store, see("u1", "d1"), see("u2", "e2", "d1"))
    assert bob.profile_id != ada.profile_id
    assert [refusal.link.other for refusal in bob.refusals] == [ident("d1").pseudonym]
    (mail,) = await resolve(store, see("e2"))
    assert mail.profile_id == bob.profile_id


async def test_a_refusal_is_told_once_by_the_event_that_came_first(store: GraphStore, see: Sightings) -> None:
    first, second = see("u2", "d1"), see("u2", "d1")
    _, told, silent, again = await resolve(store, see("u1", "d1"), first, second, first)
    assert told.refusals == again.refusals != ()
    assert silent.refusals == ()


async def test_an_address_beyond_the_limit_stays_apart(store: GraphStore, see: Sightings) -> None:
    logins = [see("u1", f"e{n}") for n in range(6)]
    *_, over = await resolve(store, *logins)
    assert [refusal.limit for refusal in over.refusals] == ["email:5/365d"]
    (lonely,) = await resolve(store, see("e5"))
    assert lonely.profile_id != over.profile_id


async def test_one_tenants_identifiers_are_not_anothers(store: GraphStore, see: Sightings) -> None:
    one, two = await resolve(store, see("u1", "d1"), see("u1", "d1", tenant="umbrella"))
    assert one.profile_id != two.profile_id


async def test_redirects_are_followed_and_then_cut_short(store: GraphStore, see: Sightings) -> None:
    people = [see(f"d{n}") for n in range(5)]
    resolved = await resolve(store, *people)
    logins = [see(f"d{n}", f"d{n + 1}") for n in reversed(range(4))]
    *_, last = await resolve(store, *logins)
    assert last.profile_id == resolved[0].profile_id
    await resolve(store, see("d4"))
    assert await store.pointers([ident("d4").pseudonym]) == {ident("d4").pseudonym: resolved[0].profile_id}


async def test_a_batch_is_resolved_as_one_by_one(store: GraphStore, see: Sightings) -> None:
    batch = [see("d1"), see("u1", "d1"), see("u1", "d2"), see("d2"), see("u2", "d1"), see("e1", "d2"), see("e1")]
    resolved = await IdentityGraph(store).resolve(batch)
    ada, bob = resolved[0].profile_id, resolved[4].profile_id
    assert [r.profile_id for r in resolved] == [ada, ada, ada, ada, bob, ada, ada]
    assert ada != bob


async def test_a_root_read_before_the_merges_that_lead_to_it_is_read_again(see: Sightings) -> None:
    store = MemoryGraphStore()
    old, young = await resolve(store, see("u1"), see("d1"))
    view = View(store, PointerCache(10))
    await view.load([ident("u1")])
    await resolve(store, login := see("u1", "d1"))
    root = await view.root(young.profile_id)
    assert root.id == old.profile_id
    assert [merge.absorbed for merge in root.merges_by(login.event)] == [young.profile_id]


async def test_a_pointer_to_nothing_is_an_error_without_the_identifier(see: Sightings) -> None:
    store = MemoryGraphStore()
    await resolve(store, see("u1"))
    store.population.clear()
    with pytest.raises(LookupError, match="not stored"):
        await resolve(store, see("u1"))


def test_the_cache_forgets_what_was_used_least_recently(see: Sightings) -> None:
    cache, entity = PointerCache(2), see("u1").event
    for name in ("d1", "d2"):
        cache.put(ident(name), entity)
    cache.get(ident("d1"))
    cache.put(ident("d3"), entity)
    assert [cache.get(ident(name)) for name in ("d1", "d2", "d3")] == [entity, None, entity]


class Stopped(BaseException):
    """What kill -9 looks like from inside."""


class Trips:
    """A store that counts its round trips and can be made to end the worker before one of them."""

    def __init__(self, store: MemoryGraphStore) -> None:
        self.store = store
        self.made = 0
        self.last: int | None = None

    def __getattr__(self, name: str) -> Callable[..., Any]:
        method = getattr(self.store, name)

        async def trip(*arguments: object) -> object:
            if self.made == self.last:
                raise Stopped
            self.made += 1
            return await method(*arguments)

        return trip


def conflicting_stream() -> list[Sighting]:
    """A stream in which every step of the protocol is taken, refusals and chains of merges included."""
    see = Sightings()
    stream = [
        ("d1",),
        ("d2",),
        ("u1", "d2"),
        ("d3",),
        ("e1", "d3"),
        ("u1", "e1"),
        ("u2", "d1"),
        ("u1", "d1", "d3"),
    ]
    return [see(*names) for names in (*stream, ("u1", "e2", "d1"), ("d4", "d5"), ("e2", "d4", "d2"))]


async def deliver(store: Any, stream: list[Sighting], batch: int) -> list[Resolution]:
    graph = IdentityGraph(store)
    told: list[Resolution] = []
    for start in range(0, len(stream), batch):
        told += await graph.resolve(stream[start : start + batch])
    return told


async def stopped_and_redelivered(batch: int) -> AsyncIterator[tuple[MemoryGraphStore, list[Resolution]]]:
    """For each round trip of the stream: the store, and what was told after a stop just before that trip."""
    stream = conflicting_stream()
    smooth = Trips(MemoryGraphStore())
    await deliver(smooth, stream, batch)
    for last in range(smooth.made):
        trips = Trips(MemoryGraphStore())
        trips.last = last
        with pytest.raises(Stopped):
            await deliver(trips, stream, batch)
        yield trips.store, await deliver(trips.store, stream, batch)


def facts_of(told: list[Resolution]) -> list[object]:
    return [(resolution.part, resolution.merges, resolution.refusals) for resolution in told]


async def test_stopped_at_any_round_trip_the_same_is_told_as_without_the_stop() -> None:
    smooth = MemoryGraphStore()
    want = await deliver(smooth, conflicting_stream(), 1)
    assert any(resolution.merges for resolution in want)
    assert any(resolution.refusals for resolution in want)
    async for store, told in stopped_and_redelivered(1):
        assert facts_of(told) == facts_of(want)
        assert await partition(store) == await partition(smooth)
        assert {e.id: (e.state, e.into, e.absorbed) for e in store.population.values()} == {
            e.id: (e.state, e.into, e.absorbed) for e in smooth.population.values()
        }


@pytest.mark.parametrize("batch", [3, 11])
async def test_stopped_at_any_round_trip_of_a_batch_all_that_was_done_is_told(batch: int) -> None:
    async for store, told in stopped_and_redelivered(batch):
        done = {merge for entity in store.population.values() for merge in entity.absorbed}
        assert {merge for resolution in told for merge in resolution.merges} == done
        assert {refusal for resolution in told for refusal in resolution.refusals} == set(store.refused.values())
        assert facts_of(await deliver(store, conflicting_stream(), batch)) == facts_of(told)


async def test_a_replay_tells_the_same_and_changes_nothing() -> None:
    store, stream = MemoryGraphStore(), conflicting_stream()
    first = await deliver(store, stream, 4)
    before = dict(store.population), dict(store.pointing), dict(store.evidence), dict(store.refused)
    again = await deliver(store, stream, 3)
    assert facts_of(again) == facts_of(first)
    assert (store.population, store.pointing, store.evidence, store.refused) == before


EVENTS = st.lists(st.tuples(st.integers(0, 3), st.sets(st.integers(0, 5), min_size=1, max_size=3)), max_size=25)


@settings(max_examples=60)
@given(st.integers(1, 4), EVENTS, st.randoms(use_true_random=False))
async def test_the_order_of_events_without_conflict_does_not_matter(
    people: int, events: list[tuple[int, set[int]]], dice: random.Random
) -> None:
    """Each person has one user id, two addresses and three devices; each event names some of one person's."""
    see = Sightings()
    ids = ["u{}", "e{}0", "e{}1", "d{}0", "d{}1", "d{}2"]
    stream = [see(*(ids[n].format(person % people) for n in sorted(named))) for person, named in events]
    partitions = []
    for _ in range(3):
        store = MemoryGraphStore()
        for start in range(0, len(stream), 3):
            await IdentityGraph(store).resolve(stream[start : start + 3])
        partitions.append(await partition(store))
        dice.shuffle(stream)
    assert partitions[0] == partitions[1] == partitions[2]
    assert not store.refused


async def partition(store: MemoryGraphStore) -> set[frozenset[str]]:
    """Which identifiers belong together."""
    view = View(store, PointerCache(0))
    members: dict[object, set[str]] = {}
    for name, pointer in store.pointing.items():
        members.setdefault((await view.root(pointer.entity)).id, set()).add(name)
    return {frozenset(names) for names in members.values()}

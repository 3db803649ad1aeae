"""Devices that several users log in on, by each policy, and identifiers that too many persons ask for."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import pytest
from cdp_identity.domain.facts import Resolution
from cdp_identity.domain.identifiers import Identifier, Sign
from cdp_identity.domain.marks import Mark, device_profile, joined
from cdp_identity.domain.sightings import Sighting
from cdp_identity.store import GraphStore, IdentityGraph, MemoryGraphStore
from identity_builders import Sightings, ident, resolve, ruled

KIOSK = device_profile(ident("d1").pseudonym)


@pytest.fixture
def see() -> Sightings:
    return Sightings()


async def test_anonymous_events_on_a_shared_device_are_a_person_of_their_own(
    store: GraphStore, see: Sightings
) -> None:
    before, ada, bob = await resolve(store, see("d1"), see("u1", "d1"), see("u2", "d1"))
    tablet, ada_again, bob_again = await resolve(store, see("d1"), see("u1", "d1"), see("u2", "d1"))
    assert before.profile_id == ada.profile_id == ada_again.profile_id
    assert bob.profile_id == bob_again.profile_id
    assert tablet.profile_id == KIOSK
    assert [refusal.limit for refusal in bob.refusals] == ["user_id:1"]


async def test_a_worker_with_an_old_cache_knows_it_too(see: Sightings) -> None:
    store = MemoryGraphStore()
    old = IdentityGraph(store)
    await old.resolve([see("u1", "d1")])
    await resolve(store, see("u2", "d1"))
    (tablet,) = await old.resolve([see("d1")])
    assert tablet.profile_id == KIOSK


async def test_what_came_before_the_second_login_stays_the_firsts(store: GraphStore, see: Sightings) -> None:
    login, anonymous, second = see("u1", "d1"), see("d1"), see("u2", "d1")
    ada, before, _ = await resolve(store, login, anonymous, second)
    (redelivered,) = await resolve(store, anonymous)
    assert ada.profile_id == before.profile_id == redelivered.profile_id


async def test_within_one_batch_it_is_as_one_by_one(store: GraphStore, see: Sightings) -> None:
    batch = [see("u1", "d1"), see("d1"), see("u2", "d1"), see("d1")]
    ada, before, bob, after = await IdentityGraph(store).resolve(batch)
    assert (before.profile_id, after.profile_id) == (ada.profile_id, KIOSK)
    assert bob.profile_id != ada.profile_id


async def test_nobody_is_joined_through_a_shared_device(store: GraphStore, see: Sightings) -> None:
    """The next visitors leave an address on the kiosk: they are neither the first user nor each other."""
    ada, _, one, two = await resolve(store, see("u1", "d1"), see("u2", "d1"), see("e1", "d1"), see("e2", "d1"))
    assert len({ada.profile_id, one.profile_id, two.profile_id}) == 3
    assert [refusal.limit for refusal in one.refusals] == ["shared-device"]


async def test_an_address_of_two_users_is_no_device_and_stays_with_the_first(
    store: GraphStore, see: Sightings
) -> None:
    ada, _, mail = await resolve(store, see("u1", "e1"), see("u2", "e1"), see("e1"))
    assert mail.profile_id == ada.profile_id


async def test_the_first_owner_keeps_it_if_the_rules_say_so(store: GraphStore) -> None:
    see = Sightings(ruled(shared_devices="first_owner"))
    ada, _, tablet, mail = await resolve(store, see("u1", "d1"), see("u2", "d1"), see("d1"), see("e1", "d1"))
    assert ada.profile_id == tablet.profile_id == mail.profile_id


async def test_whoever_logged_in_last_has_it_if_the_rules_say_so(store: GraphStore) -> None:
    see = Sightings(ruled(shared_devices="last_authenticated"))
    stream = [see("u1", "d1"), see("u2", "d1"), see("d1"), see("u3", "d1"), see("d1"), see("u1", "d1"), see("d1")]
    ada, bob, his, eve, hers, _, again = await resolve(store, *stream)
    assert (his.profile_id, hers.profile_id) == (bob.profile_id, eve.profile_id)
    assert again.profile_id == ada.profile_id
    redelivered = await resolve(store, *stream)
    assert [r.profile_id for r in redelivered][1:] == [
        r.profile_id for r in (bob, his, eve, hers, ada, again)
    ]  # fmt: skip


async def test_an_id_that_is_new_after_logout_is_a_new_visitor_on_the_same_tablet(
    store: GraphStore, see: Sightings
) -> None:
    """`reset()` gives a new anonymous id; the device's own id stays, and two users have used it."""
    ada, bob, guest = await resolve(store, see("u1", "d1", "k1"), see("u2", "d2", "k1"), see("d3", "k1"))
    assert len({ada.profile_id, bob.profile_id, guest.profile_id}) == 3


def test_marks_join_in_any_order_the_same() -> None:
    shared, blocked = Mark("shared", 5, ((5, "a"),)), Mark("blocked", 9)
    other = Mark("shared", 3, ((3, "b"),))
    one = joined(joined({"x": shared}, {"x": blocked}), {"x": other})
    two = joined(joined({"x": other}, {"x": blocked}), {"x": shared})
    assert one == two == {"x": Mark("blocked", 9, ((3, "b"), (5, "a")))}
    assert joined({"x": shared}, {"x": other}) == {"x": Mark("shared", 3, ((3, "b"), (5, "a")))}


def crowd(see: Sightings, size: int, first: int = 0, day: float = 0) -> list[Sighting]:
    """Users of an address that no list of placeholders knows: info@ of some shop."""
    return [see(f"u{first + n}", "e0", day=day) for n in range(size)]


async def test_what_a_hundred_persons_ask_for_in_a_day_is_nobodys(store: GraphStore, see: Sightings) -> None:
    told = await resolve(store, *crowd(see, 100))
    assert not any(resolution.blocked for resolution in told)
    (last,) = await resolve(store, *crowd(see, 1, first=100))
    assert last.blocked == (ident("e0"),)
    nobody, next_ = await resolve(store, see("e0", "d7"), see("u500", "e0"))
    (device,) = await resolve(store, see("d7"))
    assert nobody.part == ident("d7").pseudonym
    assert device.profile_id == nobody.profile_id
    assert next_.refusals == ()


async def test_a_hundred_over_two_days_are_not_enough(see: Sightings) -> None:
    stream = [*crowd(see, 60), *crowd(see, 60, first=60, day=1.5)]
    told = await resolve(MemoryGraphStore(), *stream)
    assert not any(resolution.blocked for resolution in told)


async def test_who_asks_twice_counts_once(see: Sightings) -> None:
    stream = crowd(see, 60) + crowd(see, 60)
    told = await resolve(MemoryGraphStore(), *stream)
    assert not any(resolution.blocked for resolution in told)


async def test_an_event_that_names_only_what_is_blocked_is_its_subjects(store: GraphStore) -> None:
    see = Sightings(ruled(fan_in=2))
    await resolve(store, *crowd(see, 3))
    (lone, again) = await resolve(store, see("e0"), see("e0"))
    assert lone.profile_id == again.profile_id
    assert lone.part == see("e0").subject


async def test_a_block_from_before_is_kept_by_whoever_absorbs_it(store: GraphStore) -> None:
    see = Sightings(ruled(fan_in=2))
    old, *_ = await resolve(store, see("d9"), *crowd(see, 3))
    (merged,) = await resolve(store, see("u0", "d9"))
    assert merged.profile_id == old.profile_id
    (lone,) = await resolve(store, see("e0", "d8"))
    assert lone.part == ident("d8").pseudonym


def bomb(see: Sightings, size: int) -> list[Sighting]:
    """One user under whom a broken client aliases every visitor it ever saw."""
    return [see("u1", f"d{n}") for n in range(size)]


async def deliver(store: GraphStore, stream: Sequence[Sighting], size: int) -> list[Resolution]:
    graph = IdentityGraph(store)
    return [
        resolution
        for start in range(0, len(stream), size)
        for resolution in await graph.resolve(stream[start : start + size])
    ]


async def test_a_merge_bomb_of_ten_thousand_ids_is_refused_and_nothing_halts(see: Sightings) -> None:
    store = MemoryGraphStore()
    await deliver(store, [see(f"d{n}") for n in range(10_000)], 2000)
    told = await deliver(store, bomb(see, 10_000), 2000)
    assert len(told) == 10_000
    merges = {merge for resolution in told for merge in resolution.merges}
    limits = {refusal.limit for resolution in told for refusal in resolution.refusals}
    assert 0 < len(merges) <= 20
    assert limits == {"anonymous_id:20/30d"}
    assert [identifier for resolution in told for identifier in resolution.blocked] == [ident("u1")]
    assert max(entity.size for entity in store.population.values()) <= 21


@pytest.mark.parametrize(("said", "limit"), [
    ({"merges_per_person": 7}, "merges:7"), ({"identifiers_per_person": 5}, "identifiers:5"),
])  # fmt: skip
async def test_the_cap_is_the_reason_where_it_is_met_first(said: dict[str, int], limit: str) -> None:
    see, store = Sightings(ruled(**said)), MemoryGraphStore()
    await deliver(store, [see(f"d{n}") for n in range(30)], 30)
    told = await deliver(store, bomb(see, 30), 10)
    assert {refusal.limit for resolution in told for refusal in resolution.refusals} == {limit}


async def test_two_devices_of_one_event_may_both_be_shared(store: GraphStore, see: Sightings) -> None:
    await resolve(store, see("u1", "d1", "k1"), see("u2", "d1", "k1"))
    (anonymous,) = await resolve(store, see("d1", "k1"))
    assert anonymous.profile_id == KIOSK


async def test_what_is_known_under_a_former_pepper_keeps_its_pseudonym(store: GraphStore, see: Sightings) -> None:
    (before,) = await resolve(store, see("u1", "d1"))

    def rotated(sighting: Sighting) -> Sighting:
        signs = tuple(
            Sign(Identifier(i.kind, f"{n:032x}{i.pseudonym}"[-32:][::-1]), "same-event", (i.pseudonym,))
            for n, i in enumerate(sighting.identifiers)
        )
        return replace(sighting, signs=signs)

    known, new = await resolve(store, rotated(see("u1", "d1")), rotated(see("u2")))
    assert (known.profile_id, known.part) == (before.profile_id, before.part)
    assert new.profile_id != before.profile_id
    assert new.part == ident("u2").pseudonym[::-1]

"""Entities, their limits, and the persons first seen in a batch."""

from __future__ import annotations

from dataclasses import replace

import pytest
from cdp_identity.domain.entities import Entity
from cdp_identity.domain.rules import DAY_MS, SHIPPED
from cdp_identity.domain.sightings import births
from identity_builders import Sightings, ident

BOUNDS = SHIPPED.bounds
((_, LINK),) = Sightings()("u1", "d1").links()
NOW = LINK.seen_at


@pytest.fixture
def see() -> Sightings:
    return Sightings()


def test_two_users_never_fit_into_one_entity(see: Sightings) -> None:
    ada, bob = see("u1").newborn(ident("u1")), see("u2").newborn(ident("u2"))
    assert ada.bars(bob, LINK, BOUNDS) == ("user_id:1",)
    assert ada.bars_new([ident("u2")], BOUNDS, NOW)
    assert not ada.bars_new([ident("u1"), ident("d1")], BOUNDS, NOW)


def test_a_person_has_at_most_five_addresses(see: Sightings) -> None:
    ada = see("u1").newborn(ident("u1")).claiming([ident(f"e{n}") for n in range(5)], NOW)
    mail = see("e5").newborn(ident("e5"))
    assert not ada.bars_new([ident("e4")], BOUNDS, NOW)
    assert ada.bars_new([ident("e5")], BOUNDS, NOW)
    assert ada.bars(mail, LINK, BOUNDS) == ("email:5/365d",)
    assert not ada.bars_new([ident("e5")], BOUNDS, NOW + 366 * DAY_MS)


def test_an_entity_stays_small_enough_for_a_document(see: Sightings) -> None:
    ada, device = see("u1").newborn(ident("u1")), see("d1").newborn(ident("d1"))
    assert replace(ada, size=1000).bars(device, LINK, BOUNDS) == ("identifiers:1000",)
    merge = device.frozen(ada, see("u1", "d1").links()[0][1], BOUNDS)
    full = ada
    for _ in range(100):
        full = full.absorbing(merge)
    assert full.bars(device, LINK, BOUNDS) == ("merges:100",)


def test_absorbing_takes_all_and_remembers_why(see: Sightings) -> None:
    sighting = see("u1", "d1")
    ada, device = see("u1").newborn(ident("u1")), see("d1").newborn(ident("d1"))
    ((_, link),) = sighting.links()
    both = ada.absorbing(device.frozen(ada, link, BOUNDS))
    assert (set(both.claims), both.size) == ({ident("u1"), ident("d1")}, 2)
    assert [(merge.absorbed, merge.survivor) for merge in both.merges_by(sighting.event)] == [(device.id, ada.id)]
    assert both.has_absorbed([device.id])
    assert not both.has_absorbed([device.id, ada.id])


def test_only_a_frozen_entity_can_be_absorbed(see: Sightings) -> None:
    ada, device = see("u1").newborn(ident("u1")), see("d1").newborn(ident("d1"))
    with pytest.raises(ValueError, match="frozen"):
        ada.absorbing(device)


def test_every_change_is_one_version_later(see: Sightings) -> None:
    ada, device = see("u1").newborn(ident("u1")), see("d1").newborn(ident("d1"))
    frozen = device.frozen(ada, see("u1", "d1").links()[0][1], BOUNDS)
    assert [frozen.ver, frozen.thawed().ver, frozen.merged(ada.id).ver, ada.absorbing(frozen).ver] == [2, 3, 3, 2]
    assert frozen.thawed() == replace(device, ver=3)


def test_the_older_entity_survives_and_the_id_decides_between_twins() -> None:
    old, young = (Entity(Sightings()("d1").event, "acme", born) for born in (1, 2))
    assert old.age < young.age


def test_persons_first_seen_in_a_batch_are_made_whole(see: Sightings) -> None:
    batch = [see("d1"), see("u1", "d1"), see("u1", "e1", "d1"), see("d2"), see("u1", "d3")]
    made = births(batch, lambda identifier: False)
    assert [(birth.first, list(birth.others)) for birth in made] == [
        (ident("u1"), [ident("d1"), ident("e1"), ident("d3")]), (ident("d2"), []),
    ]  # fmt: skip
    assert set(made[0].entity.claims) == {ident(name) for name in ("u1", "d1", "e1", "d3")}
    assert (made[0].entity.size, made[0].entity.ver) == (4, 1)


def test_a_newborn_has_the_same_id_on_every_redelivery(see: Sightings) -> None:
    sighting = see("u1", "d1")
    assert births([sighting], lambda _: False) == births([sighting], lambda _: False)


@pytest.mark.parametrize(
    "names",
    [
        [("u1", "d1"), ("u2", "d1")],  # a shared device
        [("u1", "d1"), ("e1", "d1")],  # together only through the device
        [("u1", "d1"), ("u2", "d2"), ("e1", "d1", "d2")],  # would join two
    ],
)
def test_what_is_not_plainly_one_person_is_left_to_the_unions(
    see: Sightings, names: list[tuple[str, ...]]
) -> None:
    made = births([see(*each) for each in names], lambda identifier: False)
    assert len(made) == len(names) - 1


def test_somebody_known_is_not_born_again(see: Sightings) -> None:
    assert births([see("u1", "d1")], lambda identifier: identifier == ident("d1")) == []

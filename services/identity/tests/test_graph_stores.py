"""One suite for the graph in memory and the graph on MongoDB's wire."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from uuid import uuid4

import pytest
from cdp_identity.domain.entities import Refusal
from cdp_identity.domain.marks import Mark
from cdp_identity.domain.rules import DAY_MS, SHIPPED
from cdp_identity.store import GraphStore, Pointer
from cdp_identity.store.documents import entity_document, entity_of
from cdp_identity.store.mongo import MongoGraphStore
from cdp_runtime.settings import MongoSettings
from identity_builders import Sightings, ident
from pymongo.errors import ServerSelectionTimeoutError


@pytest.fixture
def see() -> Sightings:
    return Sightings()


async def test_pointers_are_added_once(store: GraphStore) -> None:
    first, second = uuid4(), uuid4()
    d1, d2, d3 = ident("d1"), ident("d2"), ident("d3")
    assert await store.add_pointers([Pointer(d1, "acme", first)]) == set()
    again = [Pointer(identifier, "acme", second) for identifier in (d2, d1, d3)]
    assert await store.add_pointers(again) == {d1.pseudonym}
    found = await store.pointers([d1.pseudonym, d2.pseudonym, d3.pseudonym, "unknown"])
    assert found == {d1.pseudonym: first, d2.pseudonym: second, d3.pseudonym: second}


async def test_a_pointer_moves_only_from_where_it_was(store: GraphStore) -> None:
    old, new, other = uuid4(), uuid4(), uuid4()
    pointers = [Pointer(ident(name), "acme", old) for name in ("d1", "d2")]
    await store.add_pointers(pointers)
    d1, d2 = (pointer.identifier.pseudonym for pointer in pointers)
    await store.repoint([(d1, old, new), (d2, other, new)])
    assert await store.pointers([d1, d2]) == {d1: new, d2: old}


async def test_an_entity_comes_back_as_it_was_stored(store: GraphStore, see: Sightings) -> None:
    ((_, link),) = see("u1", "d1").links()
    ada = see("u1").newborn(ident("u1")).claiming([ident("e1"), ident("e2")], 7)
    device = see("d1").newborn(ident("d1")).frozen(ada, link, SHIPPED.bounds)
    whole = ada.absorbing(device)
    assert await store.add_entities([whole, device]) == set()
    assert await store.entities([whole.id, device.id, uuid4()]) == {whole.id: whole, device.id: device}


async def test_entities_are_added_once(store: GraphStore, see: Sightings) -> None:
    ada, device = see("u1").newborn(ident("u1")), see("d1").newborn(ident("d1"))
    await store.add_entities([ada])
    assert await store.add_entities([replace(ada, size=7), device]) == {ada.id}
    assert (await store.entities([ada.id]))[ada.id] == ada


async def test_a_swap_wins_only_over_the_version_before(store: GraphStore, see: Sightings) -> None:
    ada = see("u1").newborn(ident("u1"))
    assert not await store.swap(ada.claiming([ident("e1")], 7))
    await store.add_entities([ada])
    one, two = ada.claiming([ident("e1")], 7), ada.claiming([ident("e2")], 7)
    assert await store.swap(one)
    assert not await store.swap(two)
    assert await store.swap(one.claiming([ident("e2")], 7))
    assert (await store.entities([ada.id]))[ada.id].claims.keys() == {ident("u1"), ident("e1"), ident("e2")}


async def test_only_one_of_many_swaps_at_once_wins(store: GraphStore, see: Sightings) -> None:
    ada = see("u1").newborn(ident("u1"))
    await store.add_entities([ada])
    won = await asyncio.gather(*(store.swap(ada.claiming([ident(f"d{n}")], 7)) for n in range(10)))
    assert won.count(True) == 1


async def test_refusals_keep_the_first_that_was_noted(store: GraphStore, see: Sightings) -> None:
    ((_, link),) = see("u1", "d1").links()
    first = Refusal(uuid4(), uuid4(), "user_id:1", link)
    assert await store.add_refusals([first]) == set()
    again, other = replace(first, other=uuid4()), replace(first, limit="email:5")
    assert await store.add_refusals([again, other]) == {first.key}
    assert await store.refusals([first.key, other.key, "unknown"]) == {first.key: first, other.key: other}


async def test_links_may_be_appended_twice(store: GraphStore, see: Sightings) -> None:
    links = [link for _, link in see("u1", "d1", "d2").links()]
    await store.add_links(links[:1])
    await store.add_links([*links, *links])


async def test_evidence_is_found_by_either_identifier_and_by_no_other_that_begins_alike(
    store: GraphStore, see: Sightings
) -> None:
    links = [link for names in (("u1", "d1"), ("u2", "d1"), ("u1", "e1")) for _, link in see(*names).links()]
    await store.add_links(links)
    one, two, three = links
    found = [await store.links_of([ident(name).pseudonym]) for name in ("u1", "d1", "e1")]
    assert list(map(set, found)) == [{one, three}, {one, two}, {three}]
    assert await store.links_of([ident("u1").pseudonym[:-1], f"{ident('u1').pseudonym}."]) == []
    assert set(await store.links_of([ident("u2").pseudonym, ident("e1").pseudonym])) == {two, three}


async def test_ping(store: GraphStore) -> None:
    await store.ping()


async def test_a_store_that_is_away_says_so() -> None:
    store = MongoGraphStore(MongoSettings(url="mongodb://127.0.0.1:9", timeout_seconds=0.1))
    with pytest.raises(ServerSelectionTimeoutError):
        await store.pointers(["x"])
    with pytest.raises(ServerSelectionTimeoutError):
        await store.ping()
    await store.close()


def test_a_person_that_the_release_before_stored_is_read_with_all_it_claims(see: Sightings) -> None:
    ada = see("u1").newborn(ident("u1")).claiming([ident("e1")], 7)
    before = entity_document(ada)
    for name in ("bounds", "claims", "marks", "vetoes"):
        del before[name]
    assert entity_of(before).claims == dict.fromkeys((ident("u1"), ident("e1")), ada.born)
    assert entity_document(ada)["uniq"] == {"user_id": [ident("u1").pseudonym], "email": [ident("e1").pseudonym]}


async def test_a_marked_and_vetoed_person_comes_back_as_it_was_stored(store: GraphStore, see: Sightings) -> None:
    mark = Mark("shared", 5, ((5, ident("u1").pseudonym),))
    ada = see("u1").newborn(ident("u1")).marked(ident("d1").pseudonym, mark).vetoing("some-veto+")
    await store.add_entities([ada])
    assert await store.entities([ada.id]) == {ada.id: ada}


async def test_who_asked_is_counted_once_within_the_time(store: GraphStore, see: Sightings) -> None:
    sightings = [see("u1", "e0"), see("u2", "e0"), see("u2", "e0"), see("u3", "e0", day=2)]
    refusals = [
        Refusal(uuid4(), uuid4(), limit, s.links()[0][1]) for s in sightings for limit in ("user_id:1", "source")
    ]
    await store.add_refusals(refusals)
    since = sightings[0].seen_at
    assert await store.asked([ident("e0").pseudonym, ident("u2").pseudonym, "unknown"], since - 1) == {
        ident("e0").pseudonym: 3, ident("u2").pseudonym: 1,
    }  # fmt: skip
    assert await store.asked([ident("e0").pseudonym], since + DAY_MS) == {ident("e0").pseudonym: 1}


@pytest.mark.wire
async def test_the_pepper_of_a_pseudonym_is_noted(mongo_settings: MongoSettings) -> None:
    store = MongoGraphStore(mongo_settings, pepper="abcd1234")
    await store.add_pointers([Pointer(ident("d1"), "acme", uuid4())])
    document = await store._identifiers.find_one({"_id": ident("d1").pseudonym})
    assert document
    assert document["pepper"] == "abcd1234"
    await store.close()

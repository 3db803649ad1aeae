"""What is counted by identifier: how it is stored, whose it becomes, and what stays behind."""

from __future__ import annotations

import pytest
from cdp_runtime.records import document_of, restored
from cdp_segments.domain import latching
from cdp_segments.domain.engine import involved, react, wake
from cdp_segments.domain.person import Person
from cdp_segments.domain.telling import Delivery, milliseconds_of

MINE, TABLET = "a" * 32, "b" * 32
VIEWED = {"kind": "count", "event": "view", "op": ">=", "n": 1}
VISIT = {"kind": "session", "gap_seconds": 10}
LEFT_THE_CART = {
    "kind": "in_session", "session": VISIT,
    "all": [{"event": "view", "n": 1}, {"event": "buy", "op": "==", "n": 0}],
}  # fmt: skip
TOLD_WITHOUT_PARTS = {
    "tenant", "partition", "into", "definitions", "evaluated_at", "next_deadline", "wake_at", "version", "members",
    "rings", "visits", "ever", "facts", "told", "fired", "draw",
}  # fmt: skip


@pytest.fixture
def catalog(make):
    pro = make.segment("pro", kind="trait", trait="plan", op="==", value="pro")
    return make.catalog(
        make.segment("viewed", **VIEWED), make.segment("twice", **{**VIEWED, "n": 2}), pro,
        make.segment("left-the-cart", **LEFT_THE_CART),
        make.segment("engaged", **VIEWED | {"n": 2, "window": VISIT}),
    )  # fmt: skip


@pytest.fixture
def happen(catalog, store):
    """Updates one after the other, each loaded and saved by itself; all people after it."""

    async def happen(*updates):
        people = {}
        for n, update in enumerate(updates):
            people = await store.load(involved(update))
            react(people, update, Delivery(0, n, milliseconds_of(update.received_at)), catalog)
            await store.save(people)
        return people

    return happen


@pytest.fixture
def store(bare_evaluator):
    return bare_evaluator.people


async def test_who_has_nothing_new_is_written_as_before(make, store, happen):
    await happen(make.event(1, "ann"), make.merge(2, "ann", "device"))
    document = store.records.documents[make.person_id("ann")]
    assert document["schema_version"] == 1
    assert document.keys() - {"_id", "rev", "recent", "schema_version"} == TOLD_WITHOUT_PARTS


async def test_what_was_counted_before_this_was_known_stays_with_the_one_who_keeps_the_id(make, store, happen):
    await happen(make.event(1, "ann"))
    old = store.records.documents[make.person_id("ann")]
    assert old.keys() - {"_id", "rev", "recent", "schema_version"} == TOLD_WITHOUT_PARTS
    await happen(make.event(2, "ann", part=TABLET), make.unmerge(3, "ann", make.parting("guest", TABLET)))
    people = await store.load([make.person_id("ann"), make.person_id("guest")])
    assert {p.profile_id: set(p.members) for p in people.values()} == {
        str(make.profile_id("ann")): {"viewed", "left-the-cart"},
        str(make.profile_id("guest")): {"viewed", "left-the-cart"},
    }


async def test_a_reader_without_partings_reads_several_shares_as_one_and_waits_for_who_was_parted(
    make, store, happen
):
    await happen(make.event(1, "ann", part=MINE), make.event(2, "ann", part=TABLET))
    several = store.records.documents[make.person_id("ann")]
    assert several["schema_version"] == 1
    as_before = {key: several[key] for key in (*TOLD_WITHOUT_PARTS, "_id", "rev", "recent")}
    person = restored(Person, several["_id"], as_before, "people")
    assert person.members.keys() == {"viewed", "twice", "left-the-cart", "engaged"}
    assert list(person.shares) == [""]
    await happen(make.unmerge(3, "ann", make.parting("guest", TABLET)))
    assert store.records.documents[make.person_id("ann")]["schema_version"] == 2


async def test_a_trait_that_only_the_parted_one_brought_is_gone(make, store, happen):
    people = await happen(
        make.update(1, "ann", traits={"plan": "free"}),
        make.merge(2, "ann", "device", plan="pro"),
        make.unmerge(4, "ann", make.parting("guest", TABLET), traits={"plan": None}),
        make.update(3, "ann", traits={"plan": "pro"}, part=TABLET),  # told before that, but read after it
    )
    assert people[make.person_id("ann")].trait("plan") is None


async def test_a_trait_that_a_parted_event_left_behind_is_taken(make, store, catalog):
    """It was told before the unmerge, which does not repeat what it did not change."""
    ann = make.person_id("ann")
    people = {make.person_id(who): Person(make.person_id(who)) for who in ("ann", "guest")}
    unmerge = make.unmerge(5, "ann", make.parting("guest", TABLET))
    late = make.event(3, "ann", part=TABLET).model_copy(update={"traits": {"plan": "pro"}})
    react(people, unmerge, Delivery(0, 0, 0), catalog)
    told = react(people, late, Delivery(0, 1, 0), catalog)
    assert people[ann].members.keys() == {"pro"}
    assert people[make.person_id("guest")].members.keys() == {"viewed", "left-the-cart"}
    assert len({m.id for m in told}) == 2
    assert react(people, late, Delivery(0, 1, 0), catalog) == told


async def test_a_forgotten_visit_counts_while_all_who_had_a_part_in_it_are_there(make, store, happen, monkeypatch):
    monkeypatch.setattr(latching, "VISITS_KEPT", 1)
    carts = [make.event(1, "ann", part=MINE), make.event(2, "ann", at=5, part=TABLET)]
    bought = [make.event(n, "ann", "buy", at=60 * n, part=part) for n, part in ((3, MINE), (4, TABLET))]
    await happen(*carts, *bought, make.event(7, "ann", "other", at=500, part="c" * 32))
    ann = (await store.load([make.person_id("ann")]))[make.person_id("ann")]
    assert {"left-the-cart", "engaged"} <= ann.members.keys()
    assert {latch.parts for latch in ann.latches} == {frozenset({MINE, TABLET})}
    people = await happen(make.unmerge(5, "ann", make.parting("guest", TABLET)))
    assert people[make.person_id("ann")].members.keys() & {"viewed", "engaged"} == {"viewed"}
    assert people[make.person_id("guest")].members.keys() == {"viewed", "left-the-cart"}
    again = await happen(make.merge(6, "ann", "guest"))
    assert again[make.person_id("ann")].ever >= ann.ever


async def test_a_redirect_keeps_what_nobody_has_taken_yet(make, store, catalog):
    """Its timer may fire, or an event of it come again, before the merge that was interrupted does."""
    ids = [make.person_id(who) for who in ("ann", "device")]
    event, merge = make.event(1, "device", part=TABLET), make.merge(2, "ann", "device")
    people = await store.load(ids)
    react(people, event, Delivery(1, 0, 0), catalog)
    await store.save(people)
    react(people, merge, Delivery(0, 0, 0), catalog)
    await store.records.save({ids[1]: people[ids[1]]})  # and killed here
    for touch in (
        lambda people: wake(people[ids[1]], 10**15, catalog),
        lambda people: react(people, event, Delivery(1, 0, 0), catalog),
    ):
        people = await store.load(ids[1:])
        touch(people)
        await store.save(people)
    people = await store.load(ids)
    react(people, merge, Delivery(0, 0, 0), catalog)
    await store.save(people)
    assert people[ids[0]].members.keys() == {"viewed", "left-the-cart"}
    assert not people[ids[1]].holds_state


def test_a_share_comes_back_as_it_was(make, catalog):
    person = Person(make.person_id("ann"))
    people = {person.id: person}
    for n, part in enumerate((MINE, TABLET, "")):
        react(people, make.event(n, "ann", at=n, part=part or None), Delivery(0, n, 0), catalog)
    again = restored(Person, person.id, document_of(person), "people")
    assert again.to_state() == person.to_state()
    assert again.shares.keys() == {MINE, TABLET, ""}

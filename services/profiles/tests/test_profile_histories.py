"""Histories are joins; what they tell of a person does not depend on when and how often anything came."""

from __future__ import annotations

from uuid import UUID, uuid5

import pytest
from cdp_profiles.domain.history import (
    HOUR,
    Bounds,
    Chronicle,
    History,
    Said,
    told,
    trait_histories,
)
from cdp_profiles.domain.limits import Limits
from cdp_profiles.domain.parting import kept_told, note
from cdp_profiles.domain.timeline import Entry, entries_of
from cdp_profiles.domain.updating import update
from hypothesis import given, settings
from hypothesis import strategies as st

SMALL = Bounds(values=3, bytes=12)
WIDE = Bounds(values=10_000, bytes=10_000_000)
NAMES = UUID("6f0c6c1e-58a2-4c43-9a39-1f0f5ad0a001")


def says(at, text, message=None):
    return Said(at, message or f"m{at}", text, "web", at)


TEXTS = ['"free"', '"pro"', "null", '"a longer one"', '"pro"']
texts = st.sampled_from(TEXTS)
# A message gives a trait one value.
some_said = st.lists(st.integers(0, 20).map(lambda n: says(n // 2, TEXTS[n * 7 % 5], f"m{n % 2}")), max_size=9)


def history(said, bounds):
    known = History()
    for one in said:
        known = known.add(one, bounds)
    return known


@settings(deadline=None)
@given(some_said, some_said, some_said, st.sampled_from([SMALL, WIDE]))
def test_joining_is_a_join_bounds_and_floors_included(a, b, c, bounds):
    a, b, c = history(a, bounds), history(b, bounds), history(c, bounds)
    assert a.joined(b, bounds) == b.joined(a, bounds)
    assert a.joined(b, bounds).joined(c, bounds) == a.joined(b.joined(c, bounds), bounds)
    assert a.joined(a, bounds) == a
    assert a.joined(b, bounds).joined(b, bounds) == a.joined(b, bounds)


@settings(deadline=None)
@given(some_said, st.randoms(), st.sampled_from([SMALL, WIDE]))
def test_order_and_repetition_do_not_matter(said, random, bounds):
    again = said + random.sample(said, len(said) // 2)
    shuffled = random.sample(again, len(again))
    assert history(shuffled, bounds) == history(said, bounds)


@settings(deadline=None)
@given(st.lists(st.tuples(st.integers(0, 20 * HOUR), texts), max_size=30), st.data())
def test_nor_do_messages_that_come_up_to_an_hour_late(said, data):
    messages = [says(at, text, f"m{n}") for n, (at, text) in enumerate(said)]
    delays = [data.draw(st.integers(0, HOUR)) for _ in messages]
    arrived = [m for _, m in sorted(zip(delays, messages, strict=True), key=lambda late: late[1].at + late[0])]
    assert told([history(arrived, WIDE)]).said == told([history(sorted(messages), WIDE)]).said


@settings(deadline=None)
@given(some_said)
def test_it_never_holds_more_than_it_may(said):
    kept = history(said, SMALL)
    assert len(kept.said) <= SMALL.values
    assert sum(len(one.text.encode()) for one in kept.said) <= SMALL.bytes
    assert kept.floor is None or all(one.key > kept.floor for one in kept.said)


def test_a_value_said_again_and_again_does_not_push_out_what_was_before():
    said = [says(0, '"free"'), *(says(n * HOUR, '"pro"') for n in range(1, 500)), says(600 * HOUR, '"free"')]
    kept = history(said, Bounds(values=5))
    assert kept.floor is None
    assert [(one.at // HOUR, one.value) for one in told([kept]).said] == [(0, "free"), (1, "pro"), (600, "free")]


def test_what_fell_off_is_not_taken_in_again_and_what_held_then_is_unknown():
    kept = history([says(n, f'"{n}"') for n in range(10)], Bounds(values=3))
    assert [one.at for one in kept.said] == [7, 8, 9]
    assert kept.floor == (6, "m6")
    assert kept.add(says(5, '"late"'), Bounds(values=3)) == kept
    all_told = told([kept])
    assert (all_told.is_known(6), all_told.is_known(7)) == (False, True)
    assert (all_told.at(8).value, all_told.at(1)) == ("8", None)


@settings(deadline=None)
@given(st.dictionaries(st.sampled_from(["plan", "$set", "a.b", ""]), some_said))
def test_a_chronicle_survives_being_written_down(said):
    chronicle = Chronicle("demo/x/y")
    for name, values in said.items():
        for one in values:
            chronicle.add(name, one, SMALL)
    assert Chronicle.from_state(chronicle.id, chronicle.to_state()).traits == chronicle.traits


def test_the_record_is_told_even_before_the_historian_has_it(make, noon):
    people = make.blank("ann")
    update(people, make.identify(1, "ann", plan="pro"), Limits(), noon)
    (profile,) = people.values()
    (said,) = trait_histories(profile, [])["plan"].said
    assert (said.value, said.message_id, said.received_at) == ("pro", "m1", 0)


@settings(deadline=None)
@given(st.lists(st.tuples(st.integers(-(2**45), 2**45), st.integers(0, 9)), min_size=2, max_size=9, unique=True))
def test_keys_of_a_place_stand_in_the_order_of_time(times):
    entries = [
        Entry("demo/p/i", at, str(uuid5(NAMES, str(n))), "event", "track", "Viewed", "m", "web", 0)
        for at, n in times
    ]
    assert sorted(entries, key=lambda e: e.key) == sorted(entries, key=lambda e: e.order)


def test_properties_that_are_too_long_are_left_out(make, noon):
    people = make.blank("ann")
    short, long = [
        update(people, make.event(n, "ann", properties={"text": text}), Limits(), noon).fact
        for n, text in enumerate(["x", "x" * 3000])
    ]
    (kept,), (cut,) = entries_of(short, Bounds()), entries_of(long, Bounds())
    assert (kept.values, cut.properties, cut.values) == ({"text": "x"}, None, {})


def test_a_parting_is_an_entry_of_all_who_are_parted(make, noon):
    people = make.blank("ann", "bob")
    unmerge = make.unmerge("ann", 1, bob=["tablet"])
    note(people, [unmerge], noon)
    entries = list(entries_of(kept_told(people, unmerge), Bounds()))
    ann, bob = str(make.profile_id("ann")), str(make.profile_id("bob"))
    assert [(e.kind, e.place, e.profiles) for e in entries] == [
        ("parted", f"demo/{ann}/", (bob,)),
        ("parted", f"demo/{bob}/", (ann,)),
    ]


@pytest.mark.parametrize("bounds", [Bounds(bytes=3), Bounds(values=1)])
def test_even_one_value_may_be_too_much(bounds):
    kept = history([says(1, '"long"'), says(2, '"longer"')], bounds)
    assert kept.said == ((says(2, '"longer"'),) if bounds.values == 1 else ())
    assert kept.floor == (1 if bounds.values == 1 else 2, "m1" if bounds.values == 1 else "m2")

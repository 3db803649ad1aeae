"""Two profiles become one, step by step."""

from __future__ import annotations

import pytest
from cdp_profiles.domain.limits import Limits
from cdp_profiles.domain.merging import absorb, both, freeze, release
from cdp_profiles.domain.parts import PartKey
from cdp_profiles.domain.updating import Refused, update


@pytest.fixture
def write(make, noon):
    """Apply events, then merges in all three steps."""

    def write(people, *messages):
        facts = []
        for message in messages:
            if hasattr(message, "absorbed"):
                freeze(people, [message])
                facts.append(absorb(people, message, noon).fact)
                release(people, [message])
            else:
                facts.append(update(people, message, Limits(), noon).fact)
        return facts

    return write


@pytest.fixture
def people(make):
    return make.blank("ann", "device", "phone")


def counters(make, people, name):
    return people[make.record_id(name)].joined.counters


def test_a_merge_brings_everything_to_the_survivor(make, people, write):
    *_, fact = write(
        people, make.identify(1, "ann", plan="pro", city="Rome"), make.identify(2, "device", city="Oslo", age=7),
        make.event(3, "device"), make.merge("ann", "device"),
    )  # fmt: skip
    ann, device = people[make.record_id("ann")], people[make.record_id("device")]
    assert ann.joined.values(["plan", "city", "age"]) == {"plan": "pro", "city": "Oslo", "age": 7}
    assert ann.joined.counters == {"identify": 2, "Product Viewed": 1}
    assert ann.absorbed == {device.profile_id}
    assert (device.into, device.parts, len(device.recent)) == (ann.profile_id, {}, 0)
    assert (fact.profile_id, fact.absorbed) == (make.profile_id("ann"), make.profile_id("device"))
    assert (fact.revision, fact.cause, fact.event) == (2, "merge", None)
    assert fact.traits == {"city": "Oslo", "age": 7}


def test_a_merge_before_any_event_leaves_a_redirect(make, people, write):
    merged, event = write(people, make.merge("ann", "device"), make.event(1, "device"))
    assert people[make.record_id("device")].into == str(make.profile_id("ann"))
    assert (merged.revision, merged.traits) == (1, {})
    assert (event.revision, event.profile_id) == (2, make.profile_id("ann"))


def test_one_identifier_on_both_sides_adds_up(make, people, write):
    events = [make.event(1, "device", part="same"), make.event(2, "ann", part="same")]
    write(people, *events, make.merge("ann", "device"))
    assert counters(make, people, "ann") == {"Product Viewed": 2}
    identifier = make.pseudonyms.of("demo", "part", "same")
    homes = [str(make.profile_id(name)) for name in ("ann", "device")]
    assert set(people[make.record_id("ann")].parts) == {PartKey(home, identifier) for home in homes}


@pytest.mark.parametrize("again", [1, 2])
def test_a_merge_told_again_changes_nothing(make, people, write, again):
    first = write(people, make.identify(1, "device", plan="pro"), make.merge("ann", "device"))
    states = {i: p.to_state() for i, p in people.items()}
    for _ in range(again):
        assert write(people, make.merge("ann", "device")) == first[-1:]
    assert {i: p.to_state() for i, p in people.items()} == states


def test_a_merge_that_is_long_forgotten_is_still_not_done_twice(make, people, write):
    write(people, make.event(1, "device"), make.merge("ann", "device"))
    ann = people[make.record_id("ann")]
    ann.recent = type(ann.recent)()
    (fact,) = write(people, make.merge("ann", "device"))
    assert (fact.revision, fact.traits) == (ann.revision, {})
    assert counters(make, people, "ann") == {"Product Viewed": 1}


def test_an_event_told_again_after_the_merge_is_told_in_the_same_words(make, people, write):
    event = make.identify(1, "device", plan="pro")
    (first,) = write(people, event)
    write(people, make.merge("ann", "device"), make.merge("phone", "ann"))
    assert write(people, event) == [first]
    assert counters(make, people, "phone") == {"identify": 1}


def test_an_event_that_was_resolved_to_both_counts_once(make, people, write):
    before, after = make.event(1, "device", part="p"), make.event(1, "ann", part="p")
    write(people, before, after, make.event(2, "device", part="p"), make.merge("ann", "device"))
    assert counters(make, people, "ann") == {"Product Viewed": 2}
    write(people, before, after)
    assert counters(make, people, "ann") == {"Product Viewed": 2}


def test_an_event_that_was_resolved_to_three_counts_once(make, people, write):
    events = [make.event(1, name, part="p") for name in ("phone", "device", "ann")]
    write(people, *events, make.merge("device", "phone"), make.merge("ann", "device"))
    assert counters(make, people, "ann") == {"Product Viewed": 1}


def test_a_chain_of_merges_in_either_order_ends_the_same(make, write):
    events = [make.identify(n, name, **{name: n}) for n, name in enumerate(["ann", "device", "phone"])]
    merges = [make.merge("device", "phone"), make.merge("ann", "device")]
    ends = []
    for order in (merges, merges[::-1]):
        people = make.blank("ann", "device", "phone")
        write(people, *events, *order)
        ends.append((people[make.record_id("ann")].parts, people[make.record_id("ann")].absorbed))
    assert ends[0] == ends[1]


def test_merges_of_one_batch_meet_at_the_last_survivor(make, people, write, noon):
    write(people, make.event(1, "phone"), make.event(2, "device"))
    merges = [make.merge("device", "phone"), make.merge("ann", "device")]
    freeze(people, merges)
    facts = [absorb(people, merge, noon).fact for merge in merges]
    release(people, merges)
    assert counters(make, people, "ann") == {"Product Viewed": 2}
    assert [fact.profile_id for fact in facts] == [make.profile_id("ann")] * 2


def test_a_frozen_record_answers_for_what_it_applied(make, people, write):
    event = make.identify(1, "device", plan="pro")
    (first,) = write(people, event)
    freeze(people, [make.merge("ann", "device")])
    assert write(people, event) == [first]
    assert counters(make, people, "ann") == {}


def test_a_record_that_still_holds_its_parts_is_released_when_the_merge_comes_again(make, people, write, noon):
    write(people, make.event(1, "device"))
    merge = make.merge("ann", "device")
    freeze(people, [merge])
    absorb(people, merge, noon)
    write(people, merge)
    assert people[make.record_id("device")].parts == {}
    assert counters(make, people, "ann") == {"Product Viewed": 1}


def test_a_profile_is_not_merged_into_itself(make, noon):
    people = make.blank("ann", "device")
    merges = [make.merge("ann", "ann"), make.merge("ann", "device"), make.merge("device", "ann")]
    freeze(people, merges)
    results = [absorb(people, merge, noon) for merge in merges]
    release(people, merges)
    assert [result == Refused("merge-into-itself") for result in results] == [True, False, True]
    assert people[make.record_id("ann")].into is None


def test_the_records_of_a_merge(make):
    assert both(make.merge("ann", "device")) == (make.record_id("ann"), make.record_id("device"))

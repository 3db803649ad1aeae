"""What events do to a profile."""

from __future__ import annotations

from hashlib import sha256
from uuid import UUID

import pytest
from cdp_contracts.envelope import derived_id
from cdp_profiles.domain.events import identifier, lookup_text
from cdp_profiles.domain.limits import Limits
from cdp_profiles.domain.profile import Profile
from cdp_profiles.domain.updating import Applied, Refused, update
from cdp_runtime.redirects import RedirectsInACircle
from hypothesis import given, settings
from hypothesis import strategies as st

LIMITS = Limits()


@pytest.fixture
def person(make):
    return make.blank("ann")


def facts(make, people, now, *events):
    return [update(people, event, LIMITS, now).fact for event in events]


def test_an_event_tells_what_it_changed(make, person, noon):
    event = make.identify(1, "ann", plan="pro", seats=3)
    (fact,) = facts(make, person, noon, event)
    assert fact.id == derived_id(event.id, "profile-updated")
    assert fact.profile_id == make.profile_id("ann")
    assert (fact.revision, fact.cause, fact.absorbed) == (1, "event", None)
    assert fact.traits == {"plan": "pro", "seats": 3}
    assert fact.purposes == ("analytics",)
    assert fact.event == event.event
    assert (fact.message_id, fact.occurred_at, fact.received_at) == ("m1", event.occurred_at, event.received_at)


def test_only_traits_with_another_value_are_told(make, person, noon):
    events = [make.identify(1, "ann", plan="pro", city="Rome"), make.identify(2, "ann", plan="pro", city="Oslo")]
    *_, last = facts(make, person, noon, *events)
    assert last.traits == {"city": "Oslo"}


def test_a_late_event_counts_but_does_not_overwrite(make, person, noon):
    _, late = facts(
        make, person, noon, make.identify(5, "ann", plan="pro"), make.identify(2, "ann", plan="free", age=7)
    )
    (profile,) = person.values()
    assert late.traits == {"age": 7}
    assert profile.joined.values(["plan", "age"]) == {"plan": "pro", "age": 7}
    assert profile.joined.counters == {"identify": 2}


def test_a_trait_taken_away_is_null_and_stays_away(make, person, noon):
    events = [make.identify(n, "ann", plan=plan) for n, plan in [(1, "pro"), (3, None), (2, "free")]]
    *_, gone, older = facts(make, person, noon, *events)
    assert gone.traits == {"plan": None}
    assert older.traits == {}


def test_the_traits_of_a_group_are_not_the_persons(make, person, noon):
    event = make.event(1, "ann", type="group", name="group", group_id="g", traits={"employees": 9})
    assert facts(make, person, noon, event)[0].traits == {}


def test_tracked_events_count_by_name_others_by_type(make, person, noon):
    facts(
        make,
        person,
        noon,
        make.event(1, "ann"),
        make.event(2, "ann"),
        make.event(3, "ann", type="page", name="Home"),
    )
    (profile,) = person.values()
    assert profile.joined.counters == {"Product Viewed": 2, "page": 1}


def test_an_event_seen_before_is_told_in_the_same_words(make, person, noon):
    events = [make.identify(1, "ann", plan="free"), make.identify(2, "ann", plan="pro")]
    first = facts(make, person, noon, *events)
    (profile,) = person.values()
    before = profile.to_state()
    assert facts(make, person, noon, *events) == first
    assert profile.to_state() == before


def test_what_was_stored_is_told_in_the_same_words(make, person, noon):
    event = make.identify(1, "ann", plan="free")
    first = facts(make, person, noon, event)
    (profile,) = person.values()
    restored = Profile.from_state(profile.id, profile.to_state())
    restored.recent = profile.recent
    assert facts(make, {profile.id: restored}, noon, event) == first
    assert restored.joined == profile.joined


def test_every_identifier_in_its_one_spelling(make, person, noon):
    event = make.event(
        1, "ann", user_id=" u1 ", anonymous_id="\uff41\uff11", traits={"email": " Ann@Example.COM "}
    )
    facts(make, person, noon, event)
    (profile,) = person.values()
    assert profile.joined.identifiers == {("user_id", "u1"), ("anonymous_id", "a1"), ("email", "ann@example.com")}
    assert profile.sighted == profile.joined.identifiers


def test_identifiers_known_before_are_no_news(make, person, noon):
    facts(make, person, noon, make.event(1, "ann", user_id="u1"))
    (profile,) = person.values()
    restored = Profile.from_state(profile.id, profile.to_state())
    facts(make, {profile.id: restored}, noon, make.event(2, "ann", user_id="u1", anonymous_id="a2"))
    assert restored.sighted == {("anonymous_id", "a2")}


def test_a_hashed_address_is_looked_up_like_the_address():
    address, hashed = "ANN@example.com", sha256(b"ann@example.com").hexdigest()
    assert lookup_text(identifier("email", address)) == lookup_text(identifier("email", hashed.upper())) == hashed
    assert lookup_text(identifier("user_id", address)) == address


@pytest.mark.parametrize("email", ["not an address", 7, None, {"a": "@"}])
def test_what_is_no_address_is_no_identifier(make, person, noon, email):
    facts(make, person, noon, make.identify(1, "ann", email=email))
    (profile,) = person.values()
    assert {i.kind for i in profile.joined.identifiers} == {"anonymous_id"}


SMALL = Limits(traits=2, trait_bytes=40, parts=2, counters=2, identifiers=3, total_bytes=180)


@pytest.mark.parametrize(
    ("reason", "events"),
    [
        ("too-many-traits", [{"traits": {"a": 1, "b": 2}}, {"traits": {"c": 3}}]),
        ("trait-too-large", [{"traits": {"a": "x" * 40}}]),
        ("trait-too-large", [{"traits": {"a": "é" * 20}}]),
        ("too-many-parts", [{"part": "p1"}, {"part": "p2"}, {"part": "p3"}]),
        ("too-many-counters", [{"name": "one"}, {"name": "two"}, {"name": "three"}]),
        ("too-many-identifiers", [{"anonymous_id": f"a{n}", "part": "p"} for n in range(4)]),
        (
            "profile-too-large",
            [{"traits": {"a": "x" * 30}, "part": p} for p in "pq"] + [{"traits": {"b": "x" * 37}}],
        ),
    ],
)
def test_a_profile_does_not_grow_without_bound(make, person, noon, reason, events):
    *before, last = [make.event(n, "ann", **event) for n, event in enumerate(events)]
    for event in before:
        assert isinstance(update(person, event, SMALL, noon), Applied)
    (profile,) = person.values()
    state = profile.to_state()
    assert update(person, last, SMALL, noon) == Refused(reason)
    assert profile.to_state() == state


def test_names_count_for_each_part_they_are_in(make, person, noon):
    limits = Limits(total_bytes=100)  # a part of these has 14 bytes of counters and 13 of identifiers
    events = [make.event(n, "ann", part=f"p{n}", anonymous_id="a") for n in range(4)]
    results = [update(person, event, limits, noon) for event in events]
    assert [result == Refused("profile-too-large") for result in results] == [False, False, False, True]
    assert isinstance(update(person, make.event(9, "ann", part="p0", anonymous_id="a"), limits, noon), Applied)


def test_a_full_profile_still_takes_what_it_knows(make, person, noon):
    for n in range(5):
        assert isinstance(update(person, make.event(n, "ann", traits={"a": n, "b": n}), SMALL, noon), Applied)


def test_an_event_for_a_redirect_goes_to_its_target(make, noon):
    people = make.blank("ann", "old", "older")
    people[make.record_id("older")].into = str(make.profile_id("old"))
    people[make.record_id("old")].into = str(make.profile_id("ann"))
    (fact,) = facts(make, people, noon, make.event(1, "older"))
    assert fact.profile_id == make.profile_id("ann")
    assert people[make.record_id("ann")].joined.counters == {"Product Viewed": 1}
    assert people[make.record_id("older")].parts == {}


def test_redirects_in_a_circle_end_in_an_error(make, noon):
    people = make.blank("ann", "bob")
    people[make.record_id("ann")].into = str(make.profile_id("bob"))
    people[make.record_id("bob")].into = str(make.profile_id("ann"))
    with pytest.raises(RedirectsInACircle):
        facts(make, people, noon, make.event(1, "ann"))


orders = st.permutations(range(6))


@settings(deadline=None)
@given(orders)
def test_the_order_of_events_does_not_matter(make, noon, order):
    events = [make.identify(n, "ann", at=n // 2, plan=n, **{f"t{n % 3}": n}) for n in range(6)]
    people, shuffled = make.blank("ann"), make.blank("ann")
    facts(make, people, noon, *events)
    facts(make, shuffled, noon, *[events[n] for n in order])
    (a,), (b,) = people.values(), shuffled.values()
    assert a.joined == b.joined


@settings(deadline=None)
@given(st.lists(st.integers(0, 5)))
def test_revisions_rise_by_one_with_each_event(make, noon, order):
    told = facts(make, make.blank("ann"), noon, *[make.event(n, "ann") for n in order])
    revisions: dict[UUID, int] = {fact.id: fact.revision for fact in told}
    assert sorted(revisions.values()) == list(range(1, len(set(order)) + 1))

"""Parts join in any order, and as often as one likes."""

from __future__ import annotations

import json

from cdp_profiles.domain.parts import (
    Allowed,
    Identifier,
    Part,
    PartKey,
    Trait,
    canonical,
    changed_traits,
    instant,
    join,
    micros,
    union,
)
from cdp_profiles.domain.state import parts_of, state_of
from hypothesis import given, settings
from hypothesis import strategies as st

names = st.sampled_from(["plan", "city", "a.b", "$set", ""])
texts = st.sampled_from(["1", "2", "null", '"x"'])
traits = st.builds(Trait, st.integers(0, 5), st.sampled_from(["m1", "m2"]), texts, st.sampled_from(["web", "crm"]))
identifiers = st.builds(Identifier, st.sampled_from(["user_id", "email"]), st.sampled_from("uv"))
purposes = st.sampled_from([(), ("analytics",), ("analytics", "marketing")])
parts = st.builds(
    Part,
    first_seen=st.integers(0, 9),
    last_seen=st.integers(0, 9),
    traits=st.dictionaries(names, traits),
    counters=st.dictionaries(names, st.integers(0, 9)),
    identifiers=st.sets(identifiers, max_size=3),
    allowed=st.none() | st.builds(Allowed, st.integers(0, 5), st.sampled_from(["m1", "m2"]), purposes),
)
keys = st.builds(PartKey, st.sampled_from("AB"), st.sampled_from("xyz"))
many = st.dictionaries(keys, parts, max_size=4)


@settings(deadline=None)
@given(many, many, many)
def test_union_is_a_join(a, b, c):
    assert union(a, b) == union(b, a)
    assert union(union(a, b), c) == union(a, union(b, c))
    assert union(a, a) == a
    assert union(union(a, b), b) == union(a, b)


@settings(deadline=None)
@given(many)
def test_union_changes_neither_side(a):
    before = parts_of(state_of(a))
    union(a, a)
    assert a == before


@settings(deadline=None)
@given(st.lists(parts), st.randoms())
def test_the_profile_does_not_depend_on_the_order_of_its_parts(some, random):
    shuffled = random.sample(some, len(some))
    assert join(some) == join(shuffled)


@settings(deadline=None)
@given(st.lists(parts), parts)
def test_a_join_leaves_the_parts_as_they_were(some, one):
    before = [parts_of(state_of({PartKey("A", "x"): part})) for part in [*some, one]]
    join([*some, one])
    assert [parts_of(state_of({PartKey("A", "x"): part})) for part in [*some, one]] == before


@settings(deadline=None)
@given(st.lists(parts, min_size=1), st.randoms())
def test_events_grow_a_part_in_any_order(events, random):
    def grown(order):
        part = Part(order[0].first_seen, order[0].last_seen)
        for event in order:
            part.add(event)
        return part

    assert grown(events) == grown(random.sample(events, len(events)))


@settings(deadline=None)
@given(many)
def test_parts_survive_being_written_down(a):
    assert parts_of(state_of(a)) == a


@settings(deadline=None)
@given(many)
def test_parts_are_written_in_json_shapes_only(a):
    assert parts_of(json.loads(json.dumps(state_of(a)))) == a


def test_the_newest_value_wins_then_the_greater_message_id():
    part = Part(0, 0, traits={"plan": Trait(2, "m1", '"free"', "web")})
    part.add(Part(0, 0, traits={"plan": Trait(1, "m9", '"late"', "web")}))
    assert part.traits["plan"].value == "free"
    part.add(Part(0, 0, traits={"plan": Trait(2, "m2", '"pro"', "web")}))
    assert part.traits["plan"].value == "pro"


def test_what_counts_as_a_change():
    before = {"same": Trait(1, "m", "1", "s"), "old": Trait(5, "m", "1", "s"), "new": Trait(1, "m", "1", "s")}
    news = {
        "same": Trait(2, "m", "1", "s"),
        "old": Trait(4, "m", "2", "s"),
        "new": Trait(2, "m", "2", "s"),
        "first": Trait(0, "m", "0", "s"),
        "gone before it came": Trait(0, "m", "null", "s"),
    }
    assert changed_traits(before, news) == ["new", "first"]


def test_microseconds_are_kept(noon):
    odd = noon.replace(microsecond=123457)
    assert instant(micros(odd)) == odd


def test_equal_values_have_one_text():
    assert (
        canonical({"b": [1, None], "a": "é"}) == canonical({"a": "é", "b": [1, None]}) == '{"a":"é","b":[1,null]}'
    )

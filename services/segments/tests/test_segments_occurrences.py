"""What has not happened for a while, what happened first and last, other segments, and buckets."""

from __future__ import annotations

import pytest
from cdp_contracts.conditions_v1 import Absence
from cdp_segments.domain.belonging import number_of
from cdp_segments.domain.reasons import TOO_YOUNG
from cdp_segments.domain.segments import compile_segment, linked
from cdp_segments.domain.wording import words
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError
from stories import DAY, Story, between, calendar, count, sliding


def absence(event="buy", *, age=True, seconds=10):
    return {"kind": "absence", "event": event, "require_age": age, **sliding(seconds)}


def occurrence(kind, window, event="buy", **more):
    return {"kind": kind, "event": event, **window, **more}


def within(segment):
    return {"kind": "in_segment", "segment": segment}


def explained(story, segment):
    return story.explained(segment).why


@pytest.mark.parametrize(
    ("condition", "expected"),
    [
        (absence(seconds=30 * DAY), "no buy in the last 30 d, known for as long"),
        (absence(age=False), "no buy in the last 10 s"),
        (occurrence("first", sliding(7 * DAY)), "first buy in the last 7 d"),
        (occurrence("last", between(30 * DAY, 90 * DAY)), "last buy 30 d to 90 d ago"),
        (within("vip"), "in segment vip"),
        ({"kind": "bucket", "seed": "spring", "high": 0.1}, "bucket spring from 0 to 0.1"),
    ],
)
def test_it_in_words(make, condition, expected):
    assert words(make.condition(**condition)) == expected


def test_nobody_is_missed_before_being_known_for_long_enough(make, noon):
    story = Story(make, make.segment("gone", **absence()), make.segment("gone-or-new", **absence(age=False)))
    story.happens(make.traits(1, "ann", plan="pro"))
    assert story.segments() == {"gone-or-new"}
    why = explained(story, "gone")
    assert (why.satisfied, why.value, why.note) == (False, None, TOO_YOUNG)
    assert why.changes_at == noon.replace(second=10)
    (message,) = story.passes(noon.replace(second=30))
    assert [(c.segment, c.member, c.effective_at.second) for c in message.changes] == [("gone", True, 10)]


def test_who_buys_leaves_and_comes_back_by_the_clock(make, noon):
    story = Story(make, make.segment("gone", **absence()))
    story.happens(make.event(1, "ann", at=0))
    assert len(story.passes(noon.replace(second=12))) == 1
    (message,) = story.happens(make.event(2, "ann", "buy", at=15))
    assert [(c.segment, c.member) for c in message.changes] == [("gone", False)]
    (message,) = story.passes(noon.replace(second=40))
    assert [(c.member, c.effective_at.second, c.reasons[0].value) for c in message.changes] == [(True, 25, 10)]


def test_the_rule_for_the_age_has_to_be_said():
    with pytest.raises(ValidationError, match="require_age"):
        Absence.model_validate({"event": "buy", **sliding(10)})


def test_a_first_event_that_comes_late_is_older(make, noon):
    story = Story(
        make,
        make.segment("new-buyer", **occurrence("first", sliding(20))),
        make.segment("old-buyer", **occurrence("first", between(20))),
    )
    story.happens(make.event(1, "ann", "buy", at=0))
    assert story.segments() == {"new-buyer"}
    early = make.event(2, "ann", "buy", at=-15)
    story.happens(early.model_copy(update={"received_at": noon.replace(second=1)}))
    assert story.segments() == {"new-buyer"}
    (message,) = story.passes(noon.replace(second=19))
    assert {(c.segment, c.member, c.effective_at.second) for c in message.changes} == {
        ("new-buyer", False, 5),
        ("old-buyer", True, 5),
    }
    story.happens(make.event(3, "ann", "buy", at=50))
    assert story.segments() == {"old-buyer"}


def test_the_last_event_is_the_only_one_that_counts(make, noon):
    story = Story(
        make,
        make.segment("lapsing", **occurrence("last", between(5, 9))),
        make.segment("often", **count("buy", n=3)),
    )
    story.happens(make.event(1, "ann", "buy", at=0), make.event(2, "ann", "buy", at=4))
    (message,) = story.passes(noon.replace(second=30))
    assert [(c.member, c.effective_at.second) for c in message.changes] == [(True, 9), (False, 13)]


def test_who_bought_for_the_first_time_yesterday(make, noon):
    story = Story(make, make.segment("welcome", **occurrence("first", calendar("day", full=True))))
    story.happens(make.event(1, "ann", "buy"))
    (message,) = story.passes(noon.replace(day=8))
    assert [(c.member, c.effective_at.day) for c in message.changes] == [(True, 6), (False, 7)]


def test_flips_of_nested_segments_come_in_one_message(make, noon):
    story = Story(
        make,
        make.segment("active", **count(**sliding(5))),
        make.segment("buyer", **count("buy")),
        make.segment("active-buyer", kind="and", of=[within("active"), within("buyer")]),
        make.segment("asleep", kind="and", of=[within("buyer"), {"kind": "not", "of": within("active-buyer")}]),
    )
    story.happens(make.event(1, "ann"))
    (message,) = story.happens(make.event(2, "ann", "buy", at=1))
    assert {(c.segment, c.member) for c in message.changes} == {("buyer", True), ("active-buyer", True)}
    assert message.memberships["active-buyer"].expires_at == noon.replace(second=5)
    (message,) = story.passes(noon.replace(second=9))
    assert {(c.segment, c.member, c.effective_at.second) for c in message.changes} == {
        ("active", False, 5),
        ("active-buyer", False, 5),
        ("asleep", True, 5),
    }
    why = explained(story, "asleep")
    assert [(part.kind, part.satisfied) for part in why.of] == [("in_segment", True), ("not", True)]
    assert why.of[0].of[0].condition == "count(buy) >= 1 ever"


def test_a_segment_that_is_not_live_has_nobody(make):
    outer = make.segment("outer", **within("inner"))
    for inner in ([], [make.segment("inner", state="archived", **count())]):
        story = Story(make, outer, *inner)
        story.happens(make.event(1, "ann"))
        assert story.segments() == set()
        assert explained(story, "outer").satisfied is False


def test_segments_in_a_circle_have_nobody_whatever_their_order(make):
    definitions = [
        make.segment("a", kind="or", of=[within("b"), count()]),
        make.segment("b", kind="not", of=within("c")),
        make.segment("c", **within("a")),
        make.segment("d", kind="not", of=within("a")),
    ]
    for order in (definitions, definitions[::-1]):
        story = Story(make, *order)
        story.happens(make.event(1, "ann"))
        assert story.segments() == {"d"}
    with pytest.raises(ValueError, match="the segment 'a' refers to itself"):
        compile_segment(make.segment("a", kind="not", of=within("a")))


def test_segments_may_be_nested_32_deep(make):
    chain = [make.segment(f"s{n:02}", **within(f"s{n - 1:02}")) for n in range(1, 35)]
    story = Story(make, make.segment("s00", **count()), *chain)
    story.happens(make.event(1, "ann"))
    assert story.segments() == {f"s{n:02}" for n in range(33)}


def test_only_segments_that_refer_to_others_are_compiled_again(make):
    compiled = [
        compile_segment(d) for d in (make.segment("inner", **count()), make.segment("outer", **within("inner")))
    ]
    inner, outer = linked(compiled)
    assert inner is compiled[0]
    assert [leaf.words for leaf in outer.inner] == ["count(view) >= 1 ever", "in segment inner"]


def test_the_hash_is_the_one_of_growthbook():
    assert [number_of("seg_exp_1", f"u{n}") for n in range(4)] == [0.6588, 0.938, 0.1116, 0.5057]


@given(
    value=st.text(max_size=40),
    bounds=st.tuples(st.floats(0, 1), st.floats(0, 1)).map(sorted),
    seed=st.text(min_size=1),
)
def test_widening_a_bucket_takes_nobody_out(value, bounds, seed):
    number = number_of(seed, value)
    assert 0 <= number < 1
    narrow, wide = (0 <= number < high for high in bounds)
    assert wide or not narrow


def test_a_bucket_has_its_share_of_the_people(make):
    names = [f"p{n}" for n in range(2000)]
    half = {"kind": "bucket", "seed": "x", "high": 0.5}
    story = Story(make, make.segment("half", **half), people=names)
    story.happens(*(make.event(n, name) for n, name in enumerate(names)))
    members = [name for name in names if story.segments(name)]
    assert 900 < len(members) < 1100
    with pytest.raises(ValueError, match="high must be greater than low"):
        compile_segment(make.segment("s", **{**half, "low": 0.5}))

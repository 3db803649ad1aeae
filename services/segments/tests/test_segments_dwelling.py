"""For how long a trait has been what it is."""

from __future__ import annotations

from datetime import timedelta

import pytest
from cdp_segments.domain import quantities
from cdp_segments.domain.reasons import TOLD
from cdp_segments.domain.segments import compile_segment
from cdp_segments.domain.wording import words
from stories import DAY, Story


def dwell(*, least=None, most=None, trait="plan", op="==", value="trial"):
    about = {"kind": "dwell", "trait": trait, "op": op, "value": value}
    return {**about, "at_least_seconds": least, "less_than_seconds": most}


def told(messages, noon):
    return [(c.member, (c.effective_at - noon).total_seconds()) for m in messages for c in m.changes]


def explained(story):
    return story.explained().why


def late(update, noon, seconds):
    return update.model_copy(update={"received_at": noon + timedelta(seconds=seconds)})


@pytest.fixture
def story(make):
    return Story(make, make.segment("s", **dwell(least=10)))


@pytest.mark.parametrize(
    ("condition", "expected"),
    [
        (dwell(least=14 * DAY), 'trait plan == "trial" for at least 14 d'),
        (dwell(most=60, trait="age", op=">=", value=18), "trait age >= 18 for less than 1 min"),
        (
            dwell(least=60, most=DAY, op="exists", value=None),
            "trait plan exists for at least 1 min and less than 24 h",
        ),
    ],
)
def test_it_in_words(make, condition, expected):
    assert words(make.condition(**condition)) == expected


def test_it_is_entered_by_the_clock_and_left_by_a_change(make, story, noon):
    assert story.happens(make.traits(1, "ann", plan="trial")) == []
    why = explained(story)
    assert (why.satisfied, why.value, why.threshold, why.changes_at) == (
        False, 0, [10, None], noon + timedelta(seconds=10),
    )  # fmt: skip
    assert told(story.passes(noon + timedelta(seconds=60)), noon) == [(True, 10)]
    (message,) = story.happens(make.traits(2, "ann", at=70, plan="pro"))
    assert [(c.member, c.reasons[0].value) for c in message.changes] == [(False, None)]


def test_a_value_that_is_told_again_goes_on(make, story, noon):
    story.happens(make.traits(1, "ann", plan="trial"), make.traits(2, "ann", at=6, plan="trial"))
    story.happens(make.traits(3, "ann", at=7, age=7))
    assert told(story.passes(noon + timedelta(seconds=60)), noon) == [(True, 10)]


def test_it_begins_anew_after_a_change(make, story, noon):
    for n, plan in enumerate(["trial", "pro", "trial"]):
        story.happens(make.traits(n, "ann", at=4 * n, plan=plan))
    assert told(story.passes(noon + timedelta(seconds=60)), noon) == [(True, 18)]


def test_a_change_that_is_told_late_has_its_place(make, story, noon):
    story.happens(make.traits(1, "ann", plan="trial"), make.traits(2, "ann", at=9, plan="trial"))
    story.passes(noon + timedelta(seconds=12))
    assert story.segments() == {"s"}
    between = late(make.traits(3, "ann", at=5, plan="pro"), noon, 12)
    assert told(story.happens(between), noon) == [(False, 12)]
    earlier = late(make.traits(4, "ann", at=6, plan="trial"), noon, 13)
    story.happens(earlier)
    assert told(story.passes(noon + timedelta(seconds=60)), noon) == [(True, 16)]


def test_for_less_than_so_long(make, noon):
    story = Story(make, make.segment("s", **dwell(most=10)), make.segment("t", **dwell(least=5, most=10)))
    (message,) = story.happens(make.traits(1, "ann", plan="trial"))
    assert [(c.segment, c.expires_at) for c in message.changes] == [("s", noon + timedelta(seconds=10))]
    messages = story.passes(noon + timedelta(seconds=60))
    assert told(messages, noon) == [(True, 5), (False, 10), (False, 10)]


def test_a_comparison_goes_on_over_different_values(make, noon):
    of_age = dwell(least=10, trait="home.age", op=">=", value=18)
    story = Story(make, make.segment("s", **of_age))
    story.happens(make.traits(1, "ann", home={"age": 18}), make.traits(2, "ann", at=5, home={"age": 19}))
    assert told(story.passes(noon + timedelta(seconds=60)), noon) == [(True, 10)]
    story.happens(make.traits(3, "ann", at=61, home={"city": "x"}))
    assert story.segments() == set()


def test_what_was_never_told_fulfils_nothing_and_what_is_gone_is_told(make, noon):
    story = Story(make, make.segment("s", **dwell(least=10, op="missing", value=None)))
    story.happens(make.traits(1, "ann", age=1))
    assert not story.passes(noon + timedelta(seconds=60))
    story.happens(make.traits(2, "ann", at=60, plan=None))
    assert told(story.passes(noon + timedelta(seconds=99)), noon) == [(True, 70)]


def test_the_traits_of_a_group_are_not_the_persons(make, story, noon):
    identify = make.traits(1, "ann", plan="trial")
    group = identify.event.model_copy(update={"type": "group", "name": "group"})
    story.happens(identify.model_copy(update={"event": group}))
    assert not story.passes(noon + timedelta(seconds=60))


def test_after_a_merge_all_that_was_told_of_both_counts(make, noon):
    story = Story(make, make.segment("s", **dwell(least=10)), people=("ann", "bob"))
    story.happens(
        make.traits(1, "bob", plan="trial"),
        make.traits(2, "ann", at=3, plan="pro"),
        make.traits(3, "ann", at=4, plan="trial"),
        make.merge(4, "ann", "bob", at=5),
    )
    assert told(story.passes(noon + timedelta(seconds=60)), noon) == [(True, 14)]


def test_it_is_explained_what_is_lacking(make, noon):
    story = Story(make, make.segment("s", **dwell(least=10, most=20)))
    story.happens(make.traits(1, "ann", age=1))
    said = []
    for n, (at, plan) in enumerate([(1, "pro"), (2, "trial"), (12, "trial"), (30, "trial")]):
        story.happens(make.traits(n + 2, "ann", at=at, plan=plan))
        (remedy,) = explained(story).flips_if
        said.append((remedy.words, remedy.at and (remedy.at - noon).total_seconds()))
    lasting = 'trait plan == "trial" for at least 10 s and less than 20 s'
    assert said == [
        (lasting, 11),
        ("until 2026-01-05T12:00:12+00:00, if nothing happens", 12),
        ('trait plan != "trial"', None),
        (f'trait plan != "trial", and then anew {lasting}', None),
    ]


def test_of_more_than_is_kept_it_is_said(make, monkeypatch):
    monkeypatch.setattr(quantities, "MARKS_KEPT", 3)
    story = Story(make, make.segment("s", **dwell(least=10)))
    story.happens(*(make.traits(n, "ann", at=n, plan="trial") for n in range(4)))
    assert (explained(story).value, explained(story).note) == (2, TOLD)
    story.happens(make.traits(5, "ann", at=6, plan="pro"), make.traits(6, "ann", at=7, plan="trial"))
    assert explained(story).note is None


def test_no_value_is_kept(make, story):
    story.happens(make.traits(1, "ann", plan="trial"))
    assert "trial" not in str(story.person().to_state())


@pytest.mark.parametrize(
    ("condition", "fault"),
    [
        (dwell(), "at_least_seconds or less_than_seconds is needed"),
        (dwell(least=5, most=5), "greater than at_least_seconds"),
        (dwell(least=5, op="in", value=1), "trait plan"),
        (dwell(least=5, op="==", value=None), "trait plan"),
    ],
)
def test_what_makes_no_sense_does_not_compile(make, condition, fault):
    with pytest.raises(ValueError, match=fault):
        compile_segment(make.segment("s", **condition))

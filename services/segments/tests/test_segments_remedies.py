"""What would flip a condition: done, it does flip, and nothing less does."""

from __future__ import annotations

from datetime import timedelta

import pytest
from cdp_contracts.conditions_v1 import Absence, Condition, Count, First, Last
from cdp_segments.domain.comparing import compare_numbers
from cdp_segments.domain.remedies import steps_up
from cdp_segments.domain.telling import milliseconds_of, moment_of
from hypothesis import given
from hypothesis import strategies as st
from pydantic import TypeAdapter
from random_conditions import betweens, calendars, numbers, operators, sessions, slidings, timed, timeful
from stories import DAY, SESSION, Story, between, count, sliding

NAMES = st.sampled_from(["view", "buy"])
LEAVES = st.one_of(
    st.builds(Count, event=NAMES, window=st.one_of(timed, sessions), op=operators, n=numbers),
    st.builds(Absence, event=NAMES, window=slidings, require_age=st.booleans()),
    st.builds(First, event=NAMES, window=timeful),
    st.builds(Last, event=NAMES, window=st.one_of(betweens, calendars, slidings)),
)
HISTORIES = st.lists(st.tuples(NAMES, st.integers(0, 50)), max_size=6)
CONDITION: TypeAdapter[Condition] = TypeAdapter(Condition)
MUCH_LATER = 2 * 366 * DAY * 1000


def explained(story, now, name="s"):
    return story.explained(name, now)


def lived(make, condition, history):
    story = Story(make, make.segment("s", **CONDITION.dump_python(condition)))
    for n, (event, tenths) in enumerate(sorted(history, key=lambda each: each[1])):
        story.happens(make.event(n, "ann", event, at=tenths / 10))
    return story


@given(condition=LEAVES, history=HISTORIES, waited=st.integers(0, 30))
def test_a_remedy_flips_the_condition_and_nothing_less_does(make, noon, condition, history, waited):
    now = milliseconds_of(noon + timedelta(seconds=5 + waited / 10))
    story = lived(make, condition, history)
    found = explained(story, now)
    (remedy,) = found.why.flips_if
    truth = story.catalog.segments["s"].truth
    person = story.person()
    at = milliseconds_of(remedy.at) if remedy.at else now
    match remedy.kind:
        case "events":
            for n in range(remedy.count):
                assert truth(person, at) is found.satisfied
                story.happens(make.event(100 + n, "ann", remedy.event or "view", at=5 + waited / 10))
            assert truth(person, at) is not found.satisfied
        case "clock":
            assert truth(person, at) is not found.satisfied
            assert truth(person, at - 1) is found.satisfied
        case "never":
            assert truth(person, now + MUCH_LATER) is found.satisfied
        case kind:
            assert (kind, condition.window.kind) == ("visit", "session")


@given(op=operators, n=st.integers(0, 9), found=st.integers(0, 12))
def test_a_count_rises_by_the_fewest_that_flip_it(op, n, found):
    truth = compare_numbers(op, found, n)
    others = [k for k in range(1, 30) if compare_numbers(op, found + k, n) is not truth]
    assert steps_up(op, n, found, truth=truth) == (others[0] if others else 0)
    assert steps_up(op, n, found, truth=not truth) == 0


TRAIT = {"kind": "trait", "trait": "plan", "op": "==", "value": "pro"}


@pytest.mark.parametrize(
    ("condition", "said"),
    [
        (count(n=3), "2 more view"),
        (count(n=3, **sliding(7 * DAY)), "2 more view within 7 d, before 2026-01-12T12:00:00+00:00"),
        (count("buy", n=2, where=[{"property": "price", "op": ">", "value": 3}], **SESSION),
         "2 more buy where price > 3 in one session"),
        (count("view", "<", 1, **sliding(60)), "until 2026-01-05T12:01:00+00:00, if nothing happens"),
        (count("view", "==", 0), "nothing can change that"),
        (TRAIT, 'trait plan == "pro"'),
        ({"kind": "and", "of": [TRAIT, count(n=3), count("view")]}, 'trait plan == "pro" and 2 more view'),
        ({"kind": "or", "of": [count(n=3), count("buy"), count("view", "==", 0)]}, "1 more buy"),
        ({"kind": "not", "of": {"kind": "and", "of": [count("view"), {"kind": "not", "of": count("buy")}]}},
         "1 more buy"),
        ({"kind": "in_segment", "segment": "buyers"}, "1 more buy"),
        ({"kind": "in_segment", "segment": "nothing"}, "nothing can change that"),
        ({"kind": "bucket", "seed": "a", "low": 0.9999, "high": 1}, "nothing can change that"),
        ({"kind": "aggregate", "function": "sum", "event": "buy", "property": "price", "value": 20},
         "sum(price of buy) >= 20 (is 0)"),
        ({"kind": "ratio", "numerator": {"kind": "count", "event": "buy"},
          "denominator": {"kind": "count", "event": "view"}, "value": 0.5}, "the ratio >= 0.5 (is 0)"),
        (count("view", n=1, **between(60, 120)), "until 2026-01-05T12:01:00+00:00, if nothing happens"),
        ({"kind": "in_session", "all": [{"event": "view", "n": 2}, {"event": "buy"}]},
         "1 more view and 1 more buy in one session"),
    ],
)  # fmt: skip
def test_what_would_let_somebody_in(make, noon, condition, said):
    story = Story(make, make.segment("s", **condition), make.segment("buyers", **count("buy")))
    story.happens(make.event(1, "ann"))
    found = explained(story, milliseconds_of(noon))
    assert " and ".join(remedy.words for remedy in found.would_enter_if) == said
    assert found.would_enter_if == found.why.flips_if
    if all(remedy.kind in ("events", "trait") for remedy in found.would_enter_if):
        assert found.summary == f"not in, would enter if {said}"


def test_of_somebody_who_is_in_it_says_what_would_end_that(make, noon):
    story = Story(make, make.segment("s", kind="not", of=count("buy")))
    story.happens(make.event(1, "ann"))
    found = explained(story, milliseconds_of(noon))
    assert (found.satisfied, found.would_enter_if) == (True, None)
    assert [remedy.words for remedy in found.why.flips_if] == ["1 more buy"]


def test_a_count_of_an_absence_without_any_event_says_what_to_wait_for(make, noon):
    story = Story(make, make.segment("s", kind="absence", event="buy", require_age=True, **sliding(5)))
    story.happens(make.traits(1, "ann", plan="pro"))
    found = explained(story, milliseconds_of(noon))
    assert (found.satisfied, found.why.flips_if[0].at) == (False, moment_of(milliseconds_of(noon) + 5000))

"""What events amount to: sums, averages, ratios, and how a window takes them away again."""

from __future__ import annotations

import random

import bson
import pytest
from cdp_contracts.conditions_v1 import Ratio
from cdp_segments.domain.person import Person
from cdp_segments.domain.quantities import MARKS_KEPT, amount
from cdp_segments.domain.reasons import CAPPED
from cdp_segments.domain.wording import words
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError
from stories import DAY, SESSION, Story, sliding

FUNCTIONS = ["count", "sum", "average", "min", "max", "last", "distinct"]
LUXURY = [{"property": "tier", "op": "==", "value": "high-end"}]


def aggregate(function, op, value, event="buy", **more):
    about = {"function": function, "event": event, "property": "price"}
    return {"kind": "aggregate", **about, "op": op, "value": value, **more}


def share(part, whole, op, value, **more):
    return {"kind": "ratio", "numerator": part, "denominator": whole, "op": op, "value": value, **more}


def counted(event, **more):
    return {"kind": "count", "event": event, **more}


def explained(story, segment):
    return story.explained(segment).why


@pytest.mark.parametrize(
    ("condition", "expected"),
    [
        (aggregate("sum", ">=", 100, **sliding(30 * DAY)), "sum(price of buy) >= 100 in the last 30 d"),
        (
            aggregate("average", "<", 9.99, where=LUXURY),
            'average(price of buy where tier == "high-end") < 9.99 ever',
        ),
        (aggregate("max", "==", 0.1, **SESSION), "max(price of buy) == 0.1 in one session"),
        (
            share(counted("view", where=LUXURY), counted("view", **sliding(1)), ">", 1, min_denominator=5),
            'count(view where tier == "high-end") ever / count(view) in the last 1 s > 1 (with at least 5 below)',
        ),
    ],
)
def test_a_quantity_in_words(make, condition, expected):
    assert words(make.condition(**condition)) == expected


@given(
    values=st.lists(st.floats(-1e15, 1e15), min_size=1, max_size=30),
    function=st.sampled_from(FUNCTIONS),
    seed=st.integers(0, 99),
)
def test_no_order_changes_what_events_amount_to(values, function, seed):
    ring = [(n, n, value) for n, value in enumerate(values)]
    shuffled = random.Random(seed).sample(ring, len(ring))
    assert amount(function, sorted(shuffled)) == amount(function, ring)
    if function != "last":
        assert amount(function, shuffled) == amount(function, ring)


def test_sums_of_decimals_are_what_one_expects():
    assert amount("sum", [(n, n, 0.1) for n in range(10)]) == 1
    assert amount("average", [(n, n, value) for n, value in enumerate([0.1, 0.2, 0.3])]) == 0.2


def test_of_no_event_only_a_count_and_a_sum_are_known():
    assert {function: amount(function, []) for function in FUNCTIONS} == {
        "count": 0, "sum": 0, "distinct": 0, "average": None, "min": None, "max": None, "last": None
    }  # fmt: skip


def test_a_sum_rises_with_events_and_falls_by_the_clock(make, noon):
    story = Story(make, make.segment("spender", **aggregate("sum", ">=", 10, **sliding(5))))
    story.happens(make.event(1, "ann", "buy", at=0, price=4), make.event(2, "ann", "buy", at=1, price=3))
    story.happens(make.event(3, "ann", "buy", at=1, price="9"), make.event(4, "ann", "buy", at=1, price=True))
    assert story.segments() == set()
    (message,) = story.happens(make.event(5, "ann", "buy", at=2, price=6.5))
    (change,) = message.changes
    assert (change.reasons[0].value, change.reasons[0].threshold) == (13.5, 10)
    assert change.expires_at == noon.replace(second=5)
    (message,) = story.passes(noon.replace(second=9))
    assert [(c.member, c.effective_at.second, c.reasons[0].value) for c in message.changes] == [(False, 5, 9.5)]


def test_an_average_may_also_begin_by_the_clock(make, noon):
    story = Story(make, make.segment("dear", **aggregate("average", ">", 50, **sliding(5))))
    story.happens(make.event(1, "ann", "buy", at=0, price=1), make.event(2, "ann", "buy", at=3, price=80))
    (message,) = story.passes(noon.replace(second=9))
    assert [(c.member, c.effective_at.second) for c in message.changes] == [(True, 5), (False, 8)]


def test_who_views_the_high_end_and_buys_on_a_budget(make, noon):
    dreams = share(counted("view", where=LUXURY), counted("view"), ">=", 0.75, min_denominator=4)
    budget = aggregate("max", "<", 20)
    story = Story(make, make.segment("luxury", kind="and", of=[dreams, budget]))
    story.happens(*(make.event(n, "ann", at=n, tier="high-end") for n in range(3)))
    assert story.segments() == set()
    story.happens(make.event(3, "ann", at=3, tier="basic"), make.event(4, "ann", "buy", at=4, price=15))
    assert story.segments() == {"luxury"}
    why = explained(story, "luxury")
    assert [(part.kind, part.value, part.threshold) for part in why.of] == [
        ("ratio", 0.75, 0.75),
        ("aggregate", 15, 20),
    ]
    story.happens(make.event(5, "ann", "buy", at=5, price=200))
    assert story.segments() == set()


def test_how_many_different_ones(make):
    story = Story(make, make.segment("wide", **aggregate("distinct", "==", 4)))
    for n, price in enumerate([1, 1.0, "1", True, 2, None, [2], {"a": 2}]):
        story.happens(make.event(n, "ann", "buy", at=n, price=price))
    assert story.segments() == {"wide"}


def test_of_a_visit_and_of_more_events_than_are_kept(make):
    story = Story(
        make,
        make.segment("big-basket", **aggregate("sum", ">", 99, event="add", **SESSION)),
        make.segment("much", **aggregate("sum", ">=", MARKS_KEPT)),
    )
    story.happens(make.event(1, "ann", "add", at=0, price=60), make.event(2, "ann", "add", at=1900, price=60))
    assert story.segments() == set()
    story.happens(make.event(3, "ann", "add", at=950, price=1))
    assert story.segments() == {"big-basket"}
    story.happens(*(make.event(n, "ann", "buy", at=n, price=1) for n in range(9, 9 + MARKS_KEPT + 5)))
    assert story.segments() == {"big-basket", "much"}
    why = explained(story, "much")
    assert (why.value, why.note) == (MARKS_KEPT, CAPPED)


def test_what_cannot_hold_values_waits_instead_of_losing_them(make):
    story = Story(make, make.segment("s", **aggregate("sum", ">", 1)), make.segment("v", **counted("view")))
    story.happens(make.event(1, "ann"))
    assert story.person().written_as == 1
    story.happens(make.event(2, "ann", "buy", price=0.1))
    assert story.person().written_as == 3 <= Person.schema_version
    state = bson.decode(bson.encode(story.person().to_state()))
    assert Person.from_state(story.person().id, state).rings == story.person().rings


def test_a_ratio_needs_something_below():
    part = {"kind": "count", "event": "view"}
    with pytest.raises(ValidationError, match="min_denominator"):
        Ratio.model_validate({"numerator": part, "denominator": part, "min_denominator": 0, "value": 1})
    with pytest.raises(ValidationError, match="session"):
        Ratio.model_validate({"numerator": part | SESSION, "denominator": part, "value": 1})

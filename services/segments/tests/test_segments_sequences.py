"""Events one after another: in which order, how soon, what must not come between or after, and of what."""

from __future__ import annotations

from datetime import timedelta

import pytest
from cdp_segments.domain import quantities
from cdp_segments.domain.reasons import CAPPED
from cdp_segments.domain.segments import compile_segment
from cdp_segments.domain.wording import words
from stories import DAY, Story, between, calendar, sliding

HOUR = 3600
ABANDONED = {"not_after": {"event": "order", "within_seconds": HOUR}}


def sequence(*steps, **more):
    steps = [{"event": step} if isinstance(step, str) else step for step in steps]
    return {"kind": "sequence", "steps": steps, **more}


def step(event, within=None, *without, same=False):
    return {
        "event": event,
        "within_seconds": within,
        "not_between": [{"event": name, "same": same} for name in without],
    }


def explained(story, segment="s"):
    return story.explained(segment).why


def lived(make, condition, *happenings):
    """Whether the condition holds of somebody to whom this happened, each an event, an instant and properties."""
    story = Story(make, make.segment("s", **condition))
    for n, (name, at, *properties) in enumerate(happenings):
        story.happens(make.event(n, "ann", name, at=at, **(properties[0] if properties else {})))
    return "s" in story.segments()


@pytest.mark.parametrize(
    ("condition", "expected"),
    [
        (sequence("view", "buy"), "view, then buy ever"),
        (
            sequence("add", **ABANDONED, **sliding(7 * DAY)),
            "add with no order for 1 h after in the last 7 d",
        ),
        (
            sequence("view", step("add", 60, "leave", "drop"), within_seconds=DAY, times=3),
            "view, then add within 1 min without leave or drop between within 24 h in all at least 3 times ever",
        ),
        (
            sequence("view", step("add", None, "drop", same=True), same="sku.id"),
            "view, then add without such drop between with the same sku.id ever",
        ),
    ],
)
def test_it_in_words(make, condition, expected):
    assert words(make.condition(**condition)) == expected


@pytest.mark.parametrize(
    ("happenings", "expected"),
    [
        ([("view", 0), ("buy", 1)], True),
        ([("buy", 0), ("view", 1)], False),
        ([("view", 1), ("buy", 1)], False),
        ([("view", 0), ("other", 1), ("buy", 2)], True),
        ([("view", 0), ("buy", 9.999)], True),
        ([("view", 0), ("buy", 10)], False),
        ([("view", 0), ("view", 5), ("buy", 12)], True),
        ([("view", 0), ("leave", 1), ("buy", 2)], False),
        ([("view", 0), ("leave", 1), ("view", 2), ("buy", 3)], True),
        ([("view", 0), ("leave", 0), ("buy", 3)], True),
        ([("view", 0), ("buy", 3), ("leave", 3)], True),
        ([("buy", 1), ("view", 0)], True),
        ([("view", 0), ("buy", 2), ("leave", 1)], False),
    ],
)
def test_a_step_follows_another(make, happenings, expected):
    assert lived(make, sequence("view", step("buy", 10, "leave")), *happenings) is expected


def test_an_event_does_not_follow_itself(make):
    assert not lived(make, sequence("view", "view"), ("view", 0))
    assert not lived(make, sequence("view", "view"), ("view", 0), ("view", 0))
    assert lived(make, sequence("view", "view", "view"), ("view", 0), ("view", 2), ("view", 1))


def test_the_whole_is_bounded_by_the_chain_that_begins_last(make):
    condition = sequence("view", step("add", None, "drop"), step("buy", 5), within_seconds=10)
    assert lived(make, condition, ("view", 0), ("add", 8), ("buy", 9.9))
    assert not lived(make, condition, ("view", 0), ("add", 8), ("buy", 10))
    assert lived(make, condition, ("view", 0), ("view", 5), ("add", 6), ("drop", 7), ("add", 8), ("buy", 10))
    assert not lived(make, condition, ("view", 0), ("add", 1), ("view", 2), ("drop", 3), ("add", 8), ("buy", 9))


def test_it_is_the_same_product_in_all_steps(make):
    condition = sequence("view", step("buy", None, "drop", same=True), same="sku.id")

    def of(sku):
        return {"sku": {"id": sku}}

    assert lived(make, condition, ("view", 0, of(1)), ("view", 1, of("a")), ("buy", 2, of(1.0)))
    for other in (2, "1", True, None, [1]):
        assert not lived(make, condition, ("view", 0, of(1)), ("buy", 2, of(other)))
    for nothing in (None, [1], {"x": 1}):
        assert not lived(make, condition, ("view", 0, of(nothing)), ("buy", 2, of(nothing)))
    assert not lived(make, condition, ("view", 0, of(1)), ("drop", 1, of(1)), ("buy", 2, of(1)))
    assert lived(make, condition, ("view", 0, of(1)), ("drop", 1, of(2)), ("drop", 1, {}), ("buy", 2, of(1)))


def test_what_must_not_happen_may_be_of_any_product(make):
    condition = sequence("view", step("buy", None, "drop"), same="sku")
    events = ("view", 0, {"sku": 1}), ("drop", 1), ("buy", 2, {"sku": 1})
    assert not lived(make, condition, *events)


def test_it_happened_as_often_as_something_ended_it(make):
    twice = sequence("view", "buy", times=2)
    assert lived(make, twice, ("view", 0), ("buy", 1), ("buy", 2))
    assert not lived(make, twice, ("view", 0), ("view", 1), ("buy", 2))
    story = Story(make, make.segment("s", **twice))
    story.happens(make.event(1, "ann"), *(make.event(2, "ann", "buy", at=1) for _ in range(3)))
    assert story.segments() == set()


def abandoner(make, **more):
    return Story(make, make.segment("s", **sequence("add", **ABANDONED, **sliding(7 * DAY), **more)))


def moments(messages, noon):
    return [(c.member, (c.effective_at - noon) / timedelta(hours=1)) for m in messages for c in m.changes]


def test_a_cart_is_abandoned_exactly_when_the_hour_is_over_and_for_a_week(make, noon):
    story = abandoner(make)
    assert story.happens(make.event(1, "ann", "add")) == []
    assert explained(story).changes_at == noon + timedelta(hours=1)
    assert moments(story.passes(noon + timedelta(seconds=3599.999)), noon) == []
    (message,) = story.passes(noon + timedelta(hours=1))
    assert moments([message], noon) == [(True, 1)]
    assert message.memberships["s"].expires_at == noon + timedelta(days=7)
    assert moments(story.passes(noon + timedelta(days=9)), noon) == [(False, 7 * 24)]


@pytest.mark.parametrize(("seconds", "member"), [(0, True), (0.001, False), (3599.999, False), (3600, True)])
def test_an_order_within_the_hour_counts_whenever_it_is_told(make, noon, seconds, member):
    told = noon + timedelta(hours=5)
    order = make.event(2, "ann", "order", at=seconds).model_copy(update={"received_at": told})
    late = abandoner(make)
    late.happens(make.event(1, "ann", "add"))
    assert moments(late.passes(noon + timedelta(hours=4)), noon) == [(True, 1)]
    assert moments(late.happens(order), noon) == ([] if member else [(False, 5)])
    first = abandoner(make)
    add = make.event(1, "ann", "add").model_copy(update={"received_at": told})
    first.happens(order, add)
    assert (first.segments() == {"s"}) is member


def test_a_cart_that_is_told_late_is_abandoned_at_once(make, noon):
    story = abandoner(make)
    add = make.event(1, "ann", "add").model_copy(update={"received_at": noon + timedelta(hours=2)})
    assert moments(story.happens(add), noon) == [(True, 2)]


def test_of_two_carts_one_is_abandoned(make, noon):
    story = abandoner(make)
    story.happens(
        make.event(1, "ann", "add"), make.event(2, "ann", "order", at=60), make.event(3, "ann", "add", at=120)
    )
    assert moments(story.passes(noon + timedelta(hours=5)), noon) == [(True, 1 + 120 / 3600)]
    why = explained(story)
    assert (why.value, why.threshold, [at.minute for at in why.newest]) == (1, 1, [2])


def test_a_window_that_comes_in_late_waits_for_the_later_of_the_two(make, noon):
    after_days = sequence("add", **ABANDONED, **between(2 * HOUR, 4 * HOUR))
    story = Story(
        make, make.segment("s", **after_days), make.segment("t", **sequence("a", "b", **between(10, 20)))
    )
    story.happens(make.event(1, "ann", "add"), make.event(2, "ann", "a"), make.event(3, "ann", "b", at=1))
    told = story.passes(noon + timedelta(days=1))
    flips = [(c.segment, c.member, c.effective_at - noon) for m in told for c in m.changes]
    assert flips == [
        ("t", True, timedelta(seconds=11)),
        ("t", False, timedelta(seconds=21)),
        ("s", True, timedelta(hours=2)),
        ("s", False, timedelta(hours=4)),
    ]


def test_abandoned_today(make, noon):
    story = Story(make, make.segment("s", **sequence("add", **ABANDONED, **calendar("day"))))
    story.happens(make.event(1, "ann", "add"))
    assert moments(story.passes(noon + timedelta(days=2)), noon) == [(True, 1), (False, 12)]


def test_it_is_explained_how_far_somebody_came(make):
    story = Story(make, make.segment("s", **sequence("view", "add", "buy")))
    story.happens(make.event(1, "ann"), make.event(2, "ann", "add", at=1))
    why = explained(story)
    assert (why.kind, why.satisfied, why.value, why.note) == ("sequence", False, 0, "came as far as step 2 of 3")


@pytest.mark.parametrize(
    ("condition", "left", "count"),
    [
        (sequence("view", "add", "buy"), "add, then buy", 2),
        (sequence("view", step("add", 10, "drop"), "buy"), "view, then add, then buy", 3),
        (sequence("view", "buy"), "buy", 1),
        (sequence("view", "buy", times=3), "buy, 3 times", 3),
        (sequence("view", step("buy", 5)), "view, then buy", 2),
        (sequence("view", "buy", within_seconds=5), "view, then buy", 2),
        (sequence("add", **ABANDONED), "add, and no order for 1 h", 1),
    ],
)
def test_it_is_explained_which_steps_are_left(make, condition, left, count):
    story = Story(make, make.segment("s", **condition))
    story.happens(make.event(1, "ann"), make.event(2, "ann", "drop", at=4), make.event(3, "ann", "other", at=7))
    (remedy,) = explained(story).flips_if
    assert (remedy.words, remedy.count) == (left, count)
    events = ["buy"] * 3 if "times" in left else left.partition(", and")[0].split(", then ")
    told = [story.happens(make.event(n, "ann", event, at=4 + n)) for n, event in enumerate(events, 4)]
    assert not any(told[:-1])
    story.passes(make.event(0, "x", at=2 * HOUR).received_at)
    assert story.segments() == {"s"}


def test_of_more_events_than_are_kept_it_is_said(make, monkeypatch):
    monkeypatch.setattr(quantities, "MARKS_KEPT", 3)
    story = Story(make, make.segment("s", **sequence("view", step("buy", 10), **sliding(100))))
    story.happens(make.event(0, "ann", "buy", at=1), *(make.event(n, "ann", at=n) for n in range(2, 5)))
    why = explained(story)
    assert (why.satisfied, why.note) == (False, CAPPED)
    story.happens(make.event(9, "ann", at=113))
    assert explained(story).note == "came as far as step 1 of 2"


@pytest.mark.parametrize(
    ("condition", "fault"),
    [
        (sequence("view"), "a single step needs not_after"),
        (sequence(step("view", 10), "buy"), "steps/0"),
        (sequence(step("view", None, "drop"), "buy"), "steps/0"),
        (sequence("view", step("buy", None, "drop", same=True)), "same"),
        (sequence("view", not_after={"event": "x", "within_seconds": 9, "same": True}), "same"),
        (sequence("view", not_after={"event": "x", "within_seconds": 9}, **sliding(9)), "not_after"),
        (sequence("view", not_after={"event": "x", "within_seconds": 9}, **between(1, 8)), "not_after"),
        (sequence("view", {"event": "buy", "where": [{"property": "a", "op": ">", "value": True}]}), "property a"),
        (sequence("view", "buy", **between(5, 4)), "to_seconds"),
    ],
)
def test_what_makes_no_sense_does_not_compile(make, condition, fault):
    with pytest.raises(ValueError, match=fault):
        compile_segment(make.segment("s", **condition))


def test_equal_events_of_different_conditions_share_their_marks(make):
    distinct = {"kind": "aggregate", "function": "distinct", "event": "view", "property": "sku", "value": 2}
    catalog = make.catalog(
        make.segment("s", **sequence("view", "buy", same="sku")),
        make.segment("t", **sequence("buy", "view", same="sku", **sliding(5))),
        make.segment("u", **distinct),
    )
    assert len(catalog.tallies) == 2

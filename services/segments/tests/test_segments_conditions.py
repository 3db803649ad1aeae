"""What conditions mean, what they are called, and which are refused."""

from __future__ import annotations

import pytest
from cdp_contracts.events_v1 import Event
from cdp_segments.domain.comparing import COMPARISONS
from cdp_segments.domain.latching import VISITS_KEPT
from cdp_segments.domain.leaves import leaf_of, walk
from cdp_segments.domain.person import Person
from cdp_segments.domain.segments import compile_segment
from cdp_segments.domain.telling import milliseconds_of
from cdp_segments.domain.wording import words
from stories import DAY, SESSION, Story, between, calendar, count, sliding


@pytest.mark.parametrize(
    ("op", "left", "right", "expected"),
    [
        ("==", 1, 1.0, True), ("==", True, 1, False), ("==", 1, True, False), ("==", "1", 1, False),
        ("==", None, "x", False), ("!=", None, "x", True), ("!=", "x", "x", False), ("==", [1], [1], True),
        (">", 2, 1, True), (">", "b", "a", True), (">", "2", 1, False), (">", True, 0, False),
        (">", None, 0, False),
        ("<=", 1, 1, True), ("<", 1, 1, False), (">=", None, 0, False),
        ("contains", "tablet", "tab", True), ("contains", ["a", "b"], "b", True), ("contains", [1], True, False),
        ("contains", None, "a", False), ("contains", 5, 5, False), ("contains", "5", 5, False),
        ("in", "a", ["a", "b"], True), ("in", 1, [True], False), ("in", None, [1], False),
        ("exists", 0, None, True), ("exists", None, None, False),
        ("missing", None, None, True), ("missing", False, None, False),
    ],
)  # fmt: skip
def test_how_values_compare(op, left, right, expected):
    assert COMPARISONS[op](left, right) is expected


@pytest.mark.parametrize(
    ("condition", "expected"),
    [
        (count("Product Viewed", ">", 3, **SESSION), "count(Product Viewed) > 3 in one session"),
        (count(window={"kind": "session", "gap_seconds": 600}), "count(view) >= 1 in one session (gap 10 min)"),
        (count(**sliding(DAY)), "count(view) >= 1 in the last 24 h"),
        (count(**sliding(7 * DAY)), "count(view) >= 1 in the last 7 d"),
        (count(**sliding(90)), "count(view) >= 1 in the last 90 s"),
        (count(**sliding(0.25)), "count(view) >= 1 in the last 0.25 s"),
        (count(op="<=", n=0), "count(view) <= 0 ever"),
        (count(**between(30 * DAY, 90 * DAY)), "count(view) >= 1 30 d to 90 d ago"),
        (count(**between(30 * DAY)), "count(view) >= 1 more than 30 d ago"),
        (count(**calendar("month")), "count(view) >= 1 this month (UTC)"),
        (count(**calendar("day")), "count(view) >= 1 today (UTC)"),
        (count(**calendar("week", n=2)), "count(view) >= 1 in the current 2 weeks (UTC)"),
        (count(**calendar("day", n=3, full=True)), "count(view) >= 1 in the last 3 full days (UTC)"),
        (
            count(**calendar("day", full=True, time_zone="Europe/Berlin")),
            "count(view) >= 1 in the last full day (Europe/Berlin)",
        ),
        (
            count(where=[{"property": "a.b", "op": "==", "value": "é"}, {"property": "c", "op": "exists"}]),
            'count(view where a.b == "é" and c exists) >= 1 ever',
        ),
        ({"kind": "trait", "trait": "plan", "op": "in", "value": ["a", 1]}, 'trait plan in ["a", 1]'),
        (
            {"kind": "in_session", "all": [{"event": "add"}, {"event": "buy", "op": "==", "n": 0}]},
            "count(add) >= 1 and count(buy) == 0 in one session",
        ),
        (
            {"kind": "or", "of": [count(), {"kind": "not", "of": count("buy")}]},
            "(count(view) >= 1 ever or not count(buy) >= 1 ever)",
        ),
    ],
)
def test_a_condition_in_words(make, condition, expected):
    assert words(make.condition(**condition)) == expected


@pytest.mark.parametrize(
    ("condition", "rule"),
    [
        ({"kind": "trait", "trait": "plan", "op": "in", "value": "pro"}, "trait plan: 'in' needs a list"),
        ({"kind": "trait", "trait": "age", "op": ">", "value": None}, "trait age: '>' needs a number or a text"),
        ({"kind": "trait", "trait": "age", "op": ">", "value": True}, "trait age: '>' needs a number or a text"),
        ({"kind": "trait", "trait": "age", "op": "=="}, "trait age: '==' needs a value"),
        ({"kind": "trait", "trait": "age", "op": "exists", "value": 1}, "trait age: 'exists' takes no value"),
        (count(where=[{"property": "p.q", "op": "in", "value": 1}]), "property p.q: 'in' needs a list"),
        ({"kind": "in_session", "all": [{"event": "x", "where": [{"property": "p", "op": "<"}]}]}, "property p: "),
        ({"kind": "and", "of": [count(n=n % 250, event=str(n)) for n in range(257)]}, "256 leaves"),
    ],
)  # fmt: skip
def test_a_condition_that_makes_no_sense_is_refused_by_name(make, condition, rule):
    with pytest.raises(ValueError, match=rule):
        compile_segment(make.segment("s", **condition))


def test_a_tree_may_be_32_deep(make):
    tree = count()
    for _ in range(31):
        tree = {"kind": "not", "of": tree}
    compile_segment(make.segment("s", **tree))
    with pytest.raises(ValueError, match="nested 32 deep"):
        compile_segment(make.segment("s", kind="not", of=tree))


def test_no_text_of_a_definition_becomes_code(make):
    evil = '"] or exit() or r0["'
    tree = {"kind": "and", "of": [count(evil), {"kind": "trait", "trait": "plan", "op": "==", "value": evil}]}
    segment = compile_segment(make.segment("s", **tree))
    assert segment.truth(Person("demo/x"), 0) is False
    names = {*segment.truth.__code__.co_names, *segment.truth.__code__.co_varnames}
    assert not any("exit" in name for name in names)


def test_equal_conditions_share_their_state(make):
    first, second = (
        make.condition(**count(n=3, where=[{"property": "p", "op": "==", "value": v}])) for v in (1, 1.0)
    )
    (one,), (other,) = walk(first), walk(second)
    assert leaf_of(one).key != leaf_of(other).key  # 1 and 1.0 are written differently, so nothing is assumed
    story = Story(
        make,
        make.segment("often", **count(n=2)),
        make.segment("once", **count(n=1, **sliding(60))),
        make.segment("never", **count(op="==", n=0)),
    )
    story.happens(make.event(1, "ann"))
    assert len(story.person().rings) == 1
    assert story.segments() == {"once"}


@pytest.mark.parametrize(
    ("event", "counted_as"),
    [
        (Event(type="track", name="Product Viewed"), {"Product Viewed", "*"}),
        (Event(type="page", name="Home"), {"Home", "page", "*"}),
        (Event(type="screen", name="screen"), {"screen", "*"}),
        (Event(type="identify", name="identify"), {"identify"}),
        (Event(type="consent", name="consent"), {"consent"}),
    ],
)
def test_what_an_event_is_counted_as(make, event, counted_as):
    names = ["Product Viewed", "Home", "page", "screen", "identify", "consent", "track", "*"]
    story = Story(make, *(make.segment(f"s{n}", **count(name)) for n, name in enumerate(names)))
    story.happens(make.update(1, "ann", event=event))
    assert {names[int(segment[1:])] for segment in story.segments()} == counted_as


def test_only_behaviour_makes_a_visit(make):
    story = Story(make, make.segment("s", **count(n=2, **SESSION)))
    story.happens(make.event(1, "ann", at=0), make.traits(2, "ann", at=1500), make.event(3, "ann", at=3000))
    assert story.segments() == set()
    story.happens(make.event(4, "ann", "other", at=1400))
    assert story.segments() == {"s"}


def test_a_visit_ends_after_exactly_the_gap(make):
    for pause, together in ((1799.999, True), (1800, False)):
        story = Story(make, make.segment("s", **count(n=2, **SESSION)))
        story.happens(make.event(1, "ann", at=0), make.event(2, "ann", at=pause))
        assert bool(story.segments()) is together


def test_a_purchase_later_in_the_visit_takes_the_truth_away(make):
    cart = {"kind": "in_session", "all": [{"event": "add"}, {"event": "buy", "op": "==", "n": 0}]}
    story = Story(make, make.segment("cart", **cart))
    assert [c.member for m in story.happens(make.event(1, "ann", "add")) for c in m.changes] == [True]
    (message,) = story.happens(make.event(2, "ann", "buy", at=60))
    (change,) = message.changes
    assert (change.member, change.cause) == (False, "event")
    (reason,) = change.reasons
    assert reason.value == {"count(add)": 1, "count(buy)": 1}
    assert reason.threshold == {"count(add)": ">= 1", "count(buy)": "== 0"}
    story.happens(make.event(3, "ann", "add", at=7200))
    assert story.segments() == {"cart"}


def test_what_an_old_visit_fulfilled_stays_fulfilled(make):
    cart = {"kind": "in_session", "all": [{"event": "add"}, {"event": "buy", "op": "==", "n": 0}]}
    story = Story(make, make.segment("cart", **cart), make.segment("often", **count(n=2, **SESSION)))
    story.happens(make.event(0, "ann", "add"), make.event(1, "ann"), make.event(2, "ann", at=1))
    story.happens(*(make.event(n, "ann", "buy", at=n * 3600) for n in range(3, 3 + 2 * VISITS_KEPT)))
    (visits,) = story.person().visits.values()
    assert len(visits.spans) == VISITS_KEPT
    assert story.segments() == {"cart", "often"}
    story.happens(make.event(999, "ann", "buy", at=5))  # too late for a visit that is forgotten
    assert story.segments() == {"cart", "often"}


def test_leaving_and_entering_by_the_clock(make, noon):
    story = Story(
        make,
        make.segment("active", **count(**sliding(5))),
        make.segment("quiet", kind="not", of=count(**sliding(5))),
        make.segment("exactly-one", **count(op="==", n=1, **sliding(5))),
    )
    story.happens(make.event(1, "ann", at=0), make.event(2, "ann", at=2))
    assert story.segments() == {"active"}
    assert story.person().members["active"].expires_at == milliseconds_of(noon) + 7000
    (message,) = story.passes(noon.replace(second=6))
    assert [(c.segment, c.member, c.cause, c.effective_at.second) for c in message.changes] == [
        ("exactly-one", True, "timer", 5)
    ]
    assert message.memberships["active"].expires_at == noon.replace(second=7)
    (message,) = story.passes(noon.replace(second=7))
    assert {(c.segment, c.member) for c in message.changes} == {
        ("active", False), ("exactly-one", False), ("quiet", True)
    }  # fmt: skip
    assert (message.received_at, message.message_id) == (noon.replace(second=7), str(message.id))
    assert story.person().next_deadline is None


def test_a_timer_that_is_very_late_tells_every_flip_with_its_own_time(make, noon):
    story = Story(make, make.segment("one", **count(op="==", n=1, **sliding(5))))
    story.happens(make.event(1, "ann", at=0), make.event(2, "ann", at=2))
    (message,) = story.passes(noon.replace(hour=15))
    assert [(c.member, c.effective_at.second) for c in message.changes] == [(True, 5), (False, 7)]


def test_an_old_event_is_no_news(make):
    story = Story(make, make.segment("active", **count(**sliding(DAY))))
    old = make.event(1, "ann", at=-2 * DAY).model_copy(update={"received_at": make.event(1, "ann").received_at})
    assert story.happens(old) == []


def test_an_event_from_the_future_counts_from_when_it_came(make, noon):
    story = Story(make, make.segment("active", **count(**sliding(5))))
    early = make.event(1, "ann", at=9999).model_copy(update={"received_at": noon})
    story.happens(early)
    (message,) = story.passes(noon.replace(second=5))
    assert message.memberships == {}


def test_a_trait_of_an_older_revision_is_no_news(make):
    story = Story(make, make.segment("pro", kind="trait", trait="plan", op="==", value="pro"))
    story.happens(make.traits(5, "ann", plan="free"), make.traits(4, "ann", plan="pro"))
    assert story.segments() == set()
    (message,) = story.happens(make.traits(6, "ann", plan="pro"))
    ((reason,),) = (change.reasons for change in message.changes)
    assert (reason.condition, reason.satisfied, reason.value, reason.threshold) == (
        'trait plan == "pro"', True, None, "pro"
    )  # fmt: skip


def test_somebody_new_enters_what_holds_of_anybody(make):
    story = Story(make, make.segment("unnamed", kind="trait", trait="name", op="missing"))
    (message,) = story.happens(make.event(1, "ann"))
    assert [(c.segment, c.cause) for c in message.changes] == [("unnamed", "event")]

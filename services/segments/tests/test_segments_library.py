"""The ready definitions under infra/library: what they are called, and whom they hold of."""

from __future__ import annotations

import random
from datetime import timedelta
from pathlib import Path

import pytest
from cdp_cli.definitions import load
from stories import DAY, Story

LIBRARY = Path(__file__).parents[3] / "infra" / "library"
STAGES = ["prospect", "new", "active", "lapsing", "lapsed"]


@pytest.fixture(scope="module")
def library():
    return [loaded.definition for loaded in load(LIBRARY)]


@pytest.fixture
def story(make, library):
    return Story(make, *library)


def test_every_file_is_named_like_what_it_defines_and_says_what_it_means(library):
    assert {file.stem for file in LIBRARY.glob("*/*.yaml")} == {each.name for each in library}
    assert all(each.title and each.description and each.owner for each in library)


@pytest.mark.parametrize("seed", range(20))
def test_everybody_is_in_one_stage_and_one_level_at_any_time(make, library, noon, seed):
    dice = random.Random(seed)
    story = Story(make, *library)
    at = 0.0
    for n in range(60):
        at += dice.choice([60, 3600, DAY, 10 * DAY, 45 * DAY])
        name = dice.choice(["Product Viewed", "Product Viewed", "Product Added", "Order Completed"])
        story.passes(noon + timedelta(seconds=at))
        story.happens(make.event(n, "ann", name, at=at, price=20, revenue=20))
        for kind in ("lifecycle", "engagement"):
            held = {segment for segment in story.segments() if segment.startswith(kind)}
            assert len(held) == 1, (n, held)


def flips(messages, noon, kind):
    """When whoever it is came into which segment of a kind, in days."""
    changes = [change for message in messages for change in message.changes if change.segment.startswith(kind)]
    return [
        (change.segment, (change.effective_at - noon) / timedelta(days=1)) for change in changes if change.member
    ]


def test_a_customer_goes_through_all_stages_by_the_clock(make, story, noon):
    told = story.happens(
        make.event(1, "ann", "Product Viewed"), make.event(2, "ann", "Order Completed", revenue=10)
    )
    assert flips(told, noon, "lifecycle") == [("lifecycle-prospect", 0), ("lifecycle-new", 0)]
    assert flips(story.passes(noon + timedelta(days=400)), noon, "lifecycle") == [
        ("lifecycle-active", 30),
        ("lifecycle-lapsing", 90),
        ("lifecycle-lapsed", 180),
    ]


def test_half_of_the_lapsed_are_won_back(make, library, noon):
    names = [f"p{n}" for n in range(60)]
    story = Story(make, *library, people=names)
    story.happens(*(make.event(n, name, "Order Completed", revenue=1) for n, name in enumerate(names)))
    for name in names:
        story.passes(noon + timedelta(days=200), name)
    tested = [name for name in names if "win-back-test" in story.segments(name)]
    assert all("lifecycle-lapsed" in story.segments(name) for name in names)
    assert 20 <= len(tested) <= 40


def test_somebody_came_last_week_from_monday_to_sunday(make, story, noon):
    story.happens(make.event(1, "ann"))
    told = story.passes(noon + timedelta(days=30))
    moments = [
        (c.member, c.effective_at.isoformat()) for m in told for c in m.changes if c.segment == "came-last-week"
    ]
    assert moments == [(True, "2026-01-11T23:00:00+00:00"), (False, "2026-01-18T23:00:00+00:00")]
    assert "gone-quiet" in story.segments()


def test_who_dreams_of_luxury(make, story):
    story.happens(*(make.event(n, "ann", "Product Viewed", at=n, price=250) for n in range(5)))
    assert "luxury-shoppers" not in story.segments()
    story.happens(make.event(9, "ann", "Product Added", at=9, price=30))
    assert "luxury-shoppers" in story.segments()
    story.happens(make.event(10, "ann", "Product Added", at=10, price=300))
    assert "luxury-shoppers" not in story.segments()


def test_a_cart_is_abandoned_after_an_hour_and_for_a_week(make, story, noon):
    story.happens(make.event(1, "ann", "Product Added", price=1))
    told = story.passes(noon + timedelta(days=8))
    moments = [
        (change.member, change.effective_at - noon)
        for message in told
        for change in message.changes
        if change.segment == "cart-abandoners"
    ]
    assert moments == [(True, timedelta(hours=1)), (False, timedelta(days=7))]


def test_a_checkout_is_abandoned_unless_an_order_within_the_hour_is_told_late(make, story, noon):
    story.happens(make.event(1, "ann", "Product Added"), make.event(2, "ann", "Checkout Started", at=600))
    told = story.passes(noon + timedelta(hours=2))
    changes = [c for message in told for c in message.changes if c.segment == "checkout-abandoners"]
    assert [(c.member, c.effective_at - noon) for c in changes] == [(True, timedelta(minutes=70))]
    late = make.event(3, "ann", "Order Completed", at=1200, revenue=1)
    story.happens(late.model_copy(update={"received_at": noon + timedelta(hours=3)}))
    assert "checkout-abandoners" not in story.segments()


def test_who_decides_at_once(make, story, noon):
    for n in range(3):
        story.happens(make.event(10 * n, "ann", "Product Viewed", at=1000 * n, product_id=n))
        story.happens(make.event(10 * n + 1, "ann", "Product Added", at=1000 * n + 599, product_id=n))
    story.happens(make.event(99, "ann", "Product Removed", at=2700, product_id=7))
    story.passes(noon + timedelta(seconds=6198))
    assert "decided-shoppers" not in story.segments()
    story.passes(noon + timedelta(seconds=6199))
    assert "decided-shoppers" in story.segments()


def test_who_is_long_on_trial(make, story, noon):
    story.happens(make.traits(1, "ann", plan="trial"), make.traits(2, "ann", at=DAY, plan="trial"))
    (message,) = story.passes(noon + timedelta(days=20))
    assert [(c.segment, c.effective_at) for c in message.changes] == [("long-on-trial", noon + timedelta(days=14))]


def test_who_buys_abandons_no_cart(make, story, noon):
    story.happens(make.event(1, "ann", "Product Added", price=1))
    story.happens(make.event(2, "ann", "Order Completed", at=600, revenue=500))
    story.passes(noon + timedelta(hours=2))
    assert {"big-spenders", "lifecycle-new"} <= story.segments()
    assert "cart-abandoners" not in story.segments()

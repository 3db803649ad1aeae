"""Sizes, activity, overlaps and previews, as a console reads them."""

from __future__ import annotations

from datetime import timedelta

import pytest
from cdp_segments.api.histories import HistoryPage
from cdp_segments.api.previews import PreviewRequest, PreviewView, strictly
from cdp_segments.api.problems import ConditionProblem
from cdp_segments.api.sizes import ActivityView, OverlapView, SizeView
from cdp_segments.domain.draws import draw
from cdp_segments.domain.estimating import estimate, wilson
from hypothesis import given, settings
from hypothesis import strategies as st
from random_conditions import conditions, downwards
from reading_desk import Desk
from stories import count, sliding

VIEWED = count("view")
LATELY = count("view", **sliding(3600))
BOUGHT = count("buy", n=2)
PRO = {"kind": "trait", "trait": "plan", "op": "==", "value": "pro"}
NAMES = [f"p{n}" for n in range(40)]


@pytest.fixture
async def desk(make, noon):
    desk = Desk(make, noon)
    desk.define(
        make.segment("viewed", **VIEWED), make.segment("lately", **LATELY), make.segment("bought", **BOUGHT),
        make.segment("gone", state="archived", **VIEWED), make.segment("pro", **PRO),
    )  # fmt: skip
    await desk.write(*(make.event(n, name, at=n * 60) for n, name in enumerate(NAMES)))
    await desk.write(*(make.event(100 + n, name, "buy", at=3000 + n) for n, name in enumerate(NAMES[:10] * 2)))
    await desk.write(make.event(500, "eve", "buy", at=3100), make.event(501, "eve", "buy", at=3101))
    yield desk
    await desk.client.aclose()


async def test_a_size_is_a_share_of_all_people(desk):
    status, answer = await desk.get("/v1/segments/bought/size")
    assert status == 200
    assert answer == {
        "segment": "bought", "version": 1, "status": "live", "percent": None, "size": 11,
        "population": 41, "share": 11 / 41, "as_of": "2026-01-05T12:00:00Z",
    }  # fmt: skip


async def test_an_absorbed_profile_is_nobody(desk, make):
    await desk.write(make.merge(600, "p0", "eve", at=3200))
    desk.clock.advance(61)
    _, answer = await desk.get("/v1/segments/bought/size")
    assert (answer["size"], answer["population"]) == (10, 40)


async def test_an_overlap_is_exact(desk):
    _, answer = await desk.get("/v1/segments/overlap", a="viewed", b="bought")
    assert {key: answer[key] for key in ("size_a", "size_b", "both", "only_a", "only_b")} == {
        "size_a": 40, "size_b": 11, "both": 10, "only_a": 30, "only_b": 1,
    }  # fmt: skip
    assert answer["jaccard"] == 10 / 41
    assert answer["lift"] == pytest.approx((10 / 40) / (11 / 41))
    _, same = await desk.get("/v1/segments/overlap", a="viewed", b="viewed")
    assert (same["both"], same["only_a"], same["jaccard"]) == (40, 0, 1)
    _, empty = await desk.get("/v1/segments/overlap", a="pro", b="gone")
    assert (empty["both"], empty["jaccard"], empty["lift"]) == (0, None, None)


async def test_activity_by_the_hour_adds_up_to_the_size(desk, noon):
    await desk.passes(noon + timedelta(hours=1, minutes=50))
    _, size = await desk.get("/v1/segments/lately/size")
    _, answer = await desk.get("/v1/segments/lately/activity", bucket="hour")
    assert sum(bucket["net"] for bucket in answer["buckets"]) == size["size"] == answer["size"] == 0
    noon_hour, next_hour = answer["buckets"][-2:]
    assert (noon_hour["entered"], noon_hour["left"], noon_hour["size"]) == (40, 0, 40)
    assert noon_hour["entered_by"] == {"event": 40}
    assert noon_hour["volatility"] == 40 / 20
    assert (next_hour["left_by"], next_hour["size"]) == ({"timer": 40}, 0)
    assert (answer["entered"], answer["left"], answer["net"]) == (40, 40, 0)
    assert next_hour["start"] == "2026-01-05T13:00:00Z"


async def test_activity_by_the_day_within_bounds(desk, noon):
    await desk.passes(noon + timedelta(days=2))
    _, answer = await desk.get("/v1/segments/lately/activity", **{"from": "2026-01-04T00:00:00Z"})
    assert [(b["start"][:10], b["entered"], b["left"], b["size"]) for b in answer["buckets"]] == [
        ("2026-01-04", 0, 0, 0), ("2026-01-05", 40, 40, 0), ("2026-01-06", 0, 0, 0), ("2026-01-07", 0, 0, 0),
    ]  # fmt: skip
    until = {"from": "2026-01-05T12:10:00Z", "to": "2026-01-05T12:20:00Z"}
    _, past = await desk.get("/v1/segments/viewed/activity", bucket="hour", **until)
    assert [(b["entered"], b["size"]) for b in past["buckets"]] == [(40, 40)]
    assert past["kept_from"] == "2025-09-29T00:00:00Z"


@pytest.mark.parametrize(
    ("asked", "status"),
    [
        ({"from": "2026-01-06T00:00:00Z"}, 422),
        ({"from": "2025-01-01T00:00:00Z"}, 422),
        ({"from": "2025-11-01T00:00:00Z", "bucket": "hour"}, 422),
        ({"from": "2026-01-01"}, 422),
        ({"from": "2026-01-01T00:00:00"}, 422),
        ({"bucket": "week"}, 422),
        ({"from": "2025-11-01T00:00:00Z"}, 200),
    ],
)
async def test_a_span_of_which_nothing_is_kept_is_refused(desk, asked, status):
    answer, body = await desk.get("/v1/segments/viewed/activity", **asked)
    assert (answer, "buckets" in body) == (status, status == 200)


async def test_what_is_delivered_again_counts_once(desk, noon):
    _, before = await desk.get("/v1/segments/viewed/activity")
    desk.bus.redeliver()
    await desk.bus.drain()
    _, after = await desk.get("/v1/segments/viewed/activity")
    assert after == before


async def test_a_preview_of_what_is_counted_is_the_number_of_members(desk):
    status, answer = await desk.post("/v1/segments/preview", when=VIEWED)
    assert status == 200
    assert answer == {
        "condition": "count(view) >= 1 ever", "population": 41, "exact": 40,
        "sample": {"size": 41, "matching": 40}, "unknown_parts": [], "bounds": None,
        "estimate": {
            "size": 40, "low": 40, "high": 40, "share": 40 / 41, "share_low": 40 / 41, "share_high": 40 / 41,
        },
        "as_of": "2026-01-05T12:00:00Z",
    }  # fmt: skip


async def test_what_nobody_counts_is_never_taken_for_zero(desk):
    unknown = count("search")
    for when, bounds in (
        ({"kind": "and", "of": [VIEWED, unknown]}, (0, 40)),
        ({"kind": "or", "of": [VIEWED, unknown]}, (40, 41)),
        ({"kind": "and", "of": [VIEWED, {"kind": "not", "of": unknown}]}, (0, 40)),
        ({"kind": "not", "of": unknown}, (0, 41)),
    ):
        _, answer = await desk.post("/v1/segments/preview", when=when)
        assert (answer["estimate"], answer["exact"]) == (None, None)
        assert (answer["bounds"]["at_least"], answer["bounds"]["at_most"]) == bounds
        assert [part["condition"] for part in answer["unknown_parts"]] == ["count(search) >= 1 ever"]
    assert answer["unknown_parts"] == [
        {"path": "when/of", "condition": "count(search) >= 1 ever", "why": "no live segment counts these events"}
    ]


@pytest.mark.parametrize(
    ("condition", "why"),
    [
        (count("view", n=9), "live segments keep fewer of these events than this needs"),
        ({**PRO, "trait": "age"}, "no live segment asks for this trait"),
        (count("view", window={"kind": "session"}), "no live segment asks for this of visits"),
        ({"kind": "absence", "event": "view", "require_age": True, **sliding(5)},
         "no live segment counts these events"),
    ],
)  # fmt: skip
async def test_why_a_part_is_not_known(desk, condition, why):
    _, answer = await desk.post("/v1/segments/preview", when=condition)
    assert [(part["path"], part["why"]) for part in answer["unknown_parts"]] == [("when", why)]


@pytest.mark.parametrize(
    ("when", "fault"),
    [
        ({"kind": "cuont", "event": "x"}, ("when/kind", "count")),
        ({"kind": "and", "of": [VIEWED, {"kind": "count", "evnt": "x"}]}, ("when/of/1/event", None)),
        ({"kind": "and", "of": [{**VIEWED, "oop": "=="}]}, ("when/of/0/oop", "op")),
        ({**LATELY, "window": {"kind": "slidng", "seconds": 5}}, ("when/window/kind", "sliding")),
        ({**LATELY, "window": {"kind": "sliding", "seconds": -5}}, ("when/window/seconds", None)),
        ({"kind": "in_segment", "segment": "veiwed"}, ("when", "viewed")),
        ({**PRO, "op": "in"}, ("when", None)),
        ({**PRO, "trait": "a..b"}, ("when/trait", None)),
        ({}, ("when/kind", None)),
        ("view", ("when", None)),
    ],
)  # fmt: skip
async def test_a_condition_that_makes_no_sense_names_the_place(desk, when, fault):
    status, answer = await desk.post("/v1/segments/preview", when=when)
    assert (status, answer["code"]) == (422, "condition")
    assert fault in [(each["path"], each["did_you_mean"]) for each in answer["faults"]]
    assert all(each["expected"] for each in answer["faults"])


def test_a_condition_as_deep_as_json_goes_is_refused():
    deep = VIEWED
    for _ in range(400):
        deep = {"kind": "not", "of": deep}
    with pytest.raises(ConditionProblem):
        strictly(deep)


async def test_a_body_that_is_no_condition_is_refused(desk):
    assert (await desk.post("/v1/segments/preview"))[0] == 422
    assert (await desk.post("/v1/segments/preview", when=VIEWED, sample=5))[0] == 422
    headers = {"Authorization": "Bearer token-of-demo", "content-type": "application/json"}
    answer = await desk.client.post("/v1/segments/preview", content='{"when":' * 5000, headers=headers)
    assert (answer.status_code, answer.json()["code"]) in {(400, "failed"), (422, "invalid")}


async def test_a_wider_sample_has_all_of_a_narrower_one(desk):
    people = [person async for page in desk.reading.census.people("demo") for person in page]
    numbers = [draw(person.profile_id) for person in people]
    assert numbers == sorted(numbers)
    assert len(people) == 41


async def test_a_sample_estimates_within_its_interval(desk, monkeypatch):
    monkeypatch.setattr("cdp_segments.api.previews.COUNTED", 30)
    await desk.write(*(make_many(desk, 400)))
    desk.clock.advance(61)
    _, answer = await desk.post("/v1/segments/preview", when=VIEWED, sample=100)
    assert (answer["sample"]["size"], answer["exact"], answer["population"]) == (100, None, 441)
    assert answer["estimate"]["low"] <= 240 <= answer["estimate"]["high"]
    _, exact = await desk.post("/v1/segments/preview", when=VIEWED, sample=100, exact=True)
    assert (exact["exact"], exact["sample"], exact["estimate"]) == (240, answer["sample"], answer["estimate"])


def make_many(desk, many):
    make = desk.make
    return [make.event(2000 + n, f"q{n}", "view" if n % 2 else "buy", at=3600) for n in range(many)]


async def test_what_takes_too_long_is_told(make, noon):
    desk = Desk(make, noon, preview_seconds=0.0)
    desk.define(make.segment("viewed", **VIEWED))
    await desk.write(make.event(1, "ann"))
    status, answer = await desk.post("/v1/segments/preview", when=VIEWED, exact=True)
    assert (status, answer["code"]) == (503, "too-slow")
    await desk.client.aclose()


async def test_a_tenant_sees_no_number_of_anothers(desk):
    for path in ("viewed/size", "viewed/activity", "overlap"):
        asked = {"a": "viewed", "b": "pro"}
        assert (await desk.get(f"/v1/segments/{path}", "token-of-other", **asked))[0] == 404
        assert (await desk.get(f"/v1/segments/{path}", None, **asked))[0] == 401
    everybody = {"kind": "bucket", "seed": "a", "high": 1}
    _, answer = await desk.post("/v1/segments/preview", "token-of-other", when=everybody)
    assert (answer["population"], answer["exact"]) == (0, 0)
    _, unknown = await desk.post("/v1/segments/preview", "token-of-other", when=VIEWED)
    assert (unknown["unknown_parts"][0]["path"], unknown["bounds"]) == ("when", {"at_least": 0, "at_most": 0})
    assert (await desk.post("/v1/segments/preview", None, when=VIEWED))[0] == 401


@settings(max_examples=30)
@given(condition=conditions, lives=st.lists(st.tuples(st.sampled_from("abcd"), st.sampled_from(["view", "buy"]))))
async def test_a_preview_is_the_members_of_the_same_condition_when_live(make, noon, condition, lives):
    condition = downwards(condition, 0).model_dump(mode="json")
    desk = Desk(make, noon)
    desk.define(make.segment("s", **condition))
    await desk.write(*(make.event(n, who, name, at=n * 0.4) for n, (who, name) in enumerate(lives)))
    await desk.passes(noon + timedelta(seconds=len(lives)))
    _, live = await desk.get("/v1/segments/s/size")
    status, answer = await desk.post("/v1/segments/preview", when=condition)
    if status == 422:
        assert "nowhere" in str(condition)
    else:
        assert (answer["unknown_parts"], answer["exact"]) == ([], live["size"])
    _, activity = await desk.get("/v1/segments/s/activity", bucket="hour")
    assert activity["buckets"][-1]["size"] == live["size"] == activity["net"]
    await desk.client.aclose()


@given(found=st.integers(0, 50), more=st.integers(0, 50), beyond=st.integers(0, 1000))
def test_an_interval_holds_what_was_found(found, more, beyond):
    asked = found + more
    answer = estimate(found, asked, asked + beyond)
    assert 0 <= answer.share_low <= answer.share <= answer.share_high <= 1
    assert found <= answer.low <= answer.size <= answer.high <= found + beyond


def test_the_interval_is_wilsons():
    low, high = wilson(10, 100)
    assert (round(low, 4), round(high, 4)) == (0.0552, 0.1744)
    assert wilson(0, 50)[0] == 0


@pytest.mark.parametrize("view", [SizeView, ActivityView, OverlapView, PreviewRequest, PreviewView, HistoryPage])
def test_an_example_of_the_document_is_one(view):
    for example in view.model_json_schema(mode="serialization")["examples"]:
        assert view.model_validate(example).model_dump(mode="json", exclude_unset=True).keys() == example.keys()

"""What readers are told: sizes, members, a person's segments, and why."""

from __future__ import annotations

from datetime import timedelta

import pytest
from cdp_runtime.rates import Rates
from reading_desk import Desk

VIEWED = {"kind": "count", "event": "view", "op": ">=", "n": 1}
FLASH = {"kind": "count", "event": "flash", "op": ">=", "n": 1, "window": {"kind": "sliding", "seconds": 5}}
NOBODY = "00000000-0000-0000-0000-000000000000"


@pytest.fixture
async def desk(make, noon):
    desk = Desk(make, noon)
    desk.define(
        make.segment("viewed", **VIEWED),
        make.segment("flash", **FLASH),
        make.segment("quiet-pro", kind="and", of=[
            {"kind": "trait", "trait": "plan", "op": "==", "value": "pro"}, {"kind": "not", "of": FLASH},
        ]),
        make.segment("gone", state="archived", **VIEWED),
    )  # fmt: skip
    await desk.write(
        make.event(1, "ann"), make.event(2, "ann", "flash", at=1), make.traits(3, "ann", at=1, plan="pro"),
        make.event(4, "bob"), make.event(5, "device"), make.merge(6, "bob", "device"),
    )  # fmt: skip
    yield desk
    await desk.client.aclose()


async def test_segments_with_their_sizes(desk):
    status, answer = await desk.get("/v1/segments")
    assert status == 200
    assert [(s["name"], s["state"], s["size"]) for s in answer["segments"]] == [
        ("flash", "live", 1), ("gone", "archived", 0), ("quiet-pro", "live", 0), ("viewed", "live", 2),
    ]  # fmt: skip
    assert answer["segments"][0]["condition"] == "count(flash) >= 1 in the last 5 s"


async def test_one_segment(desk):
    status, answer = await desk.get("/v1/segments/flash")
    assert (status, answer["title"], answer["version"], answer["size"]) == (200, "Flash", 1, 1)
    assert (answer["status"], answer["percent"], answer["version_in_force"]) == ("live", None, 1)
    assert answer["when"]["window"] == {"kind": "sliding", "seconds": 5}


async def test_members_page_by_page(desk, make):
    _, first = await desk.get("/v1/segments/viewed/members", limit=1)
    _, second = await desk.get("/v1/segments/viewed/members", limit=1, cursor=first["next"])
    _, last = await desk.get("/v1/segments/viewed/members", limit=1, cursor=second["next"])
    found = [m["profile_id"] for page in (first, second) for m in page["members"]]
    assert found == sorted(str(make.profile_id(name)) for name in ("ann", "bob"))
    assert last == {"status": "live", "members": [], "next": None}


async def test_the_segments_of_a_person(desk, make):
    _, answer = await desk.get(f"/v1/profiles/{make.profile_id('ann')}/segments")
    assert answer["segments"] == {
        "flash": {"since": "2026-01-05T12:00:01Z", "expires_at": "2026-01-05T12:00:06Z"},
        "viewed": {"since": "2026-01-05T12:00:00Z", "expires_at": None},
    }
    assert (answer["version"], answer["up_to_date"]) == (2, True)


async def test_an_absorbed_id_answers_its_survivor(desk, make):
    for path in (f"/v1/profiles/{make.profile_id('device')}/segments", f"/v1/segments/viewed/explain/{make.profile_id('device')}"):  # noqa: E501  # fmt: skip
        _, answer = await desk.get(path)
        assert answer["profile_id"] == str(make.profile_id("bob"))


async def test_why_somebody_is_in_until_the_window_passes(desk, make, noon):
    desk.clock.advance(2)
    _, why = await desk.get(f"/v1/segments/flash/explain/{make.profile_id('ann')}")
    assert (why["member"], why["satisfied"], why["expires_at"]) == (True, True, "2026-01-05T12:00:06Z")
    assert why["summary"] == "in, leaves at 2026-01-05T12:00:06+00:00 unless count(flash) rises before"
    assert why["why"] == {
        "condition": "count(flash) >= 1 in the last 5 s", "kind": "count", "satisfied": True, "value": 1,
        "threshold": 1, "newest": ["2026-01-05T12:00:01Z"], "changes_at": "2026-01-05T12:00:06Z", "of": [],
        "note": None, "flips_if": [
            {"kind": "clock", "words": "until 2026-01-05T12:00:06+00:00, if nothing happens", "event": None,
             "count": None, "amount": None, "at": "2026-01-05T12:00:06Z", "before": None},
        ],
    }  # fmt: skip


async def test_why_somebody_is_not_in_yet(desk, make):
    _, why = await desk.get(f"/v1/segments/quiet-pro/explain/{make.profile_id('ann')}")
    assert (why["member"], why["since"]) == (False, None)
    assert why["summary"] == "not in, enters at 2026-01-05T12:00:06+00:00 unless count(flash) rises before"
    trait, negation = why["why"]["of"]
    assert (trait["kind"], trait["satisfied"], trait["value"], trait["threshold"]) == ("trait", True, None, "pro")
    assert (negation["satisfied"], negation["of"][0]["satisfied"]) == (False, True)


async def test_why_somebody_stays(desk, make):
    _, why = await desk.get(f"/v1/segments/viewed/explain/{make.profile_id('bob')}")
    assert (why["summary"], why["why"]["value"]) == ("in, until something happens", 2)
    _, why = await desk.get(f"/v1/segments/gone/explain/{make.profile_id('bob')}")
    assert (why["summary"], why["why"]) == ("nobody is in an archived segment", None)


async def test_a_visit_is_explained_by_its_events(desk, make):
    desk.define(
        make.segment("cart", kind="in_session", all=[{"event": "view"}, {"event": "buy", "op": "==", "n": 0}])
    )
    path = f"/v1/segments/cart/explain/{make.profile_id('ann')}"
    _, before = await desk.get(path)
    assert (before["member"], before["up_to_date"]) == (False, False)
    await desk.write(make.event(7, "ann", at=3), make.event(8, "ann", "search", at=4))
    _, why = await desk.get(path)
    assert (why["member"], why["up_to_date"]) == (True, True)
    assert why["why"]["value"] == {"count(view)": 1, "count(buy)": 0}
    assert why["why"]["newest"] == ["2026-01-05T12:00:03Z"]


async def test_between_the_deadline_and_the_timer_the_answer_shows_both(desk, make):
    desk.clock.advance(timedelta(minutes=1).total_seconds())
    _, why = await desk.get(f"/v1/segments/flash/explain/{make.profile_id('ann')}")
    assert (why["member"], why["satisfied"], why["expires_at"]) == (True, False, None)


@pytest.mark.parametrize("token", [None, "", "token-of-nobody", "token-of-dem"])
async def test_without_a_known_token_nothing_is_told(desk, token):
    for path in ("/v1/segments", "/v1/segments/viewed", f"/v1/profiles/{NOBODY}/segments"):
        status, answer = await desk.get(path, token)
        assert (status, answer["code"]) == (401, "unauthorized")


async def test_a_tenant_sees_nothing_of_anothers(desk, make):
    _, answer = await desk.get("/v1/segments", "token-of-other")
    assert answer == {"segments": []}
    for path in ("/v1/segments/viewed", "/v1/segments/viewed/members"):
        assert (await desk.get(path, "token-of-other"))[0] == 404
    status, answer = await desk.get(f"/v1/profiles/{make.profile_id('ann')}/segments", "token-of-other")
    assert (status, answer["code"]) == (404, "no-such-profile")


async def test_what_is_not_there(desk):
    status, answer = await desk.get("/v1/segments/nothing")
    assert (status, answer["code"]) == (404, "no-such-segment")
    status, answer = await desk.get(f"/v1/segments/viewed/explain/{NOBODY}")
    assert (status, answer["code"]) == (404, "no-such-profile")
    assert (await desk.get("/v1/profiles/x/segments"))[0] == 422
    assert (await desk.get("/v1/segments/viewed/members", limit=0))[0] == 422


async def test_before_the_definitions_are_read_nothing_is_answered(make, noon):
    desk = Desk(make, noon)
    status, answer = await desk.get("/v1/segments")
    assert (status, answer["code"]) == (503, "unavailable")
    await desk.client.aclose()


async def test_a_reader_that_asks_too_often_is_told_when_to_come_back(make, noon):
    desk = Desk(make, noon, Rates(0.5, 4))
    desk.define(make.segment("viewers", **VIEWED))
    answers = [await desk.get("/v1/segments") for _ in range(3)]
    assert [status for status, _ in answers] == [200, 200, 429]
    assert answers[-1][1]["code"] == "rate"


@pytest.mark.parametrize(
    ("path", "status", "code"),
    [("/v1/nothing", 404, "no-such-route"), ("/v1/profiles/x/segments", 422, "invalid")],
)
async def test_what_the_framework_refuses_has_the_same_shape(desk, path, status, code):
    answer, body = await desk.get(path)
    assert (answer, body["code"], set(body)) == (status, code, {"code", "message"})

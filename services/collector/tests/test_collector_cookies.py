"""The edge's own cookie: when a browser gets it, what it is worth when it comes back, when it is taken away."""

from __future__ import annotations

from typing import Any

import pytest
from collector_builders import item
from collector_cookies import DAYS, MINUTES, NAME, NO, SILENT, YES, outcomes, saying, set_cookie, signed
from collector_edge import COOKIES, ORIGIN, SETTINGS, EdgeUnderTest, batch


async def test_a_browser_that_allowed_it_gets_a_cookie_no_script_can_read(shop: EdgeUnderTest) -> None:
    async with shop.browser() as browser:
        answer = await browser.post("/v1/track", json=YES)
    cookie = set_cookie(answer)
    value = cookie.pop("value")
    assert cookie == {
        "name": NAME, "max-age": str(390 * DAYS), "path": "/", "secure": True, "httponly": True, "samesite": "Lax",
    }  # fmt: skip
    assert NAME.startswith("__Host-")
    assert len(value) < 200


async def test_an_id_counts_from_the_request_on_that_brings_it(shop: EdgeUnderTest) -> None:
    """What keeps no cookies would else be a new browser with every event."""
    before = outcomes()
    async with shop.browser() as browser:
        for _ in range(3):
            assert (await browser.post("/v1/track", json=YES)).json() == {"success": True}
    first, second, third = (event.edge for event in shop.stored)
    assert first.first_party_id is first.visit is None
    assert second.first_party_id == third.first_party_id
    assert second.first_party_id.startswith("first-party:")
    assert second.visit == third.visit
    after = outcomes()
    assert (after["new"] - before["new"], after["known"] - before["known"]) == (1, 2)


async def test_two_browsers_are_two(shop: EdgeUnderTest) -> None:
    ids = []
    for _ in range(2):
        async with shop.browser() as browser:
            await browser.post("/v1/track", json=YES)
            await browser.post("/v1/track", json=YES)
        ids.append(shop.stored[-1].edge.first_party_id)
    assert len(set(ids)) == 2


@pytest.mark.parametrize(
    "changes",
    [
        {"consent": {}},
        {"consent": {"categoryPreferences": {}}},
        {"consent": {"categoryPreferences": {"Analytics": True}}},
        {"consent": {"categoryPreferences": {"Functional": "yes"}}},
        {"consent": {"categoryPreferences": {"Functional": True, "Analytics": "yes"}}},
        {"consent": "yes"},
        {"consent": {"Functional": True}},
    ],
)
async def test_without_a_legible_yes_on_the_event_nothing_is_set_or_read(
    shop: EdgeUnderTest, changes: Any
) -> None:
    async with shop.browser() as browser:
        await browser.post("/v1/track", json=YES)
        kept = dict(browser.cookies)
        for said in (item(context=changes), SILENT, item(context="odd")):
            assert set_cookie(await browser.post("/v1/track", json=said)) == {}
        assert dict(browser.cookies) == kept
    assert [event.edge.first_party_id for event in shop.stored[1:]] == [None] * 3
    assert [event.edge.visit for event in shop.stored[1:]] == [None] * 3


async def test_only_the_events_that_allow_it_carry_the_id(shop: EdgeUnderTest) -> None:
    async with shop.browser() as browser:
        await browser.post("/v1/track", json=YES)
        await browser.post("/v1/batch", json=batch(YES, SILENT, "no event", item(context={"consent": None})))
    known = [event.edge.first_party_id is not None for event in shop.stored[1:]]
    assert known == [True, False, False]


async def test_what_the_batch_says_of_consent_holds_for_its_events(shop: EdgeUnderTest) -> None:
    async with shop.browser() as browser:
        for _ in range(2):
            await browser.post("/v1/batch", json=batch(SILENT, item(), context=YES["context"]))
    assert [event.edge.first_party_id is not None for event in shop.stored] == [False, False, True, True]


@pytest.mark.parametrize("refusal", [NO, saying(functional=False), saying(Functional=True, FUNCTIONAL=False)])
async def test_one_refusal_takes_the_cookie_back_and_outweighs_every_yes(
    shop: EdgeUnderTest, refusal: dict[str, Any]
) -> None:
    async with shop.browser() as browser:
        await browser.post("/v1/track", json=YES)
        assert NAME in browser.cookies
        answer = await browser.post("/v1/batch", json=batch(YES, refusal, YES))
        assert set_cookie(answer)["max-age"] == "0"
        assert NAME not in browser.cookies
        assert [event.edge.first_party_id for event in shop.stored] == [None] * 4
        assert set_cookie(await browser.post("/v1/track", json=refusal)) == {}
        for _ in range(2):
            await browser.post("/v1/track", json=YES)
    assert shop.stored[-1].edge.first_party_id is not None


async def test_a_browser_with_global_privacy_control_has_no_id(shop: EdgeUnderTest) -> None:
    async with shop.browser() as browser:
        await browser.post("/v1/track", json=YES)
        answer = await browser.post("/v1/track", json=YES, headers={"Sec-GPC": "1"})
        assert set_cookie(answer)["max-age"] == "0"
        assert set_cookie(await browser.post("/v1/track", json=YES, headers={"Sec-GPC": "1"})) == {}
    assert [event.edge.first_party_id for event in shop.stored] == [None] * 3


async def test_a_source_that_does_not_ask_for_it_keeps_none(edge: EdgeUnderTest) -> None:
    before = outcomes()
    async with edge.browser() as browser:
        browser.cookies.set(NAME, "anything", domain="events.shop.example")
        for _ in range(2):
            assert set_cookie(await browser.post("/v1/track", json=YES)) == {}
    assert edge.stored[-1].edge.first_party_id is None
    assert outcomes() == before


async def test_an_id_lives_from_its_birth_however_often_it_comes_back(shop: EdgeUnderTest) -> None:
    shop.clock.advance(0.5)
    token = await signed(shop)
    for days, left in ((100, 290), (189, 101), (101, 0)):
        shop.clock.advance(days * DAYS)
        before = outcomes()
        answer = await shop.post("track", YES, Origin=ORIGIN, Cookie=f"{NAME}={token}")
        renewed = set_cookie(answer)
        if left:
            assert renewed["max-age"] == str(left * DAYS)
            token = renewed["value"]
        else:
            assert outcomes()["expired"] - before["expired"] == 1
            assert renewed["max-age"] == str(390 * DAYS)
            assert renewed["value"][9:41] != token[9:41]
    known = [event.edge.first_party_id for event in shop.stored]
    assert [each is not None for each in known] == [False, True, True, False]
    assert known[1] == known[2]


async def test_a_visit_ends_after_half_an_hour_without_a_request(shop: EdgeUnderTest) -> None:
    async with shop.browser() as browser:
        for pause in (0, 29 * MINUTES, 29 * MINUTES, 30 * MINUTES, 29 * MINUTES):
            shop.clock.advance(pause)
            await browser.post("/v1/track", json=YES)
    visits = [event.edge.visit for event in shop.stored]
    assert visits[0] is None
    assert visits[1] == visits[2]
    assert visits[3] == visits[4]
    assert visits[2].id != visits[3].id
    assert (visits[3].since - visits[1].since).total_seconds() == 88 * MINUTES


async def test_requests_that_begin_a_visit_at_once_agree_on_it(shop: EdgeUnderTest) -> None:
    """A page sends several before it has an answer; so does a client that heard none."""
    token = await signed(shop)
    shop.clock.advance(31 * MINUTES)
    for _ in range(2):
        await shop.post("track", YES, Origin=ORIGIN, Cookie=f"{NAME}={token}")
    first, second = (event.edge.visit for event in shop.stored[1:])
    assert first == second


async def test_a_clock_that_is_behind_ends_no_visit(shop: EdgeUnderTest) -> None:
    shop.clock.advance(100)
    token = await signed(shop)
    shop.clock.advance(-60)
    answer = await shop.post("track", YES, Origin=ORIGIN, Cookie=f"{NAME}={token}")
    assert set_cookie(answer)["value"] == token
    assert shop.stored[-1].edge.visit is not None


async def test_without_a_key_nobody_is_known_and_that_is_counted() -> None:
    edge = EdgeUnderTest(SETTINGS.model_copy(update={"token_keys": ()}))
    edge.define(first_party=COOKIES)
    before = outcomes()
    answer = await edge.post("track", YES, Origin=ORIGIN, Cookie=f"{NAME}=x")
    assert (answer.status_code, set_cookie(answer)) == (200, {})
    assert outcomes()["no-key"] - before["no-key"] == 1


async def test_no_cookie_without_the_event_that_allowed_it(shop: EdgeUnderTest) -> None:
    shop.log.away = True
    answers = [await shop.post("track", YES, Origin=ORIGIN)]
    shop.log.away = False
    too_large = item(context=YES["context"], properties={"text": "x" * 40_000})
    answers.append(await shop.post("batch", batch(too_large), Origin=ORIGIN))
    answers.append(await shop.post("validate", batch(YES), Origin=ORIGIN))
    answers.append(await shop.post("track", YES, Origin=ORIGIN, Authorization=""))
    assert [answer.status_code for answer in answers] == [503, 400, 200, 401]
    assert [set_cookie(answer) for answer in answers] == [{}] * 4

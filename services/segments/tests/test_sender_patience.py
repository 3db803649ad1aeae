"""What is tried again, how often and how long, and what is set aside."""

from __future__ import annotations

import json
from datetime import timedelta

import pytest
from cdp_contracts.deliveries_v1 import destination_id
from cdp_contracts.topics import DELIVERIES_REQUESTED, MEMBERSHIP_CHANGED
from sender_world import Sending, counted, failing, flip, person
from webhook_receiver import Receiver, Reply


@pytest.mark.parametrize("trouble", [Reply(500), Reply(503), Reply(408), Reply(425), Reply(429), Reply(cuts=True)])
async def test_what_may_pass_is_tried_again_with_the_same_id(
    sending: Sending, shop: Receiver, noon, trouble: Reply
) -> None:
    before = counted("delivered"), counted("retried")
    shop.answers = failing(3, trouble)
    await sending.define("shop", shop.url)
    await sending.happens(flip("ann", 1, "s", at=noon))
    assert len(shop.requests) == 4
    assert len({request.id for request in shop.requests}) == 1
    assert len({request.headers["webhook-timestamp"] for request in shop.requests}) == 4, "it backs off"
    assert len({request.body for request in shop.requests}) == 1
    assert (counted("delivered"), counted("retried")) == (before[0] + 1, before[1] + 3)
    assert sending.letters() == []


async def test_a_destination_that_hangs_is_given_its_timeout(sending: Sending, shop: Receiver, noon) -> None:
    shop.answers = failing(1, Reply(hangs=True))
    await sending.define("shop", shop.url, timeout_seconds=0.2)
    await sending.happens(flip("ann", 1, "s", at=noon))
    assert len(shop.requests) == 2


@pytest.mark.parametrize("status", [301, 302, 307, 400, 401, 404, 410, 422])
async def test_any_other_answer_sets_the_flip_aside_at_once(
    sending: Sending, shop: Receiver, mail: Receiver, noon, status: int
) -> None:
    """A redirect is such an answer: what it points at gets nothing."""
    shop.answers = lambda _: Reply(status, {"Location": mail.url})
    await sending.define("shop", shop.url)
    await sending.happens(flip("ann", 1, "s", at=noon))
    assert (len(shop.requests), mail.requests) == (1, [])
    (letter,) = sending.letters()
    assert (letter["cdp_reason"], letter["cdp_attempts"]) == (f"http-{status}", "1")
    assert letter["cdp_stage"] == "deliver.demo.shop"


async def test_a_flip_is_given_up_after_so_many_tries(sending: Sending, shop: Receiver, noon) -> None:
    shop.answers = lambda request: Reply(500 if request.data["version"] == 1 else 200)
    await sending.define("shop", shop.url, tries=5)
    await sending.happens(flip("ann", 1, "s", at=noon), flip("ann", 2, "s", member=False, at=noon))
    assert [request.flip[1] for request in shop.requests] == [1] * 5 + [2]
    (letter,) = sending.letters()
    assert (letter["cdp_reason"], letter["cdp_attempts"]) == ("gave up after http-500", "5")


async def test_a_flip_is_given_up_after_so_long(sending: Sending, shop: Receiver, noon) -> None:
    shop.answers = lambda _: Reply(503)
    await sending.define("shop", shop.url, tries=100, give_up_seconds=120)
    start = sending.bus.clock.now()
    await sending.happens(flip("ann", 1, "s", at=noon))
    (letter,) = sending.letters()
    assert letter["cdp_reason"] == "gave up after http-503"
    assert timedelta(seconds=120) < sending.bus.clock.now() - start < timedelta(seconds=200)
    assert 3 < len(shop.requests) < 100


async def test_what_waited_for_too_long_is_set_aside_untried_and_tried_when_it_is_replayed(
    sending: Sending, shop: Receiver, noon
) -> None:
    await sending.define("shop", shop.url, give_up_seconds=60)
    await sending.bus.publish(MEMBERSHIP_CHANGED, flip("ann", 1, "s", at=noon))
    await sending.bus._run_once(sending.bus._groups["segments-sender.route"])
    (record,) = sending.bus.raw(DELIVERIES_REQUESTED.name)
    sending.bus.clock.advance(61)
    await sending.bus.drain()
    assert shop.requests == []
    (letter,) = sending.bus.dead_letters(DELIVERIES_REQUESTED, "segments")
    assert dict(letter.headers)["cdp_reason"] == b"expired"
    sending.bus.publish_raw(DELIVERIES_REQUESTED.name, letter.value, letter.key, letter.headers)
    await sending.bus.drain()
    assert [request.id for request in shop.requests] == [json.loads(record.value or b"")["id"]]


async def test_what_was_told_long_ago_is_not_sent_by_a_sender_that_comes_late(
    sending: Sending, shop: Receiver, noon
) -> None:
    await sending.define("shop", shop.url, give_up_seconds=60)
    sending.bus.clock.advance(100)
    await sending.happens(flip("ann", 1, "s", at=noon), flip("bob", 1, "s", at=noon + timedelta(seconds=50)))
    assert [request.data["profile_id"] for request in shop.requests] == [str(person("bob"))]
    assert [letter["cdp_reason"] for letter in sending.letters()] == ["expired"]


async def test_a_destination_gets_nothing_from_before_its_time(sending: Sending, shop: Receiver, noon) -> None:
    await sending.define("shop", shop.url, effective_at=noon + timedelta(seconds=5))
    await sending.happens(*(flip("ann", n, "s", at=noon + timedelta(seconds=n)) for n in range(1, 9)))
    assert [request.flip[1] for request in shop.requests] == [5, 6, 7, 8]


async def test_hundreds_of_refusals_halt_nothing(sending: Sending, shop: Receiver, noon) -> None:
    """They are the destination's doing: a halt would be for a bad deploy."""
    shop.answers = lambda _: Reply(403)
    await sending.define("shop", shop.url, concurrency=8)
    await sending.happens(*(flip(f"p{n}", 1, "s", at=noon) for n in range(250)))
    assert len(sending.letters()) == 250
    assert sending.bus.halted() == {}


async def test_garbage_for_a_destination_is_set_aside_and_the_next_flip_is_posted(
    sending: Sending, shop: Receiver, noon
) -> None:
    await sending.define("shop", shop.url)
    mine, others = (str(destination_id("demo", name)).encode() for name in ("shop", "mail"))
    for key in (mine, others, None):
        sending.bus.publish_raw(DELIVERIES_REQUESTED.name, b"{", key)
    await sending.happens(flip("ann", 1, "s", at=noon))
    assert [request.flip for request in shop.requests] == [("s", 1)]
    assert [letter["cdp_reason"] for letter in sending.letters()] == ["json_invalid at /"]

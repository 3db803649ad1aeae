"""What a destination gets: every flip that it wants, in order, signed, again until it is taken, or set aside."""

from __future__ import annotations

import asyncio
import json
import logging
from datetime import timedelta
from pathlib import Path

import pytest
from cdp_contracts.deliveries_v1 import SegmentFlipped
from jsonschema import Draft202012Validator
from sender_world import SECRET, Sending, counted, failing, flip, person, real_now
from standardwebhooks import Webhook
from webhook_receiver import Receiver, Reply, Request

SCHEMA = Path(__file__).parents[3] / "contracts/webhooks/segment-flipped.v1.json"


async def test_each_wanted_flip_is_posted_once_with_its_schema(sending: Sending, shop: Receiver, noon) -> None:
    await sending.define("shop", shop.url, segments=["s", "t"], flips=["entered"])
    await sending.happens(
        flip("ann", 1, "s", "t", "other", at=noon), flip("ann", 2, "s", member=False, at=noon),
        flip("bob", 1, "other", at=noon), flip("eve", 1, "s", tenant="elsewhere", at=noon),
    )  # fmt: skip
    assert [request.flip for request in shop.requests] == [("s", 1), ("t", 1)]
    assert len({request.id for request in shop.requests}) == 2
    validator = Draft202012Validator(json.loads(SCHEMA.read_text()))
    for request in shop.requests:
        assert request.line == "POST /flips HTTP/1.1"
        assert request.headers["content-type"] == "application/json"
        assert list(validator.iter_errors(json.loads(request.body))) == []
        body = SegmentFlipped.model_validate_json(request.body)
        assert (body.type, body.timestamp, body.data.profile_id) == ("segment.entered", noon, person("ann"))
    assert sending.letters() == []


async def test_the_reference_library_verifies_every_signature(sending: Sending, shop: Receiver) -> None:
    """Its clock is the wall's, so the bus' must be too."""
    sending.bus.clock.advance((real_now() - sending.bus.clock.now()).total_seconds())
    await sending.define("shop", shop.url)
    await sending.happens(flip("ann", 1, "s", at=real_now()))
    (request,) = shop.requests
    hook = Webhook(SECRET)
    assert hook.verify(request.body, dict(request.headers))["type"] == "segment.entered"
    with pytest.raises(Exception, match="No matching signature"):
        hook.verify(request.body.replace(b"entered", b"left"), dict(request.headers))


async def test_both_secrets_sign_while_one_replaces_the_other(sending: Sending, shop: Receiver) -> None:
    sending.bus.clock.advance((real_now() - sending.bus.clock.now()).total_seconds())
    newer = SECRET[:-8] + "AAAAAA=="
    (sending.folder / "destination-shared").write_text(f"{newer}\n{SECRET}\n")
    await sending.define("shop", shop.url)
    await sending.happens(flip("ann", 1, "s", at=real_now()))
    (request,) = shop.requests
    for secret in (newer, SECRET):
        Webhook(secret).verify(request.body, dict(request.headers))


async def test_of_one_person_the_order_holds_whatever_fails(sending: Sending, shop: Receiver, noon) -> None:
    shop.answers = failing(2, Reply(500))
    await sending.define("shop", shop.url, concurrency=8)
    people = [f"p{n}" for n in range(6)]
    await sending.happens(*(flip(who, version, "s", at=noon) for version in range(1, 6) for who in people))
    for who in people:
        mine = [request for request in shop.requests if request.data["profile_id"] == str(person(who))]
        assert [request.flip[1] for request in mine] == [version for version in range(1, 6) for _ in range(3)]
    assert 1 < shop.most_at_once <= 8


async def test_one_at_a_time_if_it_asks_for_that(sending: Sending, shop: Receiver, noon) -> None:
    await sending.define("shop", shop.url, concurrency=1)
    await sending.happens(*(flip(f"p{n}", 1, "s", at=noon) for n in range(20)))
    assert (shop.most_at_once, len(shop.requests)) == (1, 20)
    assert shop.connections == 1, "connections are kept"


async def test_no_more_tries_a_second_than_it_wants(sending: Sending, shop: Receiver, noon) -> None:
    shop.answers = failing(1, Reply(500))
    await sending.define("shop", shop.url, requests_per_second=2, concurrency=16)
    await sending.happens(*(flip(f"p{n}", 1, "s", at=noon) for n in range(20)))
    stamps = sorted(int(request.headers["webhook-timestamp"]) for request in shop.requests)
    assert len(stamps) == 40
    assert all(later - earlier >= 1 for earlier, later in zip(stamps, stamps[3:], strict=False))


async def test_a_rest_that_it_asks_for_is_kept_by_all(sending: Sending, shop: Receiver, noon) -> None:
    """The first answer asks for two minutes."""
    shop.answers = lambda _: Reply(429, {"Retry-After": "120"}) if len(shop.requests) == 1 else Reply()
    await sending.define("shop", shop.url, concurrency=1)
    await sending.happens(*(flip(f"p{n}", 1, "s", at=noon) for n in range(5)))
    first, *others = (int(request.headers["webhook-timestamp"]) for request in shop.requests)
    assert len(others) == 5
    assert min(others) - first >= 120


async def test_a_dead_destination_stops_no_other(sending: Sending, shop: Receiver, mail: Receiver, noon) -> None:
    """While one waits in the middle of a batch, the other has everything."""
    shop.answers = lambda _: Reply(hangs=True)
    await sending.define("shop", shop.url, timeout_seconds=30)
    await sending.define("mail", mail.url)
    draining = asyncio.create_task(sending.happens(flip("ann", 1, "s", at=noon)))
    async with asyncio.timeout(10):
        while not shop.requests:
            await asyncio.sleep(0.01)
    groups = sending.bus._groups
    await sending.bus._run_once(groups["segments-sender.deliver.demo.mail"])
    assert [request.flip for request in mail.requests] == [("s", 1)]
    draining.cancel()


async def test_new_definitions_take_hold_while_it_is_failing(
    sending: Sending, shop: Receiver, mail: Receiver, noon
) -> None:
    async def moves() -> None:
        await sending.define("shop", mail.url)

    tasks: list[asyncio.Task[None]] = []

    def answers(_: Request) -> Reply:
        if len(shop.requests) == 2:
            tasks.append(asyncio.create_task(moves()))
        return Reply(503, {"Retry-After": "3600"} if len(shop.requests) == 2 else {})

    shop.answers = answers
    await sending.define("shop", shop.url)
    start = sending.bus.clock.now()
    await sending.happens(flip("ann", 1, "s", at=noon))
    assert (len(shop.requests), len(mail.requests)) == (2, 1)
    assert sending.bus.clock.now() - start < timedelta(seconds=60)


@pytest.mark.parametrize("archived", [True, False])
async def test_what_waits_for_a_destination_that_is_removed_is_dropped(
    sending: Sending, shop: Receiver, noon, archived: bool
) -> None:
    before = counted("dropped")
    tasks: list[asyncio.Task[None]] = []

    async def removed() -> None:
        if archived:
            await sending.define("shop", shop.url, state="archived")
        else:
            sending.bus.publish_raw("cdp.destinations.defined.v1", None, b"demo/shop")

    def answers(_: Request) -> Reply:
        tasks.append(asyncio.create_task(removed()))
        return Reply(503)

    shop.answers = answers
    await sending.define("shop", shop.url)
    await sending.happens(flip("ann", 1, "s", at=noon), flip("ann", 2, "s", at=noon))
    assert len(shop.requests) == 1
    assert counted("dropped") == before + 2
    await sending.happens(flip("ann", 3, "s", at=noon))
    assert len(shop.requests) == 1
    assert sending.letters() == []


async def test_without_its_secret_nothing_is_sent_until_it_is_there(
    sending: Sending, shop: Receiver, noon, monkeypatch
) -> None:
    await sending.define("shop", shop.url, secret="late")
    sleep, naps = sending.bus.clock.sleep, 0

    async def nap(seconds: float) -> None:
        nonlocal naps
        naps += 1
        if naps == 5:
            (sending.folder / "destination-late").write_text(SECRET)
        await sleep(seconds)

    monkeypatch.setattr(sending.bus.clock, "sleep", nap)
    await sending.happens(flip("ann", 1, "s", at=noon))
    assert len(shop.requests) == 1
    assert naps >= 5


async def test_nothing_secret_and_no_body_in_logs(
    sending: Sending, shop: Receiver, noon, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO)
    shop.answers = failing(1, Reply(500, body=b"ann@example.org"))
    await sending.define("shop", shop.url + "?token=hidden")
    await sending.happens(flip("ann", 1, "s", at=noon))
    assert "demo/shop fails: http-500" in caplog.text
    assert "demo/shop takes flips again" in caplog.text
    for hidden in ("hidden", SECRET, "ann@example.org", str(person("ann")), "127.0.0.1"):
        assert hidden not in caplog.text

"""Chapter 1: what happens to an event.

Somebody looks at a product. The shop's web site sends that as an event, over HTTP or straight onto Kafka. Five
services handle it one after the other, each with one job; between them lie topics, and nothing else.

    received -> (collector) -> validated -> (consent) -> permitted -> (identity) -> resolved -> (profiles)
             -> updated -> (segments) -> membership-changed

In the stories below a `visitor` is a device with somebody on it. `consents()` is the answer yes to the cookie
banner: without it nothing goes past the second service, which is the next chapter's matter.
"""

from __future__ import annotations

import json
from datetime import timedelta

from assembly import WRITE_KEY, Pipeline
from cdp_contracts.topics import (
    EVENTS_PERMITTED,
    EVENTS_RECEIVED,
    EVENTS_REJECTED,
    EVENTS_RESOLVED,
    EVENTS_VALIDATED,
    EVENTS_WITHHELD,
)

CONSENT = {"consent": {"categoryPreferences": {"Analytics": True}}}
VIEW = {"type": "track", "event": "Product Viewed", "anonymousId": "phone", "context": CONSENT}


async def test_an_event_over_http_ends_in_a_profile_and_a_membership(platform: Pipeline) -> None:
    """Any Segment client may send it: this is the request that they make. 200 says that Kafka has it."""
    async with platform.edge() as edge:
        for _ in range(3):
            answer = await edge.post("/v1/track", json=VIEW)
            assert (answer.status_code, answer.json()) == (200, {"success": True})
    await platform.bus.drain()

    person = await platform.person(anonymous_id="phone")
    assert person
    assert person.joined.counters == {"Product Viewed": 3}
    (entered,) = platform.flips("third-view")
    assert entered.member


async def test_an_event_on_the_broker_needs_no_header_and_no_key(platform: Pipeline) -> None:
    """A product system that has Kafka already writes plain JSON, in any language, and says its write key in it."""
    platform.bus.publish_raw(EVENTS_RECEIVED.name, json.dumps({**VIEW, "writeKey": WRITE_KEY}).encode())
    await platform.bus.drain()
    assert await platform.person(anonymous_id="phone")


async def test_it_keeps_its_name_and_its_time_at_every_hop(platform: Pipeline) -> None:
    """Every message names the event that it goes back to, and when we received it. So one event can be followed
    by its `message_id`, and how late anything is can be said anywhere."""
    await platform.shop.play(platform.shop.visitor("phone").consents())

    hops = [platform.bus.messages(topic) for topic in (EVENTS_VALIDATED, EVENTS_PERMITTED, EVENTS_RESOLVED)]
    messages = [message for hop in [*hops, platform.updates()] for message in hop]
    assert len(messages) == 4
    assert {message.message_id for message in messages} == {"phone-1"}
    assert len({message.received_at for message in messages}) == 1
    assert len({message.id for message in messages}) == 4, "and each has an id of its own"


async def test_a_copy_counts_once(platform: Pipeline) -> None:
    """A client that heard no answer sends the event again, with the same `messageId`. That is a duplicate."""
    await platform.shop.play(platform.shop.visitor("phone").consents().views().repeats(3))

    assert len(platform.bus.messages(EVENTS_RECEIVED)) == 5
    assert len(platform.bus.messages(EVENTS_VALIDATED)) == 2
    person = await platform.person(anonymous_id="phone")
    assert person
    assert person.joined.counters["Product Viewed"] == 1


async def test_a_mistake_of_the_sender_is_rejected_and_says_where(platform: Pipeline) -> None:
    """The tracking plan asks every order for its revenue. The sender's owner learns which rule was broken and
    where, what was expected and which JSON type was found; a value is never repeated."""
    ada = platform.shop.visitor("phone").does("Order Completed", order_id="o-1", revenue="much")
    await platform.shop.play(ada)

    (rejected,) = platform.bus.messages(EVENTS_REJECTED)
    assert (rejected.message_id, rejected.owner) == ("phone-1", "shop-team")
    assert (rejected.rule, rejected.pointer) == ("plan-type", "/properties/revenue")
    assert (rejected.expected, rejected.got) == ("number", "string")
    assert "much" not in rejected.model_dump_json()


async def test_stored_is_not_yet_valid_but_one_may_ask_first(platform: Pipeline) -> None:
    """The edge answers for storage alone, so that a mistake in a plan never loses an event. `/v1/validate` says at
    once what the validator would say, and stores nothing."""
    bad = {**VIEW, "event": "Order Completed"}
    async with platform.edge() as edge:
        assert (await edge.post("/v1/track", json=bad)).status_code == 200
        judged = await edge.post("/v1/validate", json={"batch": [VIEW, bad]})
    await platform.bus.drain()

    (rejected,) = platform.bus.messages(EVENTS_REJECTED)
    good, refused = judged.json()["results"]
    assert good["valid"]
    assert (refused["rule"], refused["pointer"]) == (rejected.rule, rejected.pointer)


async def test_a_wrong_clock_is_set_right(platform: Pipeline) -> None:
    """A tablet's clock is an hour fast. It says by that clock when it sent and when it happened; the difference
    between the two is right, and our own clock is right too."""
    fast = platform.bus.clock.now() + timedelta(hours=1)
    tablet = {**VIEW, "sentAt": fast.isoformat(), "timestamp": (fast - timedelta(seconds=10)).isoformat()}
    async with platform.edge() as edge:
        await edge.post("/v1/track", json=tablet)
    await platform.bus.drain()

    (validated,) = platform.bus.messages(EVENTS_VALIDATED)
    assert validated.received_at - validated.occurred_at == timedelta(seconds=10)
    assert "clock-corrected" in validated.flags


async def test_every_event_leaves_by_one_exit(platform: Pipeline) -> None:
    """Rejected is the sender's mistake, withheld the person's choice, dead-lettered ours. Nothing else ever
    happens to an event, so it adds up: in = through + rejected + withheld + duplicates + dead-lettered."""
    ada = platform.shop.visitor("phone").consents().views(3).repeats().does("Order Completed")
    stranger = platform.shop.visitor("laptop").views(2)
    await platform.shop.play(ada, stranger)
    platform.bus.publish_raw(EVENTS_RECEIVED.name, b"no event at all")
    await platform.bus.drain()

    received, resolved = platform.bus.raw(EVENTS_RECEIVED.name), platform.bus.messages(EVENTS_RESOLVED)
    rejected, withheld = platform.bus.messages(EVENTS_REJECTED), platform.bus.messages(EVENTS_WITHHELD)
    exits = {
        "through": len(resolved), "rejected": len(rejected), "withheld": len(withheld), "duplicates": 1,
        "dead-lettered": len(platform.dead_letters()),
    }  # fmt: skip
    assert exits == {"through": 4, "rejected": 1, "withheld": 2, "duplicates": 1, "dead-lettered": 1}
    assert sum(exits.values()) == len(received)


async def test_everything_may_be_delivered_twice(platform: Pipeline) -> None:
    """Kafka promises at least once. Each service notes in its records what it has applied: it does not apply it
    again, but tells again what followed from it, under the same ids. Here the whole day is delivered again."""
    await platform.shop.play(platform.shop.visitor("phone").consents().views(4).logs_in("ada"))
    state, ids = platform.state(), platform.ids()

    platform.bus.redeliver()
    await platform.bus.drain()

    assert platform.state() == state
    assert platform.ids() == ids

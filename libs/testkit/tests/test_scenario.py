"""Stories become events on the bus, in their order and at their time."""

from __future__ import annotations

from datetime import datetime, timedelta

from cdp_contracts.events_v1 import EventReceived
from cdp_contracts.topics import EVENTS_RECEIVED, EVENTS_REJECTED, MEMBERSHIP_CHANGED
from cdp_runtime.batch import Batch
from cdp_runtime.stage import Stage
from cdp_testkit import LocalBus, Scenario
from cdp_testkit.builders import entered, left, person
from cdp_testkit.scenario import NO, YES


def sent(bus: LocalBus) -> list[EventReceived]:
    return sorted(bus.messages(EVENTS_RECEIVED), key=lambda event: str(event.timestamp))


def moment(event: EventReceived) -> datetime:
    return datetime.fromisoformat(str(event.timestamp))


async def test_a_story_is_told_in_its_order() -> None:
    bus = LocalBus()
    shop = Scenario(bus, "key")

    await shop.play(shop.visitor("phone").consents().views(2, product_id="p").logs_in("ada", plan="pro").buys(7))

    events = sent(bus)
    assert [event.type for event in events] == ["track", "track", "track", "identify", "track"]
    assert [event.message_id for event in events] == [f"phone-{n}" for n in range(1, 6)]
    assert [event.user_id for event in events] == [None, None, None, "ada", "ada"]
    assert {event.anonymous_id for event in events} == {"phone"}
    assert {event.write_key for event in events} == {"key"}
    assert events[0].context == {"consent": {"categoryPreferences": YES}}
    assert events[1].properties == {"product_id": "p"}
    assert events[3].traits == {"plan": "pro"}
    assert events[4].properties == {"order_id": "order-phone-5", "revenue": 7, "currency": "EUR"}


async def test_a_visitor_goes_on_where_the_story_stopped() -> None:
    bus = LocalBus()
    shop = Scenario(bus, "key")
    ada = shop.visitor("phone").views()

    await shop.play(ada)
    await shop.play(ada.waits(minutes=31).refuses())

    first, second = sent(bus)
    assert moment(second) - moment(first) == timedelta(minutes=31, seconds=1)
    assert second.context == {"consent": {"categoryPreferences": NO}}
    assert second.message_id == ada.last_message_id == "phone-2"


async def test_a_copy_is_the_same_event_again() -> None:
    bus = LocalBus()
    shop = Scenario(bus, "key")

    await shop.play(shop.visitor("phone").views().repeats(2))

    first, *copies = sent(bus)
    assert copies == [first, first]


async def test_a_sender_may_send_anything() -> None:
    bus = LocalBus()
    shop = Scenario(bus, "key")

    await shop.play(shop.visitor("phone").sends("track", event=7, anonymous_id=None, write_key="other"))

    (event,) = sent(bus)
    assert (event.event, event.anonymous_id, event.write_key) == (7, None, "other")


async def test_stages_handle_what_happened_before_time_passes() -> None:
    bus = LocalBus()
    shop = Scenario(bus, "key")
    handled: list[datetime] = []

    async def watch(batch: Batch[EventReceived]) -> None:
        handled.append(batch.now)

    bus.attach("tests-watcher", [Stage(watch, reads=EVENTS_RECEIVED, emits=[EVENTS_REJECTED])])
    await shop.play(shop.visitor("phone").views().waits(days=1, hours=2).views())

    assert handled[1] - handled[0] == timedelta(hours=26, seconds=1)


async def test_a_subscriber_is_tested_with_memberships() -> None:
    bus = LocalBus()
    ada = person("ada")

    await bus.publish(MEMBERSHIP_CHANGED, entered("vip", ada), left("vip", ada, version=2))

    came, went = bus.messages(MEMBERSHIP_CHANGED)
    assert (came.changes[0].member, list(came.memberships)) == (True, ["vip"])
    assert (went.changes[0].member, list(went.memberships), went.version) == (False, [], 2)
    assert came.profile_id == went.profile_id == person("ada") != person("bob")

"""Chapter 4: segments and time.

A segment is a condition over what a person is and did: traits, and counts of events in windows, joined by and,
or and not. It is held against a person at every event, and by the clock when nothing happens. Entering and leaving
are messages; whoever needs them subscribes.

The segments here are those of infra/definitions/segments, until the last tests define some of their own. In the
stories one event follows the other after a second; `waits` and `wait` let more time pass.
"""

from __future__ import annotations

from datetime import timedelta

from assembly import TENANT, Pipeline
from cdp_contracts.conditions_v1 import And, Condition, Count, Not, Sliding, Trait
from cdp_contracts.definitions_v1 import SegmentDefined
from cdp_contracts.segments_v1 import MembershipChange
from cdp_contracts.topics import SEGMENTS_DEFINED

ENGAGED, FLASH, CART, DAY = "engaged-shoppers", "flash-visitors", "cart-no-purchase", "active-shoppers-24h"


def directions(changes: list[MembershipChange]) -> list[tuple[str, str]]:
    """The flips in words."""
    return [("in" if change.member else "out", change.cause) for change in changes]


async def define(platform: Pipeline, name: str, when: Condition, version: int = 1, **fields: str) -> None:
    """What `cdp apply` does with a file."""
    fields = {"tenant": TENANT, "name": name, "title": name, **fields}
    await platform.bus.publish(
        SEGMENTS_DEFINED, SegmentDefined.model_validate({**fields, "version": version, "when": when})
    )
    await platform.bus.tick()


async def test_one_enters_with_the_event_that_fulfils_the_condition(platform: Pipeline) -> None:
    """More than three product views within one session: of five, the fourth does it, and the message names it. It
    says why, with what was measured beside what was asked."""
    await platform.shop.play(platform.shop.visitor("phone").consents().views(5))

    (told,) = [m for m in platform.memberships() if ENGAGED in {change.segment for change in m.changes}]
    assert told.message_id == "phone-5", "the first event was the consent"
    entered = next(change for change in told.changes if change.segment == ENGAGED)
    assert directions([entered]) == [("in", "event")]
    (reason,) = entered.reasons
    assert (reason.condition, reason.value, reason.threshold) == ("count(Product Viewed) > 3 in one session", 4, 3)


async def test_one_leaves_when_the_window_has_passed_and_nothing_is_sent(platform: Pipeline) -> None:
    """Entering already told when it would end by itself. Then the clock alone ends it: no event is needed."""
    await platform.shop.play(platform.shop.visitor("phone").consents().views())
    (entered,) = platform.flips(DAY)
    assert entered.expires_at

    await platform.shop.wait(86400 + 2)

    left = platform.flips(DAY)[-1]
    assert (left.member, left.cause, left.effective_at) == (False, "timer", entered.expires_at)


async def test_whoever_comes_back_in_time_stays(platform: Pipeline) -> None:
    """The window slides: each new event moves the end."""
    ada = platform.shop.visitor("phone").consents().does("Flash Offer Viewed")
    await platform.shop.play(ada)
    for _ in range(3):
        await platform.shop.wait(2)
        await platform.shop.play(ada.does("Flash Offer Viewed"))
    assert directions(platform.flips(FLASH)) == [("in", "event")]

    await platform.shop.wait(10)
    assert directions(platform.flips(FLASH)) == [("in", "event"), ("out", "timer")]


async def test_a_session_ends_with_half_an_hour_of_silence(platform: Pipeline) -> None:
    """Three views and three more in another visit are not more than three in one."""
    await platform.shop.play(platform.shop.visitor("phone").consents().views(3).waits(minutes=31).views(3))
    assert platform.flips(ENGAGED) == []


async def test_a_purchase_in_the_same_visit_takes_the_truth_away(platform: Pipeline) -> None:
    """A cart but no purchase in the same session: it holds with the cart, and no longer with the purchase. A
    purchase in the next visit does not change what that visit was."""
    buyer = platform.shop.visitor("buyer").consents().fills_cart()
    waverer = platform.shop.visitor("waverer").consents().fills_cart()
    await platform.shop.play(buyer, waverer)
    await platform.shop.play(buyer.buys(), waverer.waits(hours=2).buys())

    person = await platform.person(anonymous_id="waverer")
    assert person
    assert {str(member) for member in platform.members(CART)} == {person.profile_id}
    assert directions(platform.flips(CART)).count(("out", "event")) == 1


async def test_what_comes_late_counts_where_it_belongs(platform: Pipeline) -> None:
    """Windows go by when a thing happened, not by when it came. A phone without network sends what it saw an hour
    ago: that puts nobody into the last five seconds, but it counts in a lifetime."""
    an_hour_ago = (platform.bus.clock.now() - timedelta(hours=1)).isoformat()
    late = platform.shop.visitor("phone").consents()
    await platform.shop.play(late.sends("track", event="Flash Offer Viewed", timestamp=an_hour_ago))
    assert platform.flips(FLASH) == []
    assert directions(platform.flips("offer-seen")) == [("in", "event")]


async def test_a_merge_joins_what_both_did(platform: Pipeline) -> None:
    """Two views on each of two devices within a minute, and a login that makes them one: four in one session."""
    phone = platform.shop.visitor("phone").consents().views(2)
    laptop = platform.shop.visitor("laptop").consents().views(2)
    await platform.shop.play(phone, laptop)
    await platform.shop.play(phone.logs_in("ada"), laptop.logs_in("ada"))
    assert directions(platform.flips(ENGAGED)) == [("in", "merge")]
    assert len(platform.members(DAY)) == 1, "who was absorbed is in no segment any more"


async def test_a_subscriber_keeps_the_newest_message_of_each_person(platform: Pipeline) -> None:
    """Each message holds the flips and the person's whole map; the version rises by one. So whoever missed some,
    or gets one twice, keeps the one with the higher version and knows all."""
    ada = platform.shop.visitor("phone").consents().does("Flash Offer Viewed").views(3)
    await platform.shop.play(ada)
    await platform.shop.wait(10)

    told = sorted(platform.memberships(), key=lambda message: message.version)
    assert [message.version for message in told] == list(range(1, len(told) + 1))
    assert set(told[-1].memberships) == {"offer-seen", "third-view", DAY}
    assert platform.members(FLASH) == set()


async def test_a_new_segment_looks_back(platform: Pipeline) -> None:
    """A definition is a message like any other: applied, it comes into force without a restart. What happened
    before is counted from the log first; then everybody is held against it, whether they do anything or not."""
    ada = platform.shop.visitor("phone").consents().visits("Help").visits("Help")
    await platform.shop.play(ada)
    await define(platform, "reader", Count(event="Help", op=">=", n=2))
    assert directions(platform.flips("reader")) == [("in", "definition")]
    await platform.shop.play(ada.visits("Help"))
    assert len(platform.flips("reader")) == 1


async def test_a_paused_segment_keeps_who_is_in_it(platform: Pipeline) -> None:
    """Nothing is told of it. Once it is live again, everybody's difference is told at once."""
    when = Count(event="Help", window=Sliding(seconds=60))
    await define(platform, "lost", when)
    ada, bob = platform.shop.visitor("phone").consents(), platform.shop.visitor("laptop").consents()
    await platform.shop.play(ada.visits("Help"))
    await define(platform, "lost", when, version=2, state="paused")
    await platform.shop.play(bob)
    await platform.shop.wait(3600)
    await platform.shop.play(bob.visits("Help"))
    assert directions(platform.flips("lost")) == [("in", "event")]
    await define(platform, "lost", when, version=3)
    assert sorted(directions(platform.flips("lost"))[1:]) == [("in", "definition"), ("out", "definition")]


async def test_conditions_are_joined_and_turned_round(platform: Pipeline) -> None:
    """On the plan "pro", and no order within the last hour. With the order one leaves, and an hour later the clock
    brings one back."""
    quiet = Not(of=Count(event="Order Completed", window=Sliding(seconds=3600)))
    await define(platform, "quiet-pro", And(of=(Trait(trait="plan", op="==", value="pro"), quiet)))
    ada = platform.shop.visitor("phone").consents().logs_in("ada", plan="pro")
    await platform.shop.play(ada)
    await platform.shop.play(ada.buys())
    await platform.shop.wait(3700)
    assert directions(platform.flips("quiet-pro")) == [("in", "event"), ("out", "event"), ("in", "timer")]


async def test_an_archived_segment_closes(platform: Pipeline) -> None:
    """For everybody who is in it, and put down to the definition."""
    when = Count(event="Product Viewed")
    await define(platform, "viewer", when)
    ada = platform.shop.visitor("phone").consents().views()
    await platform.shop.play(ada)
    await define(platform, "viewer", when, version=2, state="archived")
    assert directions(platform.flips("viewer")) == [("in", "event"), ("out", "definition")]

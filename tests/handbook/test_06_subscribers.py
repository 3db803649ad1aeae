"""Chapter 6: who subscribes, and how.

Other teams want to know who is in a segment, and when that changes. There are four ways. `cdp_client.subscribe`
follows the topic from Python. `cdp_client.members` reads once who is in now. A view has the members of one segment
and nobody else. A webhook is posted to whoever has an endpoint and no Kafka. All say the same: a person, whether
in or out, and the version of the memberships; what is not higher than the last is old.

Here the subscriber reads the in-memory bus, by `follow(bus.subscriber(group), segment)`, as your own tests can;
on Kafka it is `subscribe(segment, bootstrap=..., group=...)` and the rest is the same.
"""

from __future__ import annotations

import sys
from pathlib import Path

from assembly import Pipeline
from cdp_client import Flip, follow
from cdp_contracts.definitions_v1 import SegmentViewDefined
from cdp_contracts.topics import MEMBERSHIP_CHANGED, SEGMENT_VIEWS_DEFINED, SEGMENT_VIEWS_MAINTAINED
from cdp_devstack.servers.ports import free_port
from cdp_segments.sender.views import Views

sys.path.append(str(Path(__file__).parents[2] / "services/segments/tests"))

from sender_world import Sending
from webhook_receiver import receiving

FLASH, ENGAGED = "flash-visitors", "engaged-shoppers"


async def flips_of(platform: Pipeline, group: str, segment: str) -> list[Flip]:
    """What a group is told until there is nothing more; then its process ends."""
    return [flip async for flip in follow(platform.bus.subscriber(group), segment)]


def words(flips: list[Flip]) -> list[str]:
    return ["is in" if flip.snapshot else "entered" if flip.entered else "left" for flip in flips]


async def test_a_new_subscriber_first_gets_who_is_in(platform: Pipeline) -> None:
    """Two are in when the newsletter's team comes; one of them by an event of long ago. Neither is news: they come
    as a snapshot, each once. Who has left again is not in it."""
    ada, bob, eve = (platform.shop.visitor(name).consents() for name in ("ada", "bob", "eve"))
    await platform.shop.play(ada.views(4), eve.does("Flash Offer Viewed"))
    await platform.shop.wait(3 * 86400)
    await platform.shop.play(bob.views(4))

    assert words(await flips_of(platform, "newsletter", ENGAGED)) == ["is in", "is in"]
    assert await flips_of(platform, "newsletter-flash", FLASH) == []


async def test_then_every_flip_and_nothing_twice(platform: Pipeline) -> None:
    """Its process ends and starts again, days later. The group goes on behind what it handled: it missed nothing,
    by the clock either."""
    assert await flips_of(platform, "newsletter", FLASH) == []
    await platform.shop.play(platform.shop.visitor("ada").consents().does("Flash Offer Viewed"))
    await platform.shop.wait(10)

    flips = await flips_of(platform, "newsletter", FLASH)

    assert words(flips) == ["entered", "left"]
    assert [flip.change.cause for flip in flips if flip.change] == ["event", "timer"]
    assert flips[0].version < flips[1].version
    assert await flips_of(platform, "newsletter", FLASH) == []


async def test_a_flip_is_handled_when_the_next_one_is_asked_for(platform: Pipeline) -> None:
    """The newsletter's program fails over the second flip. The first was handled, so it starts with the second:
    what it did half comes again, with the same version. Keep the version beside your own data, in one transaction,
    and it is done once."""
    assert await flips_of(platform, "newsletter", FLASH) == []
    await platform.shop.play(platform.shop.visitor("ada").consents().does("Flash Offer Viewed"))
    await platform.shop.wait(10)

    program = follow(platform.bus.subscriber("newsletter"), FLASH)
    await anext(program)
    failed_on = await anext(program)
    await program.aclose()

    (again,) = await flips_of(platform, "newsletter", FLASH)
    assert (again.version, again.entered) == (failed_on.version, failed_on.entered)


async def test_what_is_told_again_is_dropped(platform: Pipeline) -> None:
    """We deliver at least once, so a message can stand on the topic twice. Its version is not higher: no flip, not
    even for a program that was started meanwhile."""
    assert await flips_of(platform, "newsletter", FLASH) == []
    await platform.shop.play(platform.shop.visitor("ada").consents().does("Flash Offer Viewed"))
    assert words(await flips_of(platform, "newsletter", FLASH)) == ["entered"]

    await platform.bus.publish(MEMBERSHIP_CHANGED, *platform.memberships())

    assert await flips_of(platform, "newsletter", FLASH) == []


async def test_whoever_is_absorbed_in_a_merge_leaves(platform: Pipeline) -> None:
    """Two devices turn out to be one person: who was absorbed is in nothing any more. A subscriber's members are
    ours, whatever was merged."""
    phone = platform.shop.visitor("phone").consents().views(4)
    laptop = platform.shop.visitor("laptop").consents().views(4)
    await platform.shop.play(phone, laptop)
    told = {flip.profile_id for flip in await flips_of(platform, "newsletter", ENGAGED)}
    assert len(told) == 2

    await platform.shop.play(phone.logs_in("ada"), laptop.logs_in("ada"))
    for flip in await flips_of(platform, "newsletter", ENGAGED):
        told = told | {flip.profile_id} if flip.entered else told - {flip.profile_id}

    assert told == platform.members(ENGAGED)
    assert len(told) == 1


async def test_an_endpoint_gets_each_flip_as_a_signed_request(platform: Pipeline, tmp_path: Path) -> None:
    """A destination is a YAML file: an address, a secret, segments. Nobody answers at the shop's: what it will not
    take is set aside for it, and the newsletter has everything."""
    sending = Sending(tmp_path, platform.bus)
    async with receiving() as newsletter:
        await sending.define("newsletter", newsletter.url, segments=[FLASH])
        await sending.define("shop", f"http://127.0.0.1:{free_port()}/", segments=[FLASH], tries=2)
        await platform.shop.play(platform.shop.visitor("ada").consents().does("Flash Offer Viewed"))
        await platform.shop.wait(10)
    await sending.close()

    types = [request.data["member"] for request in newsletter.requests]
    assert types == [True, False]
    assert all(request.headers["webhook-signature"].startswith("v1,") for request in newsletter.requests)
    assert {letter["cdp_reason"] for letter in sending.letters()} == {"gave up after connection"}


async def test_who_needs_one_segment_alone_asks_for_a_view(platform: Pipeline) -> None:
    """A view is a topic of the members and nobody else: a value under each member's key, null once he has left. It
    begins with everybody who is in. `members(segment, view=True)` reads it."""
    ada, bob = (platform.shop.visitor(name).consents() for name in ("ada", "bob"))
    await platform.shop.play(bob.views(4), ada.does("Flash Offer Viewed"))
    views = Views()
    platform.bus.attach("segments-sender", [], [views.table])
    view = SegmentViewDefined(tenant="demo", name=FLASH, owner="team-onsite")
    await platform.bus.publish(SEGMENT_VIEWS_DEFINED, view)
    platform.bus.attach("segments-sender", views.stages())
    await platform.bus.drain()
    (entry,) = platform.bus.messages(SEGMENT_VIEWS_MAINTAINED)
    assert {entry.profile_id} == platform.members(FLASH)

    await platform.shop.wait(10)

    records = platform.bus.raw(SEGMENT_VIEWS_MAINTAINED.name)
    assert [record.value is None for record in records] == [False, True]
    assert len({record.key for record in records}) == 1

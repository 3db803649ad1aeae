"""Computed traits from end to end: of events, on the profile, back in a condition, and then nothing more."""

from __future__ import annotations

import pytest
from assembly import TENANT, Pipeline
from cdp_contracts.definitions_v1 import SegmentDefined
from cdp_contracts.topics import SEGMENTS_DEFINED, TRAITS_COMPUTED
from computing import define_traits


@pytest.fixture
async def platform():
    made = await Pipeline.ready()
    await define_traits(made)
    hot = {"kind": "trait", "trait": "computed.keenness", "op": "==", "value": "hot"}
    about = {"tenant": TENANT, "name": "hot", "title": "Hot", "when": hot}
    await made.bus.publish(SEGMENTS_DEFINED, SegmentDefined.model_validate(about))
    return made


async def kept(platform, **identifier):
    profile = await platform.person(**identifier)
    return {name: trait.value for name, trait in profile.computed.traits.items()}


async def test_what_is_computed_is_on_the_profile_and_in_a_condition_and_that_is_the_end_of_it(platform):
    await platform.shop.play(platform.shop.visitor("ann").consents().views(4, category="electronics"))
    assert await kept(platform, anonymous_id="ann") == {
        "viewed": 4, "viewed-lately": 4, "keenness": "hot", "favourite": "electronics",
    }  # fmt: skip
    assert [change.member for change in platform.flips("hot")] == [True]
    computed = platform.bus.messages(TRAITS_COMPUTED)
    assert [message.version for message in computed] == [
        1,
        2,
        3,
        4,
    ]  # one an event, and none of what these brought
    told = [update for update in platform.updates() if update.computed is not None]
    assert len(told) == len(computed)
    assert all(update.event is None and not update.traits for update in told)
    await platform.bus.drain()
    await platform.bus.tick()
    assert platform.bus.messages(TRAITS_COMPUTED) == computed


async def test_the_clock_takes_it_back(platform):
    await platform.shop.play(platform.shop.visitor("ann").consents().views(4))
    platform.bus.clock.advance(6)
    for _ in range(3):
        await platform.bus.tick()
        await platform.bus.drain()
    assert (await kept(platform, anonymous_id="ann"))["viewed-lately"] == 0
    assert platform.bus.messages(TRAITS_COMPUTED)[-1].cause == "timer"
    assert platform.updates()[-1].computed["viewed-lately"] == 0


async def test_after_a_merge_it_is_computed_of_all_events_together(platform):
    phone, laptop = (platform.shop.visitor(name).consents().views(2) for name in ("phone", "laptop"))
    await platform.shop.play(phone, laptop)
    assert platform.members("hot") == set()
    await platform.shop.play(phone.logs_in("ada"), laptop.logs_in("ada"))
    assert (await kept(platform, user_id="ada"))["viewed"] == 4
    assert len(platform.members("hot")) == 1
    assert "merge" in {message.cause for message in platform.bus.messages(TRAITS_COMPUTED)}

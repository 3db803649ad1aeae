"""The evaluator is killed at every step of a story, and the end is always the same."""

from __future__ import annotations

import pytest
from cdp_contracts.topics import MEMBERSHIP_CHANGED
from cdp_testkit import Crash


def two_devices(make):
    """A login, and a window that passes."""
    return [
        [make.event(1, "ann"), make.event(2, "device"), make.traits(3, "device", plan="pro")],
        [
            make.event(4, "ann", at=1),
            make.merge(5, "ann", "device", at=1, plan="pro"),
            make.event(6, "device", at=1),
        ],
        [make.event(7, "bob", at=7)],
    ]


def one_shared_device(make):
    """A login that was none of hers: what came by the tablet is somebody else's again."""
    mine, tablet = "a" * 32, "b" * 32
    taken = make.parting("guest", tablet)
    return [
        [make.event(1, "ann", part=mine), make.event(2, "device", part=tablet), make.merge(3, "ann", "device")],
        [
            make.event(4, "ann", at=3, part=tablet),
            make.unmerge(5, "ann", taken, at=3),
            make.event(6, "device", at=3, part=tablet),
        ],
        [
            make.update(7, "guest", cause="merge", at=3, traits={"plan": "pro"}),
            make.event(8, "guest", part=tablet),
        ],
    ]


def back_again(make):
    """Who was parted comes back, and what tells of that comes last."""
    mine, tablet = "a" * 32, "b" * 32
    told = make.event(6, "ann", at=3, part=tablet).model_copy(update={"traits": {"plan": "pro"}})
    return [
        [make.event(1, "ann", part=mine), make.event(2, "ann", part=tablet)],
        [make.unmerge(3, "ann", make.parting("guest", tablet), at=3), make.event(4, "guest", at=3, part=tablet)],
        [told, make.merge(5, "ann", "guest", at=3)],
        [make.event(7, "ann", at=7, part=tablet)],
    ]


async def live(evaluator, story, fuse: int = -1) -> bool:
    """Killed once at the fuse's end; whether it was."""
    killed = False

    async def persist(action):
        nonlocal killed
        while True:
            try:
                await action()
            except Crash:
                killed = True
            else:
                return

    async def drain_and_tick():
        await evaluator.bus.drain()
        await evaluator.bus.tick()

    evaluator.fuse.left = fuse
    for chapter in story:
        await evaluator.publish(*chapter)
        await persist(drain_and_tick)
        evaluator.bus.clock.advance(3.5)
    evaluator.bus.clock.advance(60)
    await persist(drain_and_tick)
    return killed


def end(evaluator, who):
    """Who is where, and what a subscriber that keeps the highest version has."""
    heard = {}
    for message in evaluator.bus.messages(MEMBERSHIP_CHANGED):
        if message.version > (heard[message.profile_id].version if message.profile_id in heard else 0):
            heard[message.profile_id] = message
    aside = {"told": None, "evaluated_at": None}
    return {name: {**evaluator.person(name).to_state(), **aside} for name in who}, heard


@pytest.mark.parametrize(
    ("story", "who"), [(two_devices, ("ann", "bob", "device")), (one_shared_device, ("ann", "guest", "device"))]
)
async def test_killed_at_any_step_it_ends_the_same(make, evaluator, fresh, story, who):
    await live(evaluator, story(make))
    undisturbed = end(evaluator, who)
    told = {name: evaluator.told(name) for name in who}
    for fuse in range(1, 1000):
        again = await fresh()
        if not await live(again, story(make), fuse):
            assert fuse > 30
            break
        assert end(again, who) == undisturbed, fuse
        assert {name: again.told(name) for name in who} == told, fuse


async def test_killed_at_any_step_whoever_comes_back_has_what_was_told_meanwhile(make, evaluator, fresh):
    """How many messages tell it, and when, depends on what was saved; what they say in the end does not."""
    await live(evaluator, back_again(make))
    undisturbed = sorted(evaluator.person("ann").members)
    assert "pro" in undisturbed
    for fuse in range(1, 1000):
        again = await fresh()
        if not await live(again, back_again(make), fuse):
            assert fuse > 30
            break
        ann, told = again.person("ann"), again.told("ann")
        assert sorted(ann.members) == sorted(told[-1].memberships) == undisturbed, fuse
        assert [message.version for message in told] == list(range(1, ann.version + 1)), fuse

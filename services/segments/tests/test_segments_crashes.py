"""The evaluator is killed at every step of a story, and the end is always the same."""

from __future__ import annotations

from cdp_contracts.topics import MEMBERSHIP_CHANGED
from cdp_testkit import Crash


async def live(evaluator, make, fuse: int = -1) -> bool:
    """Two devices, a login, a window that passes. Killed once at the fuse's end; whether it was."""
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
    story = [
        [make.event(1, "ann"), make.event(2, "device"), make.traits(3, "device", plan="pro")],
        [
            make.event(4, "ann", at=1),
            make.merge(5, "ann", "device", at=1, plan="pro"),
            make.event(6, "device", at=1),
        ],
        [make.event(7, "bob", at=7)],
    ]
    for chapter in story:
        await evaluator.publish(*chapter)
        await persist(drain_and_tick)
        evaluator.bus.clock.advance(3.5)
    evaluator.bus.clock.advance(60)
    await persist(drain_and_tick)
    return killed


def end(evaluator, make):
    """Who is where, and what a subscriber that keeps the highest version has."""
    people = [evaluator.person(who) for who in ("ann", "bob", "device")]
    heard = {}
    for message in evaluator.bus.messages(MEMBERSHIP_CHANGED):
        if message.version > (heard[message.profile_id].version if message.profile_id in heard else 0):
            heard[message.profile_id] = message
    return [(p.members, p.version, p.rings, p.facts, p.into, p.wake_at) for p in people], heard


async def test_killed_at_any_step_it_ends_the_same(make, evaluator, fresh):
    await live(evaluator, make)
    undisturbed = end(evaluator, make)
    told = {who: evaluator.told(who) for who in ("ann", "bob", "device")}
    for fuse in range(1, 1000):
        again = await fresh()
        if not await live(again, make, fuse):
            assert fuse > 30
            break
        assert end(again, make) == undisturbed, fuse
        assert {who: again.told(who) for who in told} == told, fuse

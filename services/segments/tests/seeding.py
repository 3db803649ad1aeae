"""Two evaluators that live through the same: one knew all segments from the start, the other learns some later."""

from __future__ import annotations

import random
from dataclasses import dataclass

from cdp_contracts.topics import MEMBERSHIP_CHANGED, SEGMENTS_DEFINED
from cdp_testkit import Crash

WHO = ("ann", "bob", "cid", "dee", "guest")
PARTS = {who: letter * 32 for who, letter in zip(WHO, "abcde", strict=True)}
OTHER = {"kind": "count", "event": "nothing like this"}


@dataclass(frozen=True)
class Chapter:
    """What is published together, and how much time passes after it."""

    updates: tuple
    passes: float


def chapters(make, seed: int, events: list) -> list[Chapter]:
    """A story: events by several devices, late and repeated ones, traits, merges and a parting."""
    dice, n, now = random.Random(seed), 0, 0.0
    told, absorbed, parted, story = [], set(), False, []
    for pair in zip(events[::2], events[1::2], strict=False):
        updates = []
        for event, traits in pair:
            n += 1
            who = dice.choice(WHO[:4])
            late = dice.choice([0, 0, 0, 0.5, 1.5, 7200])
            part = PARTS[who] if dice.random() < 0.7 else None
            free = [name for name in WHO[:4] if name not in absorbed]
            what = dice.random()
            if what < 0.1 and len(free) > 2:
                survivor, gone = dice.sample(free, 2)
                absorbed.add(gone)
                updates.append(make.merge(n, survivor, gone, at=now))
            elif what < 0.16 and absorbed and not parted:
                parted = True
                parting = make.parting("guest", PARTS[min(absorbed)])
                updates += [
                    make.unmerge(n, free[0], parting, at=now),
                    make.update(n + 1000, "guest", cause="merge", at=now),
                ]
            elif what < 0.26 and who in free:
                updates.append(make.update(n, who, at=now, traits=traits))
            elif what < 0.34 and told:
                updates.append(dice.choice(told))
            else:
                update = make.update(n, who, at=now - late, event=event, part=part)
                updates.append(update)
                told.append(update)
        passes = dice.choice([0, 0.5, 0.5, 1, 1.5, 7200, 86_400])
        story.append(Chapter(tuple(updates), passes))
        now += passes
    return story


async def persistently(evaluator, action) -> bool:
    """Started again whenever it is killed; whether it was."""
    killed = False
    while True:
        try:
            await action()
        except Crash:
            killed = True
            evaluator.start()
        else:
            return killed


async def live(evaluator, story, later=(), at: int = -1, *, fuse: int = -1, turns: int = 10_000) -> bool:
    """Let it happen. Before the chapter `at` segments are defined, and then there are so many turns a chapter.

    Killed once at the fuse's end; whether it was.
    """
    killed = False
    for number, chapter in enumerate([*story, Chapter((), 0)]):
        if number == at:
            await evaluator.bus.publish(SEGMENTS_DEFINED, *later)
            evaluator.fuse.left = fuse
        await evaluator.publish(*chapter.updates)
        killed |= await persistently(evaluator, evaluator.bus.drain)
        killed |= await persistently(evaluator, lambda: evaluator.bus.tick(turns))
        evaluator.bus.clock.advance(chapter.passes)
        killed |= await persistently(evaluator, lambda: evaluator.bus.tick(turns))
    for _ in range(3):
        killed |= await persistently(evaluator, evaluator.bus.tick)
    return killed


def members(evaluator) -> dict[str, set[str]]:
    """Who is where, if anywhere."""
    found = {name: set(evaluator.person(name).members) for name in WHO if known(evaluator, name)}
    return {name: segments for name, segments in found.items() if segments}


def known(evaluator, who: str) -> bool:
    return evaluator.make.person_id(who) in evaluator.people.records.documents


def check_told(evaluator) -> None:
    """Versions rise by one, changes alternate, and what was told last is where somebody is."""
    everything = evaluator.bus.messages(MEMBERSHIP_CHANGED)
    for who in WHO:
        heard: set[str] = set()
        mine = [m for m in everything if m.profile_id == evaluator.make.profile_id(who)]
        by_version = {m.version: m for m in mine}
        assert all(m == by_version[m.version] for m in mine), "one version, two messages"
        assert sorted(by_version) == list(range(1, len(by_version) + 1))
        for version in sorted(by_version):
            for change in by_version[version].changes:
                assert (change.segment in heard) is not change.member, "told twice"
                heard ^= {change.segment}
            assert heard == by_version[version].memberships.keys()
        if known(evaluator, who):
            assert heard == evaluator.person(who).members.keys()

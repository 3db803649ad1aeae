"""Ended at any step and started again, or delivered again from the start: the state is what it would have been."""

from __future__ import annotations

from assembly import Pipeline
from cdp_contracts import failures_v1
from cdp_contracts.topics import (
    DELIVERIES_REQUESTED,
    EVENTS_PERMITTED,
    EVENTS_WITHHELD,
    IDENTITIES_MERGED,
    IDENTITIES_UNMERGED,
    MATCHES_DECIDED,
    MATCHES_PROPOSED,
    SEGMENT_VIEWS_MAINTAINED,
    UNMERGES_REQUESTED,
)
from cdp_testkit import Action, Crash
from crashpoints import outcome, told


class CrashAtEveryFirst:
    """Ends everything the first time that each kind of action of each stage is about to happen."""

    def __init__(self) -> None:
        self.seen: set[tuple[str, str, str]] = set()

    def __call__(self, action: Action) -> None:
        kind = (action.group, action.what, action.topic)
        if kind not in self.seen:
            self.seen.add(kind)
            raise Crash


async def test_the_story_has_everything_in_it() -> None:
    platform = await told()
    told_elsewhere = {
        MATCHES_PROPOSED, MATCHES_DECIDED, UNMERGES_REQUESTED, IDENTITIES_UNMERGED, DELIVERIES_REQUESTED,
        SEGMENT_VIEWS_MAINTAINED,
    }  # fmt: skip
    assert {topic for topic, ids in platform.ids().items() if not ids} == {topic.name for topic in told_elsewhere}
    (letter,) = platform.dead_letters()
    assert (letter.value, dict(letter.headers)[failures_v1.REASON]) == (b"{", b"json_invalid at /")
    assert len(platform.bus.messages(IDENTITIES_MERGED)) == 2
    assert {change.cause for m in platform.memberships() for change in m.changes} == {"event", "merge", "timer"}


async def test_a_crash_at_every_kind_of_step_in_one_run_changes_nothing_in_the_end() -> None:
    script = CrashAtEveryFirst()
    crashed = await told(script)
    assert len(script.seen) > 30
    assert outcome(crashed) == outcome(await told())


async def replayed(platform: Pipeline) -> Pipeline:
    """Everything delivered to every stage again, from the beginning."""
    platform.bus.redeliver()
    await platform.bus.drain()
    await platform.bus.tick()
    return platform


async def test_a_replay_of_everything_changes_no_state_and_says_nothing_new() -> None:
    platform = await told(withdrawal=False)
    before = outcome(platform)
    for _ in range(2):
        assert outcome(await replayed(platform)) == before


async def test_a_replay_after_a_withdrawal_withholds_what_had_passed_and_changes_nothing_else() -> None:
    """A restriction holds for whatever is decided after it: a replay can only narrow."""
    platform = await told()
    before = outcome(platform)
    passed = {event.message_id for event in platform.bus.messages(EVENTS_PERMITTED)}
    after = outcome(await replayed(platform))
    assert {**after, "ids": {}} == {**before, "ids": {}}
    changed = {name for name, ids in after["ids"].items() if ids != before["ids"][name]}
    assert changed == {EVENTS_WITHHELD.name}
    withheld = {event.message_id for event in platform.bus.messages(EVENTS_WITHHELD)}
    assert withheld & passed == {*(f"phone-{n}" for n in range(1, 8)), "laptop-4", "watch-4", "tablet-4"}


async def test_a_replay_long_after_changes_no_state() -> None:
    """What is remembered for redeliveries alone is forgotten by then; what was counted is not counted again."""
    platform = await told(withdrawal=False)
    platform.bus.clock.advance(3600)
    await platform.bus.tick()  # what was counted lately is not lately any more
    await platform.bus.drain()
    before = outcome(platform)
    after = outcome(await replayed(platform))
    assert after == before

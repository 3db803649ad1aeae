"""Ended at any step and started again, or delivered again from the start: the state is what it would have been."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Any

import pytest
from assembly import Pipeline
from cdp_contracts.topics import EVENTS_PERMITTED, EVENTS_RECEIVED, EVENTS_WITHHELD, IDENTITIES_MERGED
from cdp_testkit import Action, Crash

ROLES = ("collector-validator", "consent-gate", "identity-resolver", "profiles-writer", "segments-evaluator")


class CrashBefore:
    """Ends everything before the n-th action of a role, once."""

    def __init__(self, role: str, n: int) -> None:
        self.role = role
        self.left = n

    def __call__(self, action: Action) -> None:
        if action.group.startswith(self.role):
            self.left -= 1
            if self.left == 0:
                raise Crash


class CrashAtEveryFirst:
    """Ends everything the first time that each kind of action of each stage is about to happen."""

    def __init__(self) -> None:
        self.seen: set[tuple[str, str, str]] = set()

    def __call__(self, action: Action) -> None:
        kind = (action.group, action.what, action.topic)
        if kind not in self.seen:
            self.seen.add(kind)
            raise Crash


async def told(script: Callable[[Action], None] | None = None, *, withdrawal: bool = True) -> Pipeline:
    """A story in which everything happens: merges, flips, a withdrawal, copies, faults, time that passes."""
    platform = await Pipeline.ready()
    platform.bus.script = script
    restarting(platform)
    phone = platform.shop.visitor("phone").consents().views(4).repeats()
    laptop = platform.shop.visitor("laptop").consents().fills_cart().does("Order Completed")
    await platform.shop.play(phone, laptop)
    await platform.shop.play(phone.logs_in("ada", platform="mobile", lifecycle="loyal"), laptop.logs_in("ada"))
    platform.bus.publish_raw(EVENTS_RECEIVED.name, b"{", b"somebody")
    await platform.shop.play(phone.does("Flash Offer Viewed").waits(seconds=10))
    await platform.shop.play((phone.withdraws() if withdrawal else phone).views(), laptop.buys())
    return platform


def restarting(platform: Pipeline) -> None:
    """After a crash every role is started anew, and goes on."""

    def patient(action: Callable[[], Awaitable[None]]) -> Callable[[], Awaitable[None]]:
        async def run() -> None:
            while True:
                try:
                    await action()
                except Crash:
                    platform.restart()
                else:
                    return

        return run

    platform.bus.drain = patient(platform.bus.drain)  # type: ignore[method-assign]
    platform.bus.tick = patient(platform.bus.tick)  # type: ignore[method-assign]


def outcome(platform: Pipeline) -> dict[str, Any]:
    """All that must come out the same, whatever happened on the way."""
    newest = {m.profile_id: m for m in sorted(platform.memberships(), key=lambda message: message.version)}
    return {
        **platform.state(),
        "ids": platform.ids(),
        "memberships": {person: sorted(message.memberships) for person, message in newest.items()},
        "dead letters": {(letter.value, dict(letter.headers)["cdp_reason"]) for letter in platform.dead_letters()},
    }


async def test_the_story_has_everything_in_it() -> None:
    platform = await told()
    found = outcome(platform)
    assert all(ids for name, ids in platform.ids().items() if "refused" not in name)
    assert found["dead letters"] == {(b"{", b"json_invalid at /")}
    assert len(platform.bus.messages(IDENTITIES_MERGED)) == 1
    assert {change.cause for m in platform.memberships() for change in m.changes} == {"event", "merge", "timer"}


@pytest.mark.parametrize("role", ROLES)
async def test_a_crash_before_any_step_of_a_role_changes_nothing_in_the_end(role: str) -> None:
    undisturbed = await told()
    steps = [action for action in undisturbed.bus.actions if action.group.startswith(role)]
    assert len(steps) > 10
    for n in range(1, len(steps) + 1):
        crashed = await told(CrashBefore(role, n))
        assert outcome(crashed) == outcome(undisturbed), f"before step {n} of {role}: {steps[n - 1]}"


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
    assert withheld & passed == {*(f"phone-{n}" for n in range(1, 8)), "laptop-4"}


async def test_a_replay_long_after_changes_no_state() -> None:
    """What is remembered for redeliveries alone is forgotten by then; what was counted is not counted again."""
    platform = await told(withdrawal=False)
    before = outcome(platform)
    platform.bus.clock.advance(3600)
    after = outcome(await replayed(platform))
    assert after == before

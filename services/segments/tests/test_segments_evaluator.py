"""The evaluator's stage on the in-memory bus: what is told, when and why."""

from __future__ import annotations

import pytest
from cdp_contracts.topics import MEMBERSHIP_CHANGED
from cdp_runtime.batch import Tick
from cdp_segments.catalogs import Catalogs
from cdp_segments.domain.engine import react, wake
from cdp_segments.domain.person import Person
from cdp_segments.domain.telling import Delivery, acknowledge, forget_acknowledged, milliseconds_of
from cdp_segments.handlers import fire_timers
from cdp_testkit import Crash

VIEWED = {"kind": "count", "event": "view", "op": ">=", "n": 1}


async def test_before_any_definition_nothing_is_read(make, bare_evaluator):
    evaluator = bare_evaluator
    await evaluator.happens(make.event(1, "ann"))
    assert evaluator.people.records.documents == {}
    await evaluator.define(make.segment("viewed", **VIEWED))
    await evaluator.bus.drain()
    assert evaluator.flips("ann") == [("viewed", True, "event")]


async def test_entering_by_an_event_says_why_and_until_when(evaluator, make, noon):
    await evaluator.happens(make.event(1, "ann"))
    (message,) = evaluator.told("ann")
    (change,) = message.changes
    assert (message.tenant, message.message_id, message.version) == ("demo", "m1", 1)
    assert (change.segment, change.segment_version, change.member, change.cause) == ("active", 1, True, "event")
    assert (change.effective_at, change.expires_at) == (noon, noon.replace(second=5))
    (reason,) = change.reasons
    assert reason.condition == "count(view) >= 1 in the last 5 s"
    assert (reason.satisfied, reason.value, reason.threshold) == (True, 1, 1)
    assert message.memberships["active"].expires_at == noon.replace(second=5)


async def test_leaving_because_the_window_passed_and_nothing_was_sent(evaluator, make, noon):
    await evaluator.happens(make.event(1, "ann"))
    await evaluator.passes(4.999)
    assert evaluator.flips("ann") == [("active", True, "event")]
    await evaluator.passes(0.001)
    assert evaluator.flips("ann")[1:] == [("active", False, "timer")]
    assert evaluator.told("ann")[1].changes[0].effective_at == noon.replace(second=5)
    assert evaluator.timers.queues[evaluator.person("ann").partition] == {}
    await evaluator.passes(60)
    assert len(evaluator.bus.messages(MEMBERSHIP_CHANGED)) == 2


async def test_a_timer_waits_for_the_newest_event(evaluator, make, noon):
    await evaluator.happens(make.event(1, "ann", at=0))
    evaluator.bus.clock.advance(4)
    await evaluator.happens(make.event(2, "ann", at=4))
    await evaluator.passes(1)
    assert ("active", False, "timer") not in evaluator.flips("ann")
    await evaluator.passes(4)
    assert evaluator.told("ann")[-1].changes[0].effective_at == noon.replace(second=9)


async def test_behind_a_backlog_nothing_is_concluded_from_what_is_not_read_yet(make, bare_evaluator):
    evaluator = bare_evaluator
    bought = {"kind": "count", "event": "buy", "op": "==", "n": 0, "window": {"kind": "sliding", "seconds": 60}}
    await evaluator.define(make.segment("viewed-not-bought", kind="and", of=[VIEWED, bought]))
    await evaluator.happens(make.event(1, "ann", "buy", at=0))
    evaluator.bus.clock.advance(50)
    await evaluator.publish(make.event(2, "ann", at=50), make.event(3, "ann", "buy", at=50))
    evaluator.bus.clock.advance(3600)  # read an hour late
    evaluator.bus.max_records = 1
    await evaluator.bus.drain()
    assert evaluator.told("ann") == []
    await evaluator.passes(1)
    assert evaluator.flips("ann") == [("viewed-not-bought", True, "timer")]


async def test_a_flip_delivered_again_is_told_again_word_for_word(evaluator, make):
    await evaluator.publish(*(make.event(n, "ann") for n in range(3)), make.traits(3, "ann", plan="pro"))
    evaluator.bus.script = crash_at("committed")
    with pytest.raises(Crash):
        await evaluator.bus.drain()
    evaluator.bus.script = None
    first = evaluator.bus.messages(MEMBERSHIP_CHANGED)
    document = dict(evaluator.people.records.documents)
    await evaluator.bus.drain()
    assert [m.version for m in first] == [1, 2, 3]
    again = evaluator.bus.messages(MEMBERSHIP_CHANGED)[3:]
    assert {m.version: m for m in again} == {m.version: m for m in first}
    assert again[-1] == first[-1]  # the newest is last, so that compaction keeps it
    assert evaluator.people.records.documents == document


def test_what_is_untold_elsewhere_is_told_before_anything_newer(make):
    pro = make.segment("pro", kind="trait", trait="plan", op="==", value="pro")
    catalog = make.catalog(make.segment("seen", **VIEWED), pro)
    people = {make.person_id(who): Person(make.person_id(who)) for who in ("ann", "device")}
    here, there = Delivery(0, 0, 0), Delivery(1, 0, 0)
    react(people, make.merge(0, "ann", "device"), here, catalog)
    untold = react(people, make.event(1, "device"), there, catalog)  # saved, and killed before it was emitted
    told = react(people, make.traits(2, "ann", plan="pro"), here._replace(offset=1), catalog)
    assert [m.version for m in told] == [1, 2]
    assert told[0] == untold[0]
    assert react(people, make.event(1, "device"), there, catalog) == told
    again = react(people, make.traits(2, "ann", plan="pro"), here._replace(offset=1), catalog)
    assert again == told  # killed before it was emitted, whichever partition comes first
    forget_acknowledged(people.values(), {0: 2})
    assert people[make.person_id("ann")].told == []


def test_what_is_untold_elsewhere_is_told_before_the_clock(make, noon):
    catalog = make.catalog(make.segment("active", **VIEWED, window={"kind": "sliding", "seconds": 5}))
    people = {make.person_id(who): Person(make.person_id(who)) for who in ("ann", "device")}
    at = milliseconds_of(noon)
    react(people, make.merge(0, "ann", "device"), Delivery(0, 0, at), catalog)
    react(people, make.event(1, "device"), Delivery(1, 0, at), catalog)
    ann = people[make.person_id("ann")]
    assert [m.version for m in wake(ann, at + 5000, catalog)] == [1, 2]
    assert [m.version for m in wake(ann, at + 5000, catalog)] == [1, 2]
    later = make.event(2, "ann", at=6)
    told = react(people, later, Delivery(0, 1, at + 6000), catalog)
    assert [m.version for m in told] == [1, 2, 3]
    assert react(people, later, Delivery(0, 1, at + 6000), catalog) == told
    acknowledge(ann)
    assert ann.fired is None


async def test_what_is_acknowledged_is_forgotten(evaluator, make):
    await evaluator.happens(make.event(1, "ann"))
    assert len(evaluator.person("ann").told) == 1
    await evaluator.happens(make.event(2, "ann", "other"), make.event(3, "ann", "view"))
    assert [told.version for told in evaluator.person("ann").told] == [2]


async def test_a_replay_of_everything_changes_nothing(evaluator, make):
    await evaluator.happens(make.event(1, "ann"), make.event(2, "ann", at=1), make.traits(3, "ann", plan="pro"))
    await evaluator.happens(make.merge(4, "ann", "device", at=2))
    await evaluator.passes(60)
    members, version = evaluator.person("ann").members, evaluator.person("ann").version
    evaluator.bus.redeliver()
    await evaluator.bus.drain()
    await evaluator.passes(60)
    assert (evaluator.person("ann").members, evaluator.person("ann").version) == (members, version)


async def test_a_merge_counts_for_both_and_closes_the_absorbed(evaluator, make):
    await evaluator.happens(
        make.event(1, "ann"), make.event(2, "device", at=1), make.traits(3, "device", plan="pro")
    )
    await evaluator.happens(make.merge(4, "ann", "device", at=2, plan="pro"))
    closing = evaluator.told("device")[-1]
    assert {(c.segment, c.member, c.cause) for c in closing.changes} == {
        ("active", False, "merge"), ("pro", False, "merge")
    }  # fmt: skip
    assert (closing.memberships, closing.message_id) == ({}, "m4")
    assert evaluator.flips("ann")[1:] == [("pro", True, "merge"), ("viewed-twice", True, "merge")]
    assert evaluator.person("device").into == str(make.profile_id("ann"))
    assert not evaluator.person("device").holds_state


async def test_a_straggler_counts_for_the_survivor(evaluator, make):
    await evaluator.happens(make.event(1, "ann"), make.merge(2, "ann", "device"))
    await evaluator.happens(make.event(3, "device", at=1), make.traits(4, "device", at=1, plan="pro"))
    assert "viewed-twice" in evaluator.person("ann").members
    assert "pro" not in evaluator.person("ann").members  # the merge told which traits the survivor has
    assert evaluator.told("device") == []


async def test_a_changed_definition_takes_hold_of_everybody_whether_they_do_anything_or_not(evaluator, make):
    await evaluator.happens(make.event(1, "ann"))
    await evaluator.define(
        make.segment("viewed-twice", version=2, **VIEWED),
        make.segment("active", version=2, state="archived", **VIEWED),
    )
    assert evaluator.flips("ann")[1:] == [("active", False, "definition"), ("viewed-twice", True, "definition")]
    assert [c.segment_version for c in evaluator.told("ann")[1].changes] == [1, 2]
    await evaluator.happens(make.event(2, "ann", "other", at=1))
    await evaluator.passes(60)
    assert len(evaluator.told("ann")) == 2


async def test_a_definition_that_does_not_compile_leaves_the_last_good_one_in_force(evaluator, make):
    broken = make.segment("pro", version=2, kind="trait", trait="plan", op="in", value="pro")
    await evaluator.define(broken)
    await evaluator.happens(make.traits(1, "ann", plan="pro"))
    assert evaluator.flips("ann") == [("pro", True, "event")]


async def test_one_tenants_segments_see_nothing_of_anothers(evaluator, make):
    other = make.event(1, "ann").model_copy(update={"tenant": "other"})
    await evaluator.happens(other)
    assert evaluator.bus.messages(MEMBERSHIP_CHANGED) == []


async def test_timers_survive_the_loss_of_the_queue(evaluator, make):
    await evaluator.happens(*(make.event(n, f"p{n}") for n in range(30)))
    evaluator.timers.flush()
    await evaluator.passes(5)
    assert all(evaluator.flips(f"p{n}")[1:] == [("active", False, "timer")] for n in range(30))


async def test_a_queue_lost_behind_a_backlog_is_filled_up_to_the_clock(evaluator, make, noon):
    await evaluator.happens(make.event(1, "ann"))
    evaluator.timers.flush()
    partition = evaluator.person("ann").partition
    long_ago = Tick(noon, {partition: noon.replace(year=1970)}, [MEMBERSHIP_CHANGED])
    await fire_timers(long_ago, Catalogs(), evaluator.people, evaluator.timers)
    assert evaluator.timers.queues[partition] == {make.person_id("ann"): milliseconds_of(noon) + 5000}


async def test_many_timers_fire_over_several_ticks(evaluator, make):
    people = [f"p{n}" for n in range(500)]
    await evaluator.happens(*(make.event(n, who) for n, who in enumerate(people)))
    assert len(evaluator.bus.messages(MEMBERSHIP_CHANGED)) == 500
    await evaluator.passes(5)
    assert 500 < len(evaluator.bus.messages(MEMBERSHIP_CHANGED)) < 1000
    for _ in range(3):
        await evaluator.passes(0.25)
    assert len(evaluator.bus.messages(MEMBERSHIP_CHANGED)) == 1000
    assert not any(evaluator.timers.queues.values())


def crash_at(what: str):
    def script(action) -> None:
        if action.what == what:
            raise Crash

    return script

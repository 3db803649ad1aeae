"""Drafts, pauses, edits and archives: what is told of them, when, and to whom."""

from __future__ import annotations

from datetime import timedelta

import pytest
from cdp_contracts.topics import MEMBERSHIP_CHANGED, SEGMENTS_DEFINED
from cdp_testkit import Crash
from seeding import OTHER, Chapter, check_told, live

VIEWED = {"kind": "count", "event": "view"}
LATELY = {**VIEWED, "window": {"kind": "sliding", "seconds": 5}}
NEVER_BOUGHT = {"kind": "not", "of": {"kind": "count", "event": "buy"}}


@pytest.fixture
async def running(bare_evaluator, make):
    """An evaluator with a segment that nobody is in."""
    await bare_evaluator.define(make.segment("other", **OTHER))
    await bare_evaluator.happens(*(make.event(n, "ann") for n in range(3)), make.event(3, "bob", "buy"))
    return bare_evaluator


async def test_who_did_it_before_is_in_once_it_is_live(running, make):
    await running.define(make.segment("viewed", **VIEWED, n=3))
    assert running.flips("ann") == [("viewed", True, "definition")]
    assert running.told("bob") == []
    await running.happens(make.event(4, "ann"))
    await running.passes(60)
    assert len(running.told("ann")) == 1


async def test_while_the_log_is_counted_nothing_is_told_and_nobody_is_in(running, make):
    running.bus.max_records = 1
    await running.bus.publish(SEGMENTS_DEFINED, make.segment("viewed", **VIEWED, n=4))
    await running.bus.tick(turns=1)
    await running.happens(make.event(4, "ann"), make.event(5, "cid"))
    assert running.bus.messages(MEMBERSHIP_CHANGED) == []
    assert await running.people.size("demo", "viewed") == 0
    await running.bus.tick()
    assert running.flips("ann") == [("viewed", True, "definition")]
    assert running.told("cid") == []


async def test_a_condition_of_nothing_holds_of_those_of_whom_nothing_was_kept(running, make):
    await running.define(make.segment("never-bought", **NEVER_BOUGHT))
    assert running.flips("ann") == [("never-bought", True, "definition")]
    assert running.told("bob") == []
    await running.happens(make.event(5, "cid", "anything"))
    assert running.flips("cid") == [("never-bought", True, "event")]


async def test_somebody_who_comes_while_it_is_seeded_is_held_against_it_too(running, make):
    await running.bus.publish(SEGMENTS_DEFINED, make.segment("never-bought", **NEVER_BOUGHT))
    await running.bus.tick(turns=1)
    await running.happens(make.event(5, "cid", "anything"))
    assert running.told("cid") == []
    await running.bus.tick()
    assert running.flips("cid") == [("never-bought", True, "definition")]


async def test_what_passed_long_ago_is_told_to_nobody_and_what_lasts_ends_by_the_clock(running, make, noon):
    running.bus.clock.advance(4)
    await running.define(make.segment("lately", **LATELY))
    assert running.flips("ann") == [("lately", True, "definition")]
    assert running.told("ann")[0].memberships["lately"].expires_at == noon + timedelta(seconds=5)
    await running.passes(1)
    assert running.flips("ann")[1:] == [("lately", False, "timer")]
    await running.define(make.segment("lately", version=2, **LATELY))
    assert len(running.told("ann")) == 2


async def test_a_trait_that_nobody_asked_for_is_found_in_the_log(running, make):
    await running.happens(make.traits(5, "bob", plan="free"), make.traits(6, "bob", plan="pro"))
    await running.define(make.segment("pro", kind="trait", trait="plan", op="==", value="pro"))
    assert running.flips("bob") == [("pro", True, "definition")]


async def test_a_draft_is_never_told(running, make):
    await running.define(make.segment("viewed", state="draft", **VIEWED))
    await running.happens(make.event(5, "ann"))
    await running.passes(60)
    assert running.bus.messages(MEMBERSHIP_CHANGED) == []
    await running.define(make.segment("viewed", version=2, **VIEWED))
    assert running.flips("ann") == [("viewed", True, "definition")]


async def test_an_edited_segment_serves_its_old_version_until_the_new_one_is_counted(running, make):
    await running.define(make.segment("viewed", **VIEWED, n=3))
    running.bus.max_records = 1
    bought = make.segment("viewed", version=2, kind="count", event="buy")
    await running.bus.publish(SEGMENTS_DEFINED, bought)
    await running.bus.tick(turns=1)
    await running.happens(*(make.event(n, "cid") for n in (5, 6, 7)))
    assert running.flips("cid") == [("viewed", True, "event")]
    assert running.told("cid")[0].changes[0].segment_version == 1
    await running.bus.tick()
    ends = {who: running.told(who)[-1].changes for who in ("ann", "bob", "cid")}
    assert {who: [(c.segment_version, c.member) for c in changes] for who, changes in ends.items()} == {
        "ann": [(2, False)], "bob": [(2, True)], "cid": [(2, False)],
    }  # fmt: skip
    check_told(running)


async def test_a_higher_number_asks_for_older_events_and_a_lower_one_for_none(running, make):
    await running.define(make.segment("viewed", **VIEWED))
    await running.define(make.segment("viewed", version=2, **VIEWED, n=3))
    assert running.flips("ann") == [("viewed", True, "definition")]

    async def read_again(*_):
        raise AssertionError

    running.bus.read = read_again
    await running.define(make.segment("viewed", version=3, **VIEWED, n=2))
    assert len(running.flips("ann")) == 1
    assert "viewed" in running.person("ann").members


async def test_a_paused_segment_keeps_who_is_in_it_and_a_resume_is_one_difference(running, make):
    await running.define(make.segment("lately", **LATELY))
    await running.define(make.segment("lately", version=2, state="paused", **LATELY))
    assert running.told("ann")[-1].version == 1
    await running.passes(60)
    await running.happens(make.event(5, "bob", at=60))
    assert running.told("bob") == []
    assert "lately" in running.person("ann").members
    await running.define(make.segment("lately", version=3, **LATELY))
    assert running.flips("ann")[1:] == [("lately", False, "definition")]
    assert running.flips("bob") == [("lately", True, "definition")]
    await running.passes(5)
    assert running.flips("bob")[1:] == [("lately", False, "timer")]
    check_told(running)


async def test_whoever_refers_to_a_paused_segment_sees_who_was_in_it(running, make):
    await running.define(make.segment("lately", **LATELY))
    await running.define(make.segment("lately", version=2, state="paused", **LATELY))
    await running.passes(60)
    await running.define(make.segment("both", kind="in_segment", segment="lately"))
    assert ("both", True, "definition") in running.flips("ann")


async def test_it_comes_into_force_at_its_time_and_not_before(running, make, noon):
    later = make.segment("viewed", **VIEWED).model_copy(update={"effective_at": noon + timedelta(seconds=30)})
    await running.define(later)
    await running.passes(29)
    assert running.told("ann") == []
    await running.passes(1)
    assert running.flips("ann") == [("viewed", True, "definition")]


async def test_what_was_not_counted_for_a_while_is_counted_anew(running, make):
    await running.define(make.segment("viewed", **VIEWED, n=4))
    await running.define(make.segment("viewed", version=2, state="archived", **VIEWED, n=4))
    await running.happens(make.event(5, "ann"))
    await running.define(make.segment("viewed", version=3, **VIEWED, n=4))
    assert running.flips("ann") == [("viewed", True, "definition")]


async def test_a_segment_that_is_gone_from_the_topic_ends(running, make):
    await running.define(make.segment("viewed", **VIEWED))
    running.bus.publish_raw(SEGMENTS_DEFINED.name, None, b"demo/viewed")
    await running.bus.tick()
    assert running.flips("ann")[-1] == ("viewed", False, "definition")


async def test_killed_at_any_step_of_seeding_it_ends_the_same_and_everybody_is_told_once(make, fresh):
    story = [
        Chapter((make.event(1, "ann"), make.traits(2, "bob", plan="free"), make.event(3, "bob", "buy")), 1),
        Chapter((make.event(4, "cid", at=1), make.merge(5, "ann", "dee", at=1), make.event(6, "dee", at=1)), 1),
        Chapter((make.event(7, "bob", at=2), make.event(8, "ann", "buy", at=2)), 1),
    ]
    definitions = [
        make.segment("bought", kind="count", event="buy"), make.segment("never-bought", **NEVER_BOUGHT),
        make.segment("free", kind="trait", trait="plan", op="==", value="free"),
        make.segment("viewed-twice", version=2, **VIEWED, n=1),
    ]  # fmt: skip
    undisturbed = await fresh()
    await live(undisturbed, story, definitions, 2, turns=2)
    ends = {who: sorted(undisturbed.person(who).members) for who in ("ann", "bob", "cid")}
    assert ends["cid"] == ["active", "never-bought", "viewed-twice"]
    for fuse in range(1, 1000):
        again = await fresh()
        if not await live(again, story, definitions, 2, turns=2, fuse=fuse):
            assert fuse > 30
            break
        assert {who: sorted(again.person(who).members) for who in ends} == ends, fuse
        check_told(again)


async def test_a_killed_evaluator_goes_on_where_the_log_was_poured(running, make):
    await running.bus.publish(SEGMENTS_DEFINED, make.segment("viewed", **VIEWED, n=3))
    await running.bus.tick(turns=1)
    running.fuse.left = 1
    with pytest.raises(Crash):
        await running.bus.tick()
    running.start()
    await running.bus.tick()
    assert running.flips("ann") == [("viewed", True, "definition")]

"""An evaluator that stood still while another one did its work loses no timer by what it still believes."""

from __future__ import annotations

from cdp_contracts.topics import MEMBERSHIP_CHANGED
from cdp_runtime.batch import Tick
from cdp_runtime.records import copied
from cdp_segments.handlers import fire_timers
from cdp_segments.store import MemoryPersonStore


class Believing(MemoryPersonStore):
    """The store as it looks to a process that keeps what it wrote last: it loads records as they were."""

    def __init__(self, stored: MemoryPersonStore) -> None:
        super().__init__()
        self.records = stored.records
        self._kept = copied(stored.records.documents)

    async def load(self, ids):
        stored, self.records.documents = self.records.documents, self._kept
        try:
            return await super().load(ids)
        finally:
            self.records.documents = stored


async def fired(evaluator, people, who):
    """The tick of another process, up to what it would do once all is acknowledged."""
    now = evaluator.bus.clock.now()
    tick = Tick(now, {evaluator.person(who).partition: now}, [MEMBERSHIP_CHANGED])
    await fire_timers(tick, evaluator.catalogs, people, evaluator.timers)
    return tick


async def test_a_timer_that_an_old_record_knows_nothing_of_stays(evaluator, make):
    zombie = Believing(evaluator.people)
    await evaluator.happens(make.event(1, "ann"))
    evaluator.bus.clock.advance(5)
    tick = await fired(evaluator, zombie, "ann")
    assert tick.outbox.emitted == []
    for action in tick.acknowledged:
        await action()
    await evaluator.bus.tick()
    assert evaluator.flips("ann") == [("active", True, "event"), ("active", False, "timer")]


async def test_a_timer_that_was_wanted_while_another_one_moved_on_is_set(evaluator, make):
    blink = {"kind": "count", "event": "blink", "window": {"kind": "sliding", "seconds": 1}}
    await evaluator.define(make.segment("brief", **blink))
    await evaluator.happens(make.event(1, "ann"))
    evaluator.bus.clock.advance(3)
    await evaluator.happens(make.event(2, "ann", at=3))
    evaluator.bus.clock.advance(2)
    tick = await fired(evaluator, evaluator.people, "ann")  # set for second 5, and nothing ends before second 8
    await evaluator.happens(make.event(3, "ann", "blink", at=5))
    for action in tick.acknowledged:
        await action()
    await evaluator.passes(1)
    assert evaluator.flips("ann")[-1] == ("brief", False, "timer")

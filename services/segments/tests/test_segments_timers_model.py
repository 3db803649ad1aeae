"""The timer queue beside a sorted list: two evaluators take turns at will, with old answers in hand."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest
from cdp_devstack.servers import Stack
from cdp_runtime.settings import RedisSettings
from cdp_segments.timers import Alarm, MemoryTimers, RedisTimers
from hypothesis import Phase, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule, run_state_machine_as_test
from redis.asyncio import Redis

EVALUATORS = st.sampled_from(["one", "two"])
PARTITIONS = st.integers(0, 1)
TIMES = st.integers(0, 12)
PEOPLE = st.sampled_from(["demo/ann", "demo/bob", "demo/cid"])
ALARMS = st.builds(Alarm, PARTITIONS, PEOPLE, TIMES)


class TimersMachine(RuleBasedStateMachine):
    """The model is a list of alarms, one a person and partition, in the order in which they are due."""

    def __init__(self) -> None:
        super().__init__()
        self.loop = asyncio.new_event_loop()
        self.model: list[Alarm] = []
        self.held: dict[str, list[Alarm]] = {"one": [], "two": []}
        self.open()

    def open(self) -> None:
        self.timers: Any = MemoryTimers()

    def do(self, work: Any) -> Any:
        return self.loop.run_until_complete(work)

    def put(self, alarm: Alarm, at: int | None) -> None:
        self.model = [known for known in self.model if known[:2] != alarm[:2]]
        if at is not None:
            self.model = sorted([*self.model, alarm._replace(at=at)], key=lambda a: (a.partition, a.at, a.id))

    def at(self, alarm: Alarm) -> int | None:
        return next((known.at for known in self.model if known[:2] == alarm[:2]), None)

    @rule(alarms=st.lists(ALARMS, max_size=4))
    def set(self, alarms: list[Alarm]) -> None:
        """One batch sets each timer once; whatever is earlier stays."""
        once = list({alarm[:2]: alarm for alarm in alarms}.values())
        self.do(self.timers.set(once))
        for alarm in once:
            known = self.at(alarm)
            self.put(alarm, alarm.at if known is None else min(alarm.at, known))

    @rule(who=EVALUATORS, until=st.dictionaries(PARTITIONS, TIMES), limit=st.integers(1, 3))
    def look(self, who: str, until: dict[int, int], limit: int) -> None:
        found = self.do(self.timers.due(until, limit))
        due = {p: [a for a in self.model if a.partition == p and a.at <= t][:limit] for p, t in until.items()}
        assert found == [alarm for partition in until for alarm in due[partition]]
        self.held[who] = found

    @rule(who=EVALUATORS, later=st.none() | st.integers(1, 5))
    def move_on(self, who: str, later: int | None) -> None:
        """With what it saw when it looked: whoever set a timer anew since then is right."""
        moves = [(alarm, None if later is None else alarm.at + later) for alarm in self.held[who]]
        self.do(self.timers.move_on(moves))
        for alarm, to in moves:
            if self.at(alarm) == alarm.at:
                self.put(alarm, to)

    @invariant()
    def what_is_due_is_what_the_model_says(self) -> None:
        assert self.do(self.timers.due({0: 99, 1: 99}, 99)) == self.model

    def teardown(self) -> None:
        self.loop.close()


class RedisMachine(TimersMachine):
    """The queue in Redis, flushed for each story."""

    url = ""

    def open(self) -> None:
        self.timers = RedisTimers(RedisSettings(url=self.url))
        self.do(flush(self.url))

    def teardown(self) -> None:
        self.do(self.timers.close())
        super().teardown()


async def flush(url: str) -> None:
    async with Redis.from_url(url) as client:
        await client.flushall()


MANY = settings(max_examples=60, stateful_step_count=20, deadline=None, database=None)
FEW = settings(MANY, max_examples=12)
PLENTY = settings(MANY, max_examples=1000, phases=(Phase.generate,), derandomize=True)


def test_the_queue_in_memory_is_what_the_model_says() -> None:
    run_state_machine_as_test(TimersMachine, settings=MANY)


@pytest.mark.wire
def test_the_queue_in_redis_is_what_the_model_says() -> None:
    with Stack.start("embedded", only=["redis"]) as stack:
        RedisMachine.url = stack.redis
        run_state_machine_as_test(RedisMachine, settings=FEW)


class Latest(MemoryTimers):
    """Sets a timer to the last instant it hears."""

    async def set(self, alarms: Any) -> None:
        for partition, id_, at in alarms:
            self.queues.setdefault(partition, {})[id_] = at


class Forgetful(MemoryTimers):
    """Moves a timer on that was set anew meanwhile."""

    async def move_on(self, moves: Any) -> None:
        for alarm, to in moves:
            known = self.queues.get(alarm.partition, {}).get(alarm.id, alarm.at)
            await super().move_on([(alarm._replace(at=known), to)])


@pytest.mark.parametrize("faulty", [Latest, Forgetful])
def test_the_model_notices_a_queue(faulty: type[MemoryTimers], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(TimersMachine, "open", lambda self: setattr(self, "timers", faulty()))
    with pytest.raises(AssertionError):
        run_state_machine_as_test(TimersMachine, settings=PLENTY)

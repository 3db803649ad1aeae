"""A stage learns where it stands before it does anything, and a log can be read again beside it."""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping

import pytest
from cdp_contracts.topics import Topic
from cdp_runtime.batch import Batch, Tick
from cdp_runtime.failures import Away
from cdp_runtime.kafka_history import KafkaHistory
from cdp_runtime.settings import KafkaSettings
from cdp_runtime.stage import Stage
from cdp_runtime.transport import History
from cdp_testkit import LocalBus
from harness import PATIENCE, BusHarness, Harness, Order, Topics, order


@pytest.fixture
async def history(harness: Harness, transport: KafkaSettings | None) -> AsyncIterator[History]:
    if isinstance(harness, BusHarness):
        yield harness.bus
        return
    assert transport is not None
    reading = KafkaHistory(transport)
    yield reading
    await reading.close()


async def all_before(history: History, topic: Topic[Order], until: Mapping[int, int]) -> list[tuple[int, int]]:
    found: list[tuple[int, int]] = []
    for partition, end in until.items():
        start = await history.begins(topic.name, partition)
        while records := await history.read(topic.name, partition, start, end):
            found += [(record.partition, record.offset) for record in records]
            start = records[-1].offset + 1
    return found


async def test_a_log_is_read_again_up_to_an_offset(harness: Harness, history: History, topics: Topics) -> None:
    await harness.publish(*(order(f"customer {n}", n) for n in range(50)))
    there = [(record.partition, record.offset) for record in await harness.read(topics.orders.name)]
    assert await history.partitions(topics.orders.name) == 2
    ends = {p: max(offset for partition, offset in there if partition == p) for p in (0, 1)}
    for until in (ends, {p: end // 2 for p, end in ends.items()}, {0: 0, 1: 1}):
        wanted = [(partition, offset) for partition, offset in there if offset < until[partition]]
        assert sorted(await all_before(history, topics.orders, until)) == sorted(wanted)
    again = await history.read(topics.orders.name, 0, 3, 5)
    assert [record.offset for record in again] == [3, 4]
    assert again[0].value is not None


async def test_reading_again_moves_no_stage(harness: Harness, history: History, topics: Topics) -> None:
    handled: list[int] = []

    async def count(batch: Batch[Order]) -> None:
        for message in batch:
            handled.append(message.amount)
            batch.settle(message)

    await harness.publish(*(order(f"c{n}", n) for n in range(10)))
    await harness.run(Stage(count, reads=topics.orders, emits=[]))
    await harness.settle()
    assert len(await all_before(history, topics.orders, {0: 2, 1: 2})) == 4
    await harness.publish(order("ann", 99))
    await harness.settle()
    assert sorted(handled) == [*range(10), 99]


async def test_it_is_told_where_it_stands_before_anything_else(harness: Harness, topics: Topics) -> None:
    seen: list[tuple[str, int]] = []

    async def handle(batch: Batch[Order]) -> None:
        for message in batch:
            seen.append(("handled", message.amount))
            batch.settle(message)

    async def assigned(positions: Mapping[int, int]) -> None:
        seen.append(("assigned", sum(positions.values())))
        if len(seen) == 1:
            raise Away("the store is not up yet")

    async def tick(turn: Tick) -> None:
        seen.append(("ticked", sum(turn.positions.values())))

    await harness.publish(order("ann", 1), order("bob", 2))
    stage = Stage(handle, reads=topics.orders, emits=[], on_tick=tick, on_assigned=assigned, tick_seconds=0.01)
    await harness.run(stage)
    await harness.until(lambda: ("handled", 2) in seen and ("handled", 1) in seen)
    assert [what for what, _ in seen[:2]] == ["assigned", "assigned"]
    assert [at for what, at in seen if what == "assigned"] == [0, 0]
    assert ("handled", 0) not in seen


async def test_whoever_hurries_has_its_next_turn_at_once(topics: Topics) -> None:
    turns: list[Mapping[int, int]] = []

    async def nothing(batch: Batch[Order]) -> None:
        for message in batch:
            batch.settle(message)

    async def work(tick: Tick) -> None:
        turns.append(tick.positions)
        if len(turns) < 4:
            tick.hurry()

    bus = LocalBus(patience=PATIENCE)
    bus.declare(topics.orders.name, 2)
    bus.attach("tests-worker", [Stage(nothing, reads=topics.orders, emits=[], on_tick=work)])
    await bus.publish(topics.orders, order("ann", 1))
    await bus.drain()
    await bus.tick()
    assert len(turns) == 4
    assert sorted(turns[0].values()) == [0, 1]
    await bus.tick(turns=1)
    assert len(turns) == 5

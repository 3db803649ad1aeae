"""A commit that never ends: after the broker was away a consumer may look for its coordinator for ever."""

from __future__ import annotations

import asyncio

import pytest
from cdp_runtime import kafka_progress, kafka_stage
from test_progress import Consumer, orders
from test_unfinished_batches import Held


async def test_a_consumer_whose_commit_never_ends_is_replaced_and_its_batch_comes_again(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(kafka_progress, "LONGEST_COMMIT", 0.01)
    monkeypatch.setattr(kafka_progress, "LAST_COMMIT_SECONDS", 0.01)
    monkeypatch.setattr(kafka_stage, "RETRY_SECONDS", 0.01)
    steps: list[str] = []

    async def for_ever(_: object = None) -> None:
        await asyncio.Event().wait()

    lost, fresh = Consumer(orders(1)), Consumer(orders(1))
    lost.commit = for_ever  # type: ignore[method-assign]
    held = Held(lost)
    held.go_on.set()

    async def stop() -> None:
        steps.append("stop")
        if len(steps) == 1:
            await for_ever()  # it waits for the same coordinator

    async def start() -> None:
        steps.append("start")
        held.kafka._subscriber.consumer = fresh  # type: ignore[union-attr]
        held.kafka.assigned()

    held.kafka._subscriber.stop, held.kafka._subscriber.start = stop, start  # type: ignore[union-attr,method-assign]
    async with asyncio.timeout(10):
        while not fresh.commits:
            await asyncio.sleep(0.001)
    await held.end()
    assert steps == ["stop", "stop", "start"]
    assert len({dict(record.headers)["ce_id"] for record in held.sent.records}) == 1, "said twice, with one id"

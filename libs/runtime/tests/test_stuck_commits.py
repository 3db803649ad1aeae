"""A commit that never ends: after the broker was away a consumer may look for its coordinator for ever."""

from __future__ import annotations

import asyncio

import pytest
from aiokafka.errors import KafkaConnectionError
from cdp_runtime import kafka_client, kafka_progress, kafka_stage
from cdp_runtime.kafka_client import PatientBroker, ends_well
from cdp_runtime.settings import KafkaSettings
from faststream.kafka import KafkaBroker
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
    held.kafka._settings = held.kafka._settings.model_copy(update={"drain_seconds": 0.01})
    held.go_on.set()

    async def stop() -> None:
        steps.append("stop")
        if len(steps) == 1:
            await for_ever()  # it waits for the same coordinator
        if len(steps) == 2:
            raise asyncio.CancelledError  # aiokafka's fetcher was between two tries

    async def start() -> None:
        steps.append("start")
        if steps.count("start") < 3:
            raise KafkaConnectionError
        held.kafka._subscriber.consumer = fresh  # type: ignore[union-attr]
        held.kafka.assigned()

    held.kafka._subscriber.stop, held.kafka._subscriber.start = stop, start  # type: ignore[union-attr,method-assign]
    async with asyncio.timeout(10):
        while not fresh.commits:
            await asyncio.sleep(0.001)
    await held.end()
    assert steps == ["stop", "start", "stop", "start", "stop", "start"]
    assert len({dict(record.headers)["ce_id"] for record in held.sent.records}) == 1, "said twice, with one id"


async def test_a_role_that_starts_while_the_broker_comes_and_goes_starts_in_the_end(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    tries: list[str] = []

    async def reachable(_: KafkaSettings) -> None:
        tries.append("reachable")

    async def start(_: KafkaBroker) -> None:
        tries.append("start")
        if tries.count("start") < 3:
            raise KafkaConnectionError

    monkeypatch.setattr(kafka_client, "reachable", reachable)
    monkeypatch.setattr(KafkaBroker, "start", start)
    await asyncio.wait_for(PatientBroker(KafkaSettings(bootstrap="127.0.0.1:1")).start(), 10)
    assert tries == ["reachable", "start"] * 3


async def test_what_is_no_fault_of_the_broker_is_not_hidden() -> None:
    async def broken() -> None:
        raise LookupError

    with pytest.raises(LookupError):
        await ends_well(broken(), 1)


async def test_who_is_cancelled_from_outside_is_cancelled() -> None:
    ended = asyncio.Event()

    async def for_ever() -> None:
        try:
            await asyncio.Event().wait()
        finally:
            ended.set()

    waiting = asyncio.create_task(ends_well(for_ever(), 60))
    await asyncio.sleep(0)
    await asyncio.sleep(0)
    waiting.cancel()
    with pytest.raises(asyncio.CancelledError):
        await waiting
    await asyncio.wait_for(ended.wait(), 5)

"""A broker that stands still takes what is sent and answers nothing. An idempotent producer waits for ever."""

from __future__ import annotations

import asyncio
import gc
import time
from collections.abc import AsyncIterator, Iterator
from uuid import uuid4

import pytest
from aiokafka.admin import AIOKafkaAdminClient, NewTopic
from cdp_devstack.servers import Stack
from cdp_runtime.failures import Away
from cdp_runtime.kafka_client import KafkaProducer, client_options
from cdp_runtime.settings import KafkaSettings
from cdp_runtime.transport import Outgoing
from harness import eventually, read_all

pytestmark = [pytest.mark.stack, pytest.mark.xdist_group("silent-broker")]

SEND_SECONDS = 1.0
AT_MOST = 20.0
PARTITIONS = 3


@pytest.fixture(scope="module")
def stack() -> Iterator[Stack]:
    with Stack.start("local", only=["kafka"]) as started:
        yield started


@pytest.fixture
def kafka(stack: Stack) -> Iterator[KafkaSettings]:
    yield KafkaSettings(bootstrap=stack.kafka, send_seconds=SEND_SECONDS)
    stack.kafka_server.resume()


@pytest.fixture
async def topic(kafka: KafkaSettings) -> str:
    name = f"tests.notes-{uuid4().hex[:8]}.taken.v1"
    admin = AIOKafkaAdminClient(**client_options(kafka))
    await admin.start()
    await admin.create_topics([NewTopic(name, PARTITIONS, 1)])
    await admin.close()
    return name


@pytest.fixture
async def producer(kafka: KafkaSettings, topic: str) -> AsyncIterator[KafkaProducer]:
    """It has sent before: nothing but acknowledgements is missing later."""
    made = KafkaProducer(kafka)
    await made.send(notes(topic, "before"))
    yield made
    await made.close()


def notes(topic: str, text: str, count: int = 20) -> list[Outgoing]:
    return [Outgoing(topic, str(n).encode(), f"{text} {n}".encode()) for n in range(count)]


async def alone() -> None:
    """Nothing of the producers that were given up goes on."""

    async def holds() -> bool:
        return asyncio.all_tasks() == {asyncio.current_task()}

    await eventually(holds)


async def test_sending_ends_within_its_deadline_and_goes_on_with_a_new_producer(
    producer: KafkaProducer, kafka: KafkaSettings, topic: str, stack: Stack, caplog: pytest.LogCaptureFixture
) -> None:
    stack.kafka_server.pause()
    started = time.monotonic()
    answers = await asyncio.gather(
        *(producer.send(notes(topic, f"{i}")) for i in range(3)), return_exceptions=True
    )
    assert [type(answer) for answer in answers] == [Away] * 3
    assert SEND_SECONDS <= time.monotonic() - started < AT_MOST
    with pytest.raises(Away):  # not even a new connection is answered
        await producer.send(notes(topic, "again"))
    await alone()
    gc.collect()
    assert [record.message for record in caplog.records if record.name == "asyncio"] == []
    stack.kafka_server.resume()
    await producer.send(notes(topic, "after"))
    values = [record.value.decode() for record in await read_all(kafka, topic) if record.value]
    assert {f"{text} {n}" for text in ("before", "after") for n in range(20)} <= set(values)
    assert len(values) == len(set(values)), "what was given up is written at most once"


async def test_closing_does_not_wait_for_what_nobody_acknowledges(
    producer: KafkaProducer, topic: str, stack: Stack
) -> None:
    stack.kafka_server.pause()
    sending = asyncio.create_task(producer.send(notes(topic, "late")))
    await asyncio.sleep(0)
    started = time.monotonic()
    await producer.close()
    assert time.monotonic() - started < AT_MOST
    with pytest.raises(Away):
        await sending
    await alone()

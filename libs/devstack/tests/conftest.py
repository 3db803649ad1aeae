"""One stack of each kind for all tests of a worker, started when the first test asks for it."""

from __future__ import annotations

import uuid
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator

import pytest
from aiokafka import AIOKafkaConsumer, AIOKafkaProducer, ConsumerRecord, TopicPartition
from aiokafka.admin import AIOKafkaAdminClient, NewTopic
from cdp_devstack.servers import Kind, Stack

Read = Callable[[str], Awaitable[list[ConsumerRecord]]]

PARTITIONS = 4

KINDS = [
    pytest.param("embedded", marks=pytest.mark.wire),
    pytest.param("local", marks=pytest.mark.stack),
]


@pytest.fixture(params=KINDS)
def kind(request: pytest.FixtureRequest) -> Kind:
    return request.param


@pytest.fixture(scope="session")
def stacks() -> Iterator[dict[Kind, Stack]]:
    started: dict[Kind, Stack] = {}
    yield started
    for stack in started.values():
        stack.stop()


@pytest.fixture
def stack(kind: Kind, stacks: dict[Kind, Stack]) -> Stack:
    if kind not in stacks:
        stacks[kind] = Stack.start(kind)
    return stacks[kind]


@pytest.fixture
async def admin(stack: Stack) -> AsyncIterator[AIOKafkaAdminClient]:
    client = AIOKafkaAdminClient(bootstrap_servers=stack.kafka)
    await client.start()
    yield client
    await client.close()


@pytest.fixture
async def topic(admin: AIOKafkaAdminClient) -> str:
    name = f"cdp.tests.run.{uuid.uuid4().hex[:8]}"
    await admin.create_topics([NewTopic(name, PARTITIONS, 1)])
    return name


@pytest.fixture
async def producer(stack: Stack) -> AsyncIterator[AIOKafkaProducer]:
    client = AIOKafkaProducer(
        bootstrap_servers=stack.kafka, acks="all", enable_idempotence=stack.idempotent_producer
    )
    await client.start()
    yield client
    await client.stop()


@pytest.fixture
def read(stack: Stack) -> Read:
    """All records of a topic, without a group: what a table does before its first event.

    The end is the high watermark of the last fetch; `end_offsets` is only a lower bound of it on the embedded
    broker.
    """

    async def read_to_the_end(topic: str) -> list[ConsumerRecord]:
        consumer = AIOKafkaConsumer(bootstrap_servers=stack.kafka, enable_auto_commit=False)
        await consumer.start()
        try:
            partitions = [TopicPartition(topic, number) for number in range(PARTITIONS)]
            consumer.assign(partitions)
            await consumer.seek_to_beginning(*partitions)
            ends = await consumer.end_offsets(partitions)
            records: list[ConsumerRecord] = []
            while [
                tp for tp in partitions if await consumer.position(tp) < max(ends[tp], consumer.highwater(tp) or 0)
            ]:
                for fetched in (await consumer.getmany(timeout_ms=200)).values():
                    records += fetched
            return records
        finally:
            await consumer.stop()

    return read_to_the_end

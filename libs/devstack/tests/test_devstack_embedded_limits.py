"""What only Apache Kafka can do. A test that fails here tells that the embedded broker has learned it."""

from __future__ import annotations

import uuid
from collections.abc import Awaitable, Callable

import pytest
from aiokafka import AIOKafkaConsumer, AIOKafkaProducer, ConsumerRecord, TopicPartition
from aiokafka.admin import AIOKafkaAdminClient, NewPartitions, NewTopic
from aiokafka.admin.config_resource import ConfigResource, ConfigResourceType
from aiokafka.errors import IncompatibleBrokerVersion, KafkaError
from cdp_devstack.servers import Stack

Read = Callable[[str], Awaitable[list[ConsumerRecord]]]

PARTITIONS = 4


pytestmark = [pytest.mark.wire, pytest.mark.parametrize("kind", ["embedded"])]


async def test_only_kafka_has_idempotent_producers_that_aiokafka_can_use(stack: Stack) -> None:
    client = AIOKafkaProducer(bootstrap_servers=stack.kafka, enable_idempotence=True)

    try:
        with pytest.raises(KafkaError):
            await client.start()
    finally:
        await client.stop()


async def test_only_kafka_has_changes_of_a_topic(topic: str, admin: AIOKafkaAdminClient) -> None:
    resource = ConfigResource(ConfigResourceType.TOPIC, topic, {"retention.ms": "1000"})

    with pytest.raises(IncompatibleBrokerVersion):
        await admin.alter_configs([resource])
    with pytest.raises(IncompatibleBrokerVersion):
        await admin.create_partitions({topic: NewPartitions(PARTITIONS + 1)})


async def test_only_kafka_has_a_refusal_of_unknown_topics(stack: Stack, admin: AIOKafkaAdminClient) -> None:
    name = f"cdp.tests.unknown.{uuid.uuid4().hex[:8]}"
    client = AIOKafkaProducer(bootstrap_servers=stack.kafka)
    await client.start()

    await client.send_and_wait(name, b"made up on the spot")
    await client.stop()

    assert name in await admin.list_topics()


async def test_only_kafka_has_a_limit_of_size(stack: Stack, topic: str, read: Read) -> None:
    client = AIOKafkaProducer(bootstrap_servers=stack.kafka, max_request_size=3_000_000)
    await client.start()

    await client.send_and_wait(topic, b"x" * 2_000_000, partition=0)
    await client.stop()

    (record,) = await read(topic)
    assert len(record.value) == 2_000_000


async def test_only_kafka_has_true_end_offsets_after_a_batch(
    stack: Stack, topic: str, producer: AIOKafkaProducer, read: Read
) -> None:
    partition = TopicPartition(topic, 0)
    batch = producer.create_batch()
    for _ in range(5):
        batch.append(value=b"x", key=None, timestamp=None)
    await (await producer.send_batch(batch, topic, partition=0))
    consumer = AIOKafkaConsumer(bootstrap_servers=stack.kafka)
    await consumer.start()
    ends = await consumer.end_offsets([partition])
    await consumer.stop()

    assert ends == {partition: 1}  # the first record of the last batch, plus one
    assert len(await read(topic)) == 5


async def test_only_kafka_has_a_refusal_of_records_without_key_on_compacted_topics(
    stack: Stack, admin: AIOKafkaAdminClient, producer: AIOKafkaProducer, read: Read
) -> None:
    name = f"cdp.tests.run.{uuid.uuid4().hex[:8]}"
    await admin.create_topics([NewTopic(name, PARTITIONS, 1, topic_configs={"cleanup.policy": "compact"})])

    await producer.send_and_wait(name, b"no key")

    assert len(await read(name)) == 1


async def test_only_kafka_has_times_as_an_index(stack: Stack, topic: str, producer: AIOKafkaProducer) -> None:
    partition = TopicPartition(topic, 0)
    await producer.send_and_wait(topic, b"old", partition=0, timestamp_ms=1_000)
    consumer = AIOKafkaConsumer(bootstrap_servers=stack.kafka)
    await consumer.start()
    found = await consumer.offsets_for_times({partition: 2_000})
    await consumer.stop()

    assert found[partition] is not None  # Apache Kafka answers None: nothing is as young as that

"""What the platform relies on from a broker, on the embedded one and on Apache Kafka alike."""

from __future__ import annotations

import asyncio
import time
import uuid
from collections.abc import Awaitable, Callable

import pytest
from aiokafka import AIOKafkaConsumer, AIOKafkaProducer, ConsumerRecord, TopicPartition
from aiokafka.admin import AIOKafkaAdminClient, NewTopic
from aiokafka.admin.config_resource import ConfigResource, ConfigResourceType
from aiokafka.structs import OffsetAndMetadata
from cdp_devstack.servers import Stack
from confluent_kafka import Producer

Read = Callable[[str], Awaitable[list[ConsumerRecord]]]

PARTITIONS = 4
SECONDS = 40.0


def group_member(stack: Stack, topic: str) -> AIOKafkaConsumer:
    return AIOKafkaConsumer(
        topic,
        bootstrap_servers=stack.kafka,
        group_id=f"{topic}-group",
        auto_offset_reset="earliest",
        enable_auto_commit=False,
        # The embedded broker makes members wait for their session times: see the README. Kafka allows no less.
        session_timeout_ms=2_000 if stack.kind == "embedded" else 6_000,
        heartbeat_interval_ms=200,
    )


async def poll_until(condition: Callable[[], bool], *members: AIOKafkaConsumer) -> list[ConsumerRecord]:
    deadline = time.monotonic() + SECONDS
    records: list[ConsumerRecord] = []
    while not condition():
        assert time.monotonic() < deadline, "the group did not get there in time"
        for member in members:
            for fetched in (await member.getmany(timeout_ms=50)).values():
                records += fetched
    return records


async def test_a_record_comes_back_as_it_was_sent(
    stack: Stack, topic: str, producer: AIOKafkaProducer, read: Read
) -> None:
    headers = [("ce_id", b"1"), ("empty", b""), ("traceparent", b"00-ab-cd-01")]
    await producer.send_and_wait(topic, b'{"a":1}', key=b"k", headers=headers, timestamp_ms=1_700_000_000_123)

    (record,) = await read(topic)

    assert (record.key, record.value, record.timestamp) == (b"k", b'{"a":1}', 1_700_000_000_123)
    assert list(record.headers) == headers


async def test_keys_keep_order_and_tombstones_have_no_value(
    stack: Stack, topic: str, producer: AIOKafkaProducer, read: Read
) -> None:
    for value in (b"1", b"2", None):
        await producer.send_and_wait(topic, value, key=b"same")
    await producer.send_and_wait(topic, b"no key")

    records = await read(topic)

    assert [(r.value, r.offset) for r in records if r.key == b"same"] == [(b"1", 0), (b"2", 1), (None, 2)]
    assert [r.value for r in records if r.key is None] == [b"no key"]


async def test_an_empty_topic_is_read_at_once(stack: Stack, topic: str, read: Read) -> None:
    assert await read(topic) == []


async def test_many_records_in_flight_arrive_once_each(
    stack: Stack, topic: str, producer: AIOKafkaProducer, read: Read
) -> None:
    sent = [await producer.send(topic, b"%d" % n, key=b"%d" % (n % 50)) for n in range(5_000)]
    await asyncio.gather(*sent)

    records = await read(topic)

    assert sorted(int(r.value) for r in records) == list(range(5_000))


async def test_two_members_share_a_topic_and_one_takes_over(
    stack: Stack, topic: str, producer: AIOKafkaProducer
) -> None:
    first, second = group_member(stack, topic), group_member(stack, topic)
    await first.start()
    await poll_until(lambda: len(first.assignment()) == PARTITIONS, first)
    polling = asyncio.create_task(poll_until(lambda: len(first.assignment()) == 2, first))
    await second.start()
    await polling
    await poll_until(lambda: len(second.assignment()) == 2, first, second)
    shared = first.assignment() | second.assignment()

    await second.stop()
    await poll_until(lambda: len(first.assignment()) == PARTITIONS, first)
    await producer.send_and_wait(topic, b"after")
    after: list[ConsumerRecord] = []
    while not after:
        for fetched in (await first.getmany(timeout_ms=200)).values():
            after += fetched
    await first.stop()

    assert len(shared) == PARTITIONS
    assert [record.value for record in after] == [b"after"]


async def test_a_group_goes_on_at_the_offsets_it_committed(
    stack: Stack, topic: str, producer: AIOKafkaProducer
) -> None:
    for number in range(10):
        await producer.send_and_wait(topic, b"%d" % number, partition=0)
    partition = TopicPartition(topic, 0)
    first = group_member(stack, topic)
    await first.start()
    await poll_until(lambda: first.highwater(partition) == 10, first)
    await first.commit({partition: OffsetAndMetadata(7, "")})
    await first.stop()

    second = group_member(stack, topic)
    await second.start()
    seen: list[ConsumerRecord] = []
    while len(seen) < 3:
        for fetched in (await second.getmany(timeout_ms=200)).values():
            seen += fetched
    committed = await second.committed(partition)
    await second.stop()

    assert committed == 7
    assert [int(r.value) for r in seen] == [7, 8, 9]


async def test_topic_settings_are_kept(admin: AIOKafkaAdminClient) -> None:
    name = f"cdp.tests.run.{uuid.uuid4().hex[:8]}"
    await admin.create_topics([NewTopic(name, PARTITIONS, 1, topic_configs={"cleanup.policy": "compact"})])

    (again,) = (await admin.create_topics([NewTopic(name, 1, 1)])).topic_errors
    (response,) = await admin.describe_configs([ConfigResource(ConfigResourceType.TOPIC, name)])
    settings = {entry[0]: entry[1] for entry in response.resources[0][4]}

    assert again[1] == 36  # it exists
    assert settings["cleanup.policy"] == "compact"


async def test_end_offsets_and_high_watermarks_after_single_sends(
    stack: Stack, topic: str, producer: AIOKafkaProducer
) -> None:
    for _ in range(3):
        await producer.send_and_wait(topic, b"x", partition=1)
    partition = TopicPartition(topic, 1)
    consumer = AIOKafkaConsumer(bootstrap_servers=stack.kafka, auto_offset_reset="earliest")
    await consumer.start()
    consumer.assign([partition])
    ends = await consumer.end_offsets([partition])
    await consumer.getone(partition)
    high = consumer.highwater(partition)
    await consumer.stop()

    assert ends == {partition: 3}
    assert high == 3


@pytest.mark.parametrize("compression", ["none", "gzip", "snappy", "lz4", "zstd"])
async def test_a_librdkafka_producer_is_understood(stack: Stack, topic: str, compression: str, read: Read) -> None:
    settings = {"bootstrap.servers": stack.kafka, "compression.type": compression, "partitioner": "murmur2_random"}
    client = Producer(settings)
    for number in range(20):
        client.produce(topic, b"x" * 200, key=b"k", headers=[("n", b"%d" % number)])
    left = await asyncio.to_thread(client.flush, 20)

    records = await read(topic)

    assert left == 0
    assert [int(record.headers[0][1]) for record in records] == list(range(20))


async def test_both_clients_send_a_key_to_the_same_partition(
    stack: Stack, topic: str, producer: AIOKafkaProducer, read: Read
) -> None:
    client = Producer({"bootstrap.servers": stack.kafka, "partitioner": "murmur2_random"})
    for number in range(30):
        key = b"key-%d" % number
        client.produce(topic, b"librdkafka", key=key)
        await producer.send_and_wait(topic, b"aiokafka", key=key)
    await asyncio.to_thread(client.flush, 20)

    records = await read(topic)

    assert len({(record.key, record.partition) for record in records}) == 30
    assert len(records) == 60


@pytest.mark.stack
@pytest.mark.parametrize("kind", ["local"])
@pytest.mark.parametrize("way", ["stop", "kill"])
async def test_acknowledged_records_and_offsets_survive_a_restart(
    stack: Stack, topic: str, producer: AIOKafkaProducer, way: str, read: Read
) -> None:
    partition = TopicPartition(topic, 0)
    for number in range(10):
        await producer.send_and_wait(topic, b"%d" % number, partition=0)
    first = group_member(stack, topic)
    await first.start()
    await poll_until(lambda: partition in first.assignment(), first)
    await first.commit({partition: OffsetAndMetadata(4, "")})
    await first.stop()

    await asyncio.to_thread(getattr(stack.kafka_server, way))
    await asyncio.to_thread(stack.kafka_server.start)
    await producer.send_and_wait(topic, b"10", partition=0)
    second = group_member(stack, topic)
    await second.start()
    went_on_at = (await second.getone(partition)).offset
    await second.stop()

    assert went_on_at == 4
    assert [int(record.value) for record in await read(topic)] == list(range(11))

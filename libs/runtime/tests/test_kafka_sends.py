"""What a producer is given at once goes out as batches that it makes itself; nobody who reads can tell."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator
from itertools import groupby
from typing import Any
from uuid import uuid4

import pytest
from aiokafka.admin import AIOKafkaAdminClient, NewTopic
from aiokafka.errors import RequestTimedOutError
from aiokafka.protocol.produce import ProduceRequest
from cdp_devstack.servers import Stack
from cdp_runtime.kafka_client import MANY, KafkaProducer, client_options
from cdp_runtime.kafka_sends import BATCH_BYTES, LARGEST
from cdp_runtime.settings import KafkaSettings
from cdp_runtime.transport import Incoming, Outgoing, TooLarge
from harness import read_all

pytestmark = [pytest.mark.stack, pytest.mark.xdist_group("kafka-sends")]

PARTITIONS = 3
FEW = 20


@pytest.fixture(scope="module")
def stack() -> Iterator[Stack]:
    with Stack.start("local", only=["kafka"]) as started:
        yield started


@pytest.fixture
def kafka(stack: Stack) -> KafkaSettings:
    return KafkaSettings(bootstrap=stack.kafka)


@pytest.fixture
async def topic(kafka: KafkaSettings) -> str:
    name = f"tests.notes-{uuid4().hex[:8]}.taken.v1"
    admin = AIOKafkaAdminClient(**client_options(kafka))
    await admin.start()
    await admin.create_topics([NewTopic(name, PARTITIONS, 1)])
    await admin.close()
    return name


@pytest.fixture
async def producer(kafka: KafkaSettings) -> AsyncIterator[KafkaProducer]:
    made = KafkaProducer(kafka)
    yield made
    await made.close()


def notes(topic: str, count: int, size: int = 10) -> list[Outgoing]:
    """Of seven keys by turns, numbered."""
    return [Outgoing(topic, b"key %d" % (n % 7), b"%d " % n + bytes(size)) for n in range(count)]


def numbers(records: list[Incoming]) -> dict[bytes | None, list[int]]:
    """Of each key in the order of the topic, which keys share."""
    by_key = sorted(records, key=lambda record: record.key or b"")  # stable
    return {
        key: [int((record.value or b"").split()[0]) for record in group]
        for key, group in groupby(by_key, key=lambda record: record.key)
    }


async def test_a_key_has_one_partition_and_its_order_however_many_are_sent(
    producer: KafkaProducer, kafka: KafkaSettings, topic: str
) -> None:
    sent = notes(topic, 40 * MANY)
    rest = sent
    for size in (FEW, 2 * MANY, FEW, MANY - 1, MANY, len(sent)):
        await producer.send(rest[:size])
        rest = rest[size:]
    found = await read_all(kafka, topic)
    assert numbers(found) == {b"key %d" % key: list(range(key, len(sent), 7)) for key in range(7)}
    assert all(len({r.partition for r in found if r.key == key}) == 1 for key in numbers(found))


async def test_what_fills_several_batches_of_a_partition_keeps_its_order(
    producer: KafkaProducer, kafka: KafkaSettings, topic: str
) -> None:
    sent = notes(topic, 20 * MANY, size=BATCH_BYTES // 100)
    await producer.send(sent)
    assert numbers(await read_all(kafka, topic)) == {
        b"key %d" % key: list(range(key, len(sent), 7)) for key in range(7)
    }


async def test_a_batch_whose_acknowledgement_is_lost_is_written_once_and_in_order(
    producer: KafkaProducer, kafka: KafkaSettings, topic: str
) -> None:
    await producer.send(notes(topic, 1))
    client = (await producer._started()).client
    sending, lost = client.send, [True, True, False, True]

    async def losing(node: int, request: Any, **options: Any) -> Any:
        answer = await sending(node, request, **options)
        if isinstance(request, ProduceRequest) and lost and lost.pop(0):
            raise RequestTimedOutError
        return answer

    client.send = losing
    sent = notes(topic, 20 * MANY, size=BATCH_BYTES // 100)
    await producer.send(sent)
    assert not lost
    assert numbers(await read_all(kafka, topic)) == {
        b"key %d" % key: [0] * (key == 0) + list(range(key, len(sent), 7)) for key in range(7)
    }


@pytest.mark.parametrize("size", [LARGEST + 1, LARGEST - 40])
@pytest.mark.parametrize("count", [FEW, 4 * MANY])
async def test_the_record_that_is_too_large_is_named(
    producer: KafkaProducer, kafka: KafkaSettings, topic: str, count: int, size: int
) -> None:
    """By us, or by the broker, which measures a whole batch."""
    sent = notes(topic, count)
    sent[FEW // 2] = sent[FEW // 2]._replace(value=bytes(size))
    with pytest.raises(TooLarge) as refused:
        await producer.send(sent)
    assert refused.value.index == FEW // 2
    await producer.send([record for record in sent if record is not sent[FEW // 2]])
    found = numbers(await read_all(kafka, topic))
    assert {n for key in found.values() for n in key} == set(range(count)) - {FEW // 2}


async def test_headers_tombstones_and_a_chosen_partition_go_through(
    producer: KafkaProducer, kafka: KafkaSettings, topic: str
) -> None:
    headers = (("ce_id", b"1"), ("traceparent", b"2"))
    await producer.send([Outgoing(topic, b"key", None, headers, partition=n % 2) for n in range(2 * MANY)])
    found = await read_all(kafka, topic)
    assert {(r.key, r.value, r.headers) for r in found} == {(b"key", None, headers)}
    assert [sum(r.partition == n for r in found) for n in range(PARTITIONS)] == [MANY, MANY, 0]


async def test_records_without_a_key_go_to_every_partition(
    producer: KafkaProducer, kafka: KafkaSettings, topic: str
) -> None:
    await producer.send([Outgoing(topic, None, b"value") for _ in range(4 * MANY)])
    found = await read_all(kafka, topic)
    assert len(found) == 4 * MANY
    assert {r.partition for r in found} == set(range(PARTITIONS))

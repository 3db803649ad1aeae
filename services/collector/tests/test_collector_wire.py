"""Both roles as they are started, on real servers, fed by a client that knows nothing of us."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import asynccontextmanager
from typing import TypeVar

import httpx
import pytest
import uvicorn
from aiokafka import AIOKafkaConsumer
from aiokafka.admin import AIOKafkaAdminClient, NewTopic
from cdp_collector.app import build_http, build_validator
from cdp_collector.domain.intake import Taken
from cdp_collector.settings import HttpSettings, ValidatorSettings
from cdp_collector.store import MOST_LATE, BrokerLog
from cdp_contracts.envelope import Contract
from cdp_contracts.events_v1 import EventReceived
from cdp_contracts.topics import (
    EVENTS_RECEIVED,
    EVENTS_REJECTED,
    EVENTS_VALIDATED,
    SOURCES_DEFINED,
    TRACKING_PLANS_DEFINED,
    Topic,
)
from cdp_devstack.servers import Stack, free_port
from cdp_runtime.app import Role
from cdp_runtime.clock import SystemClock
from cdp_runtime.codec import decode, encode
from cdp_runtime.failures import Away
from cdp_runtime.kafka_client import KafkaProducer, client_options
from cdp_runtime.settings import KafkaSettings, PrivacySettings, RedisSettings
from cdp_runtime.transport import Outgoing
from collector_builders import NOON, PEPPER, WEB_KEY, plan, source
from segment.analytics.client import Client

pytestmark = pytest.mark.wire

M = TypeVar("M", bound=Contract)

TOPICS = (EVENTS_RECEIVED, EVENTS_VALIDATED, EVENTS_REJECTED, SOURCES_DEFINED, TRACKING_PLANS_DEFINED)
DEADLINE = 60.0


@pytest.fixture
def stack() -> Iterator[Stack]:
    with Stack.start("embedded", only=["kafka", "redis"]) as started:
        yield started


@pytest.fixture
def kafka(stack: Stack) -> KafkaSettings:
    return KafkaSettings(bootstrap=stack.kafka, idempotent=stack.idempotent_producer, send_seconds=2)


@pytest.fixture
async def producer(kafka: KafkaSettings) -> AsyncIterator[KafkaProducer]:
    """Writes as product systems and operators do; the topics are there, the definitions too."""
    admin = AIOKafkaAdminClient(**client_options(kafka))
    await admin.start()
    await admin.create_topics([NewTopic(topic.name, topic.partitions, 1) for topic in TOPICS])
    await admin.create_topics([NewTopic(EVENTS_RECEIVED.dead_letters("collector"), 1, 1)])
    await admin.close()
    made = KafkaProducer(kafka)
    definitions = (SOURCES_DEFINED, source(tracking_plan="shop")), (TRACKING_PLANS_DEFINED, plan())
    await made.send([encode(topic, value, source="test", now=NOON) for topic, value in definitions])
    yield made
    await made.close()


@pytest.fixture
async def edge(kafka: KafkaSettings, producer: KafkaProducer) -> AsyncIterator[str]:
    """The URL of the served edge."""
    settings = HttpSettings(kafka=kafka, privacy=PrivacySettings(pepper=PEPPER), retry_after_seconds=1)
    async with served(build_http(settings)) as url:
        yield url


@pytest.fixture
async def validator(stack: Stack, kafka: KafkaSettings, producer: KafkaProducer) -> AsyncIterator[str]:
    """The URL of the running validator."""
    settings = ValidatorSettings(
        kafka=kafka, privacy=PrivacySettings(pepper=PEPPER), redis=RedisSettings(url=stack.redis)
    )
    async with served(build_validator(settings)) as url:
        yield url


@asynccontextmanager
async def served(role: Role) -> AsyncIterator[str]:
    """A role behind uvicorn on a free port, ready."""
    port = free_port()
    server = uvicorn.Server(uvicorn.Config(role, port=port, log_level="warning", access_log=False))
    server.install_signal_handlers = lambda: None  # type: ignore[attr-defined]
    serving = asyncio.create_task(server.serve())
    try:
        await eventually(lambda: answers(f"http://127.0.0.1:{port}/readyz"))
        yield f"http://127.0.0.1:{port}"
    finally:
        server.should_exit = True
        await serving


async def answers(url: str) -> bool:
    try:
        async with httpx.AsyncClient() as client:
            return (await client.get(url)).status_code == 200
    except httpx.TransportError:
        return False


async def eventually(condition: Callable[[], Awaitable[bool]]) -> None:
    async with asyncio.timeout(DEADLINE):
        while not await condition():
            await asyncio.sleep(0.05)


async def read(kafka: KafkaSettings, topic: Topic[M], count: int) -> list[M]:
    """The first messages of a topic, as soon as there are so many."""
    consumer = AIOKafkaConsumer(
        topic.name, **client_options(kafka), auto_offset_reset="earliest", enable_auto_commit=False
    )
    await consumer.start()
    try:
        found: list[M] = []
        async with asyncio.timeout(DEADLINE):
            while len(found) < count:
                for records in (await consumer.getmany(timeout_ms=200)).values():
                    found.extend(decode(topic, record.value) for record in records)
        return found
    finally:
        await consumer.stop()


def segment_client(url: str, errors: list[Exception]) -> Client:
    """Segment's own client, as it comes from the package index."""
    return Client(
        WEB_KEY,
        host=url,
        gzip=True,
        upload_interval=0.1,
        upload_size=20,
        on_error=lambda error, _: errors.append(error),
    )


async def test_segments_own_client_sends_every_kind_of_event(
    edge: str, validator: str, kafka: KafkaSettings
) -> None:
    errors: list[Exception] = []
    client = segment_client(edge, errors)
    client.identify(user_id="u-1", traits={"email": "jane@example.com", "age": 41})
    client.group(user_id="u-1", group_id="g-1", traits={"name": "ACME"})
    client.alias(previous_id="device-1", user_id="u-1")
    client.page(anonymous_id="device-1", name="Home", properties={"path": "/"})
    client.screen(user_id=42, name="Start")
    for n in range(50):
        client.track(anonymous_id="device-1", event="Product Viewed", properties={"product_id": f"p-{n}"})
    client.track(anonymous_id="device-1", event="Product Viewed", properties={"price": "free"}, message_id="bad")
    client.track(anonymous_id="device-1", event="Cart Emptied", message_id="twice")
    client.track(anonymous_id="device-1", event="Cart Emptied", message_id="twice")
    await asyncio.to_thread(client.flush)
    validated = await read(kafka, EVENTS_VALIDATED, 56)
    (rejected,) = await read(kafka, EVENTS_REJECTED, 1)
    await asyncio.to_thread(client.join)
    assert errors == []
    assert [message.event.name for message in validated].count("Product Viewed") == 50
    assert {message.event.type for message in validated} == {
        "identify", "group", "alias", "page", "screen", "track",
    }  # fmt: skip
    assert [message.message_id for message in validated].count("twice") == 1
    assert (rejected.message_id, rejected.rule, rejected.pointer) == (
        "bad", "plan-required", "/properties/product_id",
    )  # fmt: skip
    assert len(await read(kafka, EVENTS_RECEIVED, 58)) == 58


async def test_what_comes_straight_onto_the_broker_passes_the_same_gate(
    validator: str, kafka: KafkaSettings, producer: KafkaProducer
) -> None:
    event = {"type": "page", "anonymousId": "device-9", "messageId": "straight", "writeKey": WEB_KEY}
    values = [json.dumps(event).encode(), b"\x00\xff", json.dumps({**event, "writeKey": "wrong"}).encode()]
    await producer.send([Outgoing(EVENTS_RECEIVED.name, None, value) for value in values])
    (validated,) = await read(kafka, EVENTS_VALIDATED, 1)
    (rejected,) = await read(kafka, EVENTS_REJECTED, 1)
    assert (validated.message_id, validated.source) == ("straight", "web")
    assert (rejected.tenant, rejected.rule) == ("unknown", "write-key")

    async def counted() -> bool:
        async with httpx.AsyncClient() as client:
            metrics = (await client.get(f"{validator}/metrics")).text
        return 'cdp_dead_letters_total{reason="json_invalid at /",role="collector-validator"' in metrics

    await eventually(counted)


async def test_while_kafka_is_away_nobody_is_told_yes_and_nothing_is_lost(
    edge: str, validator: str, kafka: KafkaSettings, stack: Stack
) -> None:
    errors: list[Exception] = []
    client = segment_client(edge, errors)
    stack.kafka_server.pause()
    client.page(anonymous_id="device-1", name="Home", message_id="patient")
    async with httpx.AsyncClient(timeout=30) as http:
        body = {"batch": [{"type": "page", "anonymousId": "d"}], "writeKey": WEB_KEY}
        refused = await http.post(f"{edge}/v1/batch", json=body)
    assert (refused.status_code, refused.json()["code"]) == (503, "unavailable")
    assert refused.headers["Retry-After"] == "1"
    stack.kafka_server.resume()

    async def arrived() -> bool:
        return "patient" in {message.message_id for message in await read(kafka, EVENTS_VALIDATED, 1)}

    await eventually(arrived)
    await asyncio.to_thread(client.join)
    assert errors == []


async def test_while_too_much_is_on_its_way_more_is_refused_at_once(producer: KafkaProducer, stack: Stack) -> None:
    log = BrokerLog(producer, SystemClock(), source="test", seconds=0.05)
    event = Taken(0, EventReceived(type="page", anonymous_id="d"), None)
    stack.kafka_server.pause()
    late = await asyncio.gather(*(log.append([event], ()) for _ in range(MOST_LATE)), return_exceptions=True)
    assert all(isinstance(answer, Away) for answer in late)
    with pytest.raises(Away, match="earlier events"):
        await log.append([event], ())
    stack.kafka_server.resume()

    async def accepts() -> bool:
        try:
            await log.append([event], ())
        except Away:
            return False
        return True

    await eventually(accepts)
    await log.close()

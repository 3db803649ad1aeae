"""Servers that demand TLS and credentials: what our settings reach, and what is said when they do not."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from uuid import uuid4

import pytest
from aiokafka.admin import AIOKafkaAdminClient, NewTopic
from cdp_runtime.failures import Away, is_away, reason_of
from cdp_runtime.kafka_client import KafkaProducer, PatientBroker, client_options, fault_of, reachable
from cdp_runtime.mongo import mongo_client
from cdp_runtime.redis_client import redis_client
from cdp_runtime.settings import KafkaSettings, MongoSettings, RedisSettings
from cdp_runtime.transport import Outgoing
from secured_servers import PASSWORD, USER, Secured, secured

pytestmark = [pytest.mark.stack, pytest.mark.xdist_group("secured")]

REFUSED = "refuses these credentials: see CDP_{0}USERNAME and CDP_{0}PASSWORD"
UNTRUSTED = "certificate is not trusted or not for this address: see CDP_{0}CA_FILE"


@pytest.fixture(scope="module")
def servers(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Secured]:
    with secured(tmp_path_factory.mktemp("secured")) as running:
        yield running


def kafka(servers: Secured, **changes: Any) -> KafkaSettings:
    given: dict[str, Any] = {
        "bootstrap": f"127.0.0.1:{servers.kafka.sasl_port}",
        "security_protocol": "SASL_SSL",
        "sasl_username": USER,
        "sasl_password": PASSWORD,
        "ca_file": servers.authority,
        "send_seconds": 5,
    }
    return KafkaSettings(**given | changes)


def mongo(servers: Secured, **changes: Any) -> MongoSettings:
    given: dict[str, Any] = {
        "url": servers.mongo.url,
        "username": USER,
        "password": PASSWORD,
        "ca_file": servers.authority,
        "timeout_seconds": 1,
    }
    return MongoSettings(**given | changes)


def redis(servers: Secured, **changes: Any) -> RedisSettings:
    given: dict[str, Any] = {"url": servers.redis.url, "password": PASSWORD, "ca_file": servers.authority}
    return RedisSettings(**given | changes)


def mutual(servers: Secured, **changes: Any) -> KafkaSettings:
    return kafka(
        servers,
        bootstrap=f"127.0.0.1:{servers.kafka.mutual_port}",
        security_protocol="SSL",
        cert_file=servers.client,
        **changes,
    )


async def there_and_back(settings: KafkaSettings) -> None:
    """A record by the producer of the stages, read by their broker."""
    topic = f"cdp.tests.run.{uuid4().hex[:8]}"
    admin = AIOKafkaAdminClient(**client_options(settings))
    await admin.start()
    await admin.create_topics([NewTopic(topic, 1, 1)])
    await admin.close()
    producer = KafkaProducer(settings)
    await producer.send([Outgoing(topic, None, b"over TLS")])
    await producer.ping()
    await producer.close()
    broker, came = PatientBroker(settings), asyncio.get_running_loop().create_future()

    @broker.subscriber(topic, auto_offset_reset="earliest")
    async def read(body: bytes) -> None:
        came.set_result(body)

    await broker.start()
    try:
        assert await asyncio.wait_for(came, 15) == b"over TLS"
    finally:
        await broker.stop()


@pytest.mark.parametrize("mechanism", ["PLAIN", "SCRAM-SHA-512"])
async def test_kafka_is_reached_with_credentials_over_tls(servers: Secured, mechanism: str) -> None:
    await there_and_back(kafka(servers, sasl_mechanism=mechanism))


async def test_kafka_is_reached_with_a_certificate_of_our_own(servers: Secured) -> None:
    await there_and_back(mutual(servers))
    without = mutual(servers).model_copy(update={"cert_file": None})
    with pytest.raises(Away):
        await KafkaProducer(without).ping()


@pytest.mark.parametrize("mechanism", ["PLAIN", "SCRAM-SHA-512"])
async def test_wrong_credentials_for_kafka_are_named(
    servers: Secured, mechanism: str, caplog: pytest.LogCaptureFixture
) -> None:
    wrong = kafka(servers, sasl_mechanism=mechanism, sasl_password="canary-of-a-wrong-one")
    assert REFUSED.format("KAFKA_SASL_") in await fault_of(wrong)
    producer = KafkaProducer(wrong)
    with pytest.raises(Away, match="CDP_KAFKA_SASL_PASSWORD") as told:
        await producer.send([Outgoing("cdp.tests.run", None, b"1")])
    await producer.close()
    waiting = asyncio.create_task(reachable(wrong))
    async with asyncio.timeout(10):
        while "waiting for Kafka: it " + REFUSED.format("KAFKA_SASL_") not in caplog.text:
            await asyncio.sleep(0.02)
    assert not waiting.done()
    waiting.cancel()
    assert "canary" not in caplog.text + str(told.value)


@pytest.mark.parametrize("changes", [{"ca_file": "stranger"}, {"bootstrap": "localhost"}, {"ca_file": None}])
async def test_a_certificate_of_kafka_that_is_not_trusted_is_named(
    servers: Secured, changes: dict[str, str | None]
) -> None:
    settings = kafka(servers, **meant(changes, servers, servers.kafka.sasl_port))
    assert UNTRUSTED.format("KAFKA_") in await fault_of(settings)


def meant(changes: dict[str, str | None], servers: Secured, port: int) -> dict[str, Path | str | None]:
    """Which file or address is meant."""
    words = {"stranger": servers.stranger, "localhost": f"localhost:{port}"}
    return {name: words[value] if value else None for name, value in changes.items()}


async def test_mongo_is_reached_with_credentials_over_tls(servers: Secured) -> None:
    client = mongo_client(mongo(servers))
    await client.test.things.insert_one({"_id": 1})
    assert await client.test.things.find_one({"_id": 1}) == {"_id": 1}
    client.close()


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({"password": "canary-of-a-wrong-one"}, REFUSED),
        ({"username": None, "password": None}, REFUSED),
        ({"ca_file": "stranger"}, UNTRUSTED),
        ({"ca_file": None, "url": "tls"}, UNTRUSTED),
    ],
)
async def test_what_mongo_does_not_take_is_named_and_waited_for(
    servers: Secured, changes: dict[str, Any], reason: str
) -> None:
    words = {"stranger": servers.stranger, "tls": f"{servers.mongo.url}&tls=true"}
    client = mongo_client(mongo(servers, **{name: words.get(value, value) for name, value in changes.items()}))
    with pytest.raises(Exception) as told:  # noqa: PT011  # which one it is, is the driver's
        await client.test.things.find_one({})
    client.close()
    assert reason.format("MONGO_") in reason_of(told.value)
    assert await is_away(told.value, ())


async def test_redis_is_reached_with_a_password_over_tls(servers: Secured) -> None:
    for cert_file in (None, servers.client):
        async with redis_client(redis(servers, cert_file=cert_file)) as client:
            assert await client.set("thing", "1")


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({"password": "canary-of-a-wrong-one"}, REFUSED),
        ({"password": None}, REFUSED),
        ({"ca_file": "stranger"}, UNTRUSTED),
        ({"ca_file": None}, UNTRUSTED),
        ({"url": "localhost"}, UNTRUSTED),
    ],
)
async def test_what_redis_does_not_take_is_named_and_waited_for(
    servers: Secured, changes: dict[str, Any], reason: str
) -> None:
    words = {"stranger": servers.stranger, "localhost": f"rediss://localhost:{servers.redis.port}/0"}
    async with redis_client(redis(servers, **{n: words.get(v, v) for n, v in changes.items()})) as client:
        with pytest.raises(Exception) as told:  # noqa: PT011  # which one it is, is the driver's
            await client.get("thing")
    assert reason.format("REDIS_") in reason_of(told.value)
    assert await is_away(told.value, ())

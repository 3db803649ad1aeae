"""Connections to Kafka with settings that lose nothing."""

from __future__ import annotations

import asyncio
import logging
import ssl
from collections.abc import Coroutine, Sequence
from typing import Any, Final, TypeAlias

from aiokafka import AIOKafkaConsumer, AIOKafkaProducer
from aiokafka.client import AIOKafkaClient
from aiokafka.conn import collect_hosts, create_conn
from aiokafka.errors import KafkaError, KafkaTimeoutError
from faststream.kafka import KafkaBroker
from faststream.security import BaseSecurity, SASLPlaintext, SASLScram256, SASLScram512

from cdp_runtime.failures import Away, reason_of
from cdp_runtime.kafka_sends import (
    BATCH_BYTES,
    LARGEST,
    Sending,
    first_failure,
    in_batches,
    one_by_one,
    partition_of,
)
from cdp_runtime.settings import KafkaSettings, tls_context
from cdp_runtime.transport import Outgoing, TooLarge

Options: TypeAlias = dict[str, Any]  # keyword arguments of aiokafka's clients

log: Final = logging.getLogger("cdp.kafka")

MANY: Final = 50  # records at once, from which on making batches of them pays
START_SECONDS: Final = 60.0
TURN_SECONDS: Final = 0.1


def client_options(settings: KafkaSettings) -> Options:
    """What every aiokafka client needs to reach the broker."""
    options: Options = {
        "bootstrap_servers": settings.bootstrap,
        "security_protocol": settings.security_protocol,
    }
    if settings.security_protocol.endswith("SSL"):
        options["ssl_context"] = ssl_context(settings)
    if settings.security_protocol.startswith("SASL"):
        options["sasl_mechanism"] = settings.sasl_mechanism
        options["sasl_plain_username"] = settings.sasl_username
        options["sasl_plain_password"] = password(settings)
    return options


def ssl_context(settings: KafkaSettings) -> ssl.SSLContext:
    """Of the files that are set."""
    return tls_context(settings.ca_file, settings.cert_file)


def password(settings: KafkaSettings) -> str:
    """The SASL password in clear."""
    return settings.sasl_password.get_secret_value() if settings.sasl_password else ""


def security(settings: KafkaSettings) -> BaseSecurity | None:
    """The same for FastStream."""
    if settings.security_protocol == "PLAINTEXT":
        return None
    context = ssl_context(settings) if settings.security_protocol.endswith("SSL") else None
    if settings.security_protocol == "SSL":
        return BaseSecurity(ssl_context=context, use_ssl=True)
    kinds = {"PLAIN": SASLPlaintext, "SCRAM-SHA-256": SASLScram256, "SCRAM-SHA-512": SASLScram512}
    return kinds[settings.sasl_mechanism](
        username=settings.sasl_username or "",
        password=password(settings),
        ssl_context=context,
        use_ssl=context is not None,
    )


class PatientBroker(KafkaBroker):
    """A FastStream broker that waits for Kafka instead of ending the process when it is away at start."""

    def __init__(self, settings: KafkaSettings) -> None:
        self._settings = settings
        super().__init__(
            settings.bootstrap,
            security=security(settings),
            consumer_only=True,
            allow_auto_create_topics=False,
            apply_types=False,
            graceful_timeout=settings.drain_seconds,
            logger=None,
        )

    async def start(self) -> None:
        """Connect once Kafka answers, from the beginning if it goes away meanwhile."""
        while True:
            await reachable(self._settings)
            if await ends_well(super().start(), START_SECONDS):
                return
            for subscriber in self.subscribers:
                await ends_well(subscriber.stop(), self._settings.drain_seconds)


async def ends_well(action: Coroutine[Any, Any, None], seconds: float) -> bool:
    """Whether it comes to an end in time and without a fault of the broker's.

    It runs in a task of its own: a consumer that is stopped while its fetch waits for the next try lets out the
    cancellation that it began itself (aiokafka 0.14), which is nobody's wish here.
    """
    task = asyncio.create_task(action)
    try:
        await asyncio.wait({task}, timeout=seconds)
    finally:
        task.cancel()
    if not task.done():
        log.warning("Kafka: gave up after %d s", seconds)
        return False
    if task.cancelled():
        return False
    error = task.exception()
    if error and not isinstance(error, KafkaError | OSError | RuntimeError):
        raise error
    if error:
        log.warning("Kafka: %s", type(error).__name__)
    return error is None


async def reachable(settings: KafkaSettings) -> None:
    """Return once the broker answers; wait for it as long as it takes."""
    while True:
        client = AIOKafkaClient(**client_options(settings))
        try:
            await client.bootstrap()
        except (KafkaError, OSError):
            log.warning("waiting for Kafka: %s", await fault_of(settings))
            await asyncio.sleep(0.5)
        else:
            return
        finally:
            await client.close()


async def fault_of(settings: KafkaSettings) -> str:
    """Why the first broker that is named does not take us in, and the setting to look at. Holds no secret."""
    host, port, _ = collect_hosts(settings.bootstrap)[0]
    options = {name: value for name, value in client_options(settings).items() if name != "bootstrap_servers"}
    try:
        connection = await create_conn(host, port, request_timeout_ms=5000, **options)
    except (KafkaError, OSError) as error:
        return reason_of(error)
    connection.close()
    return "the first broker answers"


class KafkaProducer:
    """The producer port on Kafka: acks from all in-sync replicas, idempotent, keyed like every Java client."""

    def __init__(self, settings: KafkaSettings) -> None:
        self._settings = settings
        self._producer: AIOKafkaProducer | None = None
        self._lock = asyncio.Lock()

    async def send(self, records: Sequence[Outgoing]) -> None:
        """See transport.Producer. Raises Away when no record is acknowledged for as long as `send_seconds`.

        Those that were on their way may still be written, all others are not.
        """
        producer = await self._started()
        sends: list[Sending] = []
        failure: Exception | None = None
        try:
            await (in_batches if len(records) >= MANY else one_by_one)(producer, records, sends)
        except (TooLarge, KafkaError, OSError) as error:
            failure = error
        unanswered = await first_failure(sends, self._settings.send_seconds)
        failure = failure or unanswered
        if isinstance(failure, TooLarge):
            raise failure
        if failure is not None:
            await self._discard(producer)
            raise Away("the broker did not acknowledge") from failure

    async def ping(self) -> None:
        """Raise Away if the broker does not answer."""
        client = AIOKafkaClient(**client_options(self._settings))
        try:
            await client.bootstrap()
        except (KafkaError, OSError) as error:
            raise Away("the broker does not answer") from error
        finally:
            await client.close()

    async def close(self) -> None:
        """Write what is pending, unless that takes longer than `send_seconds`, and disconnect."""
        producer, self._producer = self._producer, None
        if producer and not await ends_well(producer.stop(), self._settings.send_seconds):
            await abandon(producer)

    async def _started(self) -> AIOKafkaProducer:
        async with self._lock:
            if self._producer is None:
                producer = AIOKafkaProducer(
                    **client_options(self._settings),
                    acks="all",
                    enable_idempotence=self._settings.idempotent,
                    max_batch_size=BATCH_BYTES,
                    max_request_size=LARGEST,
                    linger_ms=0,  # a stage hands over whole batches: waiting for more would only be late
                    partitioner=partition_of,
                    request_timeout_ms=int(self._settings.send_seconds * 1000),
                )
                try:
                    async with asyncio.timeout(START_SECONDS):  # it would ask for its id for ever
                        await producer.start()
                except (KafkaError, OSError) as error:
                    await producer.stop()
                    raise Away(f"the broker does not answer: {await fault_of(self._settings)}") from error
                self._producer = producer
            return self._producer

    async def _discard(self, producer: AIOKafkaProducer) -> None:
        """An idempotent producer that lost a batch may never recover: begin again with a new one."""
        async with self._lock:
            if self._producer is producer:
                self._producer = None
        await abandon(producer)


async def abandon(producer: AIOKafkaProducer) -> None:
    """End a producer without what it has not sent yet. Its own `stop` would wait for that, for ever if need be."""
    sending = producer._sender.sender_task  # noqa: SLF001  # nothing public ends an idempotent producer's tries
    while not sending.done():
        sending.cancel()  # the first time it goes on waiting for requests on their way
        await asyncio.wait({sending}, timeout=TURN_SECONDS)
    producer._message_accumulator.fail_all(KafkaTimeoutError())  # noqa: SLF001  # who waits for it is told
    await producer.stop()
    await producer.client.close()


def given_up(consumer: AIOKafkaConsumer) -> bool:
    """Whether the task has ended that keeps a consumer in its group. It never comes back: every fetch fails."""
    coordinator = getattr(consumer, "_coordinator", None)  # nothing public tells it
    coordination = getattr(coordinator, "_coordination_task", None)
    if coordination is None or not coordination.done():
        return False
    if not coordination.cancelled() and (error := coordination.exception()):
        log.warning("a consumer gave up its group: %s", type(error).__name__)
    return True

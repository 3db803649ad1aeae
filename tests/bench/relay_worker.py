"""Relays one topic to another: read, validate, write out, commit. Three implementations of the same work.

Run as `python -m tests.bench.relay_worker <ours|aiokafka|quixstreams> <bootstrap> <source> <target>`; runs until
it is ended. The consumer group is named like the target, so that every round reads from the beginning.
"""

from __future__ import annotations

import asyncio
import sys
from typing import Any

import uvloop
from cdp_contracts.events_v1 import EventValidated
from cdp_contracts.topics import Topic


def copies(source: str, target: str) -> tuple[Topic[EventValidated], Topic[EventValidated]]:
    """The two topics of the relay; the model is the real one of `cdp.events.validated.v1`."""

    def topic(name: str) -> Topic[EventValidated]:
        return Topic(
            name=name, model=EventValidated, key="subject", owner="bench", description="", producers=("bench",),
            consumers=("bench",), retention_hours=1,
        )  # fmt: skip

    return topic(source), topic(target)


def ours(bootstrap: str, source: str, target: str) -> None:
    """A stage, in the role that production builds."""
    import uvicorn
    from cdp_runtime.app import role
    from cdp_runtime.batch import Batch
    from cdp_runtime.settings import KafkaSettings
    from cdp_runtime.stage import Stage

    reads, emits = copies(source, target)

    async def relay(batch: Batch[EventValidated]) -> None:
        for event in batch:
            batch.emit(event, cause=event)

    app = role(
        f"bench-{target}",
        kafka=KafkaSettings(bootstrap=bootstrap),
        stages=[Stage(relay, reads=reads, emits=[emits])],
    )
    uvicorn.run(app, port=0, log_level="error", loop="uvloop")


def aiokafka(bootstrap: str, source: str, target: str) -> None:
    """The same with nothing but aiokafka, as its documentation would have it, tuned like ours."""
    from aiokafka import AIOKafkaConsumer, AIOKafkaProducer, TopicPartition

    async def run() -> None:
        consumer = AIOKafkaConsumer(
            source, bootstrap_servers=bootstrap, group_id=target, enable_auto_commit=False,
            auto_offset_reset="earliest",
        )  # fmt: skip
        producer = AIOKafkaProducer(
            bootstrap_servers=bootstrap,
            acks="all",
            enable_idempotence=True,
            linger_ms=0,
            max_batch_size=512 * 1024,
        )
        await consumer.start()
        await producer.start()
        while True:
            fetched: dict[TopicPartition, list[Any]] = await consumer.getmany(timeout_ms=200, max_records=2000)
            sends = []
            for records in fetched.values():
                for record in records:
                    event = EventValidated.model_validate_json(record.value)
                    value = event.model_dump_json().encode()
                    sends.append(await producer.send(target, value, key=event.subject.encode()))
            await asyncio.gather(*sends)
            if fetched:
                await consumer.commit({tp: records[-1].offset + 1 for tp, records in fetched.items()})

    uvloop.run(run())


def quixstreams(bootstrap: str, source: str, target: str) -> None:
    """The same as a Quix Streams application on librdkafka, at least once."""
    from quixstreams import Application

    app = Application(
        broker_address=bootstrap, consumer_group=target, auto_offset_reset="earliest", auto_create_topics=False,
        loglevel="ERROR", producer_extra_config={"acks": "all", "enable.idempotence": True, "linger.ms": 5},
    )  # fmt: skip
    reads = app.topic(source, value_deserializer="bytes", key_deserializer="bytes")
    writes = app.topic(target, value_serializer="bytes", key_serializer="bytes")
    stream = app.dataframe(reads)
    stream = stream.apply(lambda value: EventValidated.model_validate_json(value).model_dump_json().encode())
    stream.to_topic(writes)
    app.run()


WORKERS = {"ours": ours, "aiokafka": aiokafka, "quixstreams": quixstreams}

if __name__ == "__main__":
    WORKERS[sys.argv[1]](*sys.argv[2:])

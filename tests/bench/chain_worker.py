"""One hop of a chain with nothing in it but the drivers: what any five services on this stack must pay at least.

Run as `python -m tests.bench.chain_worker <hop> <bootstrap> <mongo> <redis> <database>`; runs until it is ended.
Each hop reads a topic, validates, does its round trips, writes the next topic and commits, with aiokafka, Motor
and redis-py as their documentation would have it. Nothing is decided, nothing is safe twice, nothing is traced.
"""

from __future__ import annotations

import asyncio
import sys
from collections.abc import Awaitable, Callable
from typing import Any, Final, TypeAlias

import uvloop
from aiokafka import AIOKafkaConsumer, AIOKafkaProducer
from cdp_contracts.events_v1 import EventValidated
from motor.motor_asyncio import AsyncIOMotorClient
from pymongo import ReplaceOne
from redis.asyncio import Redis

Work: TypeAlias = Callable[[list[EventValidated]], Awaitable[None]]

HOPS: Final = ("deduplicate", "look-up", "look-up", "read-and-write", "read-and-write")
PADDING: Final = "x" * 1_000
DAY: Final = 86_400


def topic(database: str, hop: int) -> str:
    """The topic that a hop reads."""
    return f"{database}.{hop}"


def work_of(kind: str, collection: Any, redis: Any) -> Work:
    """The round trips of a hop: one or two a batch, as in the services."""

    async def deduplicate(events: list[EventValidated]) -> None:
        pipeline = redis.pipeline(transaction=False)
        for event in events:
            pipeline.set(event.message_id, "1", nx=True, ex=DAY)
        await pipeline.execute()

    async def look_up(events: list[EventValidated]) -> None:
        await collection.find({"_id": {"$in": list({event.subject for event in events})}}).to_list(None)

    async def read_and_write(events: list[EventValidated]) -> None:
        await look_up(events)
        documents = {event.subject: {"_id": event.subject, "is": PADDING} for event in events}
        replacements = [ReplaceOne({"_id": key}, document, upsert=True) for key, document in documents.items()]
        await collection.bulk_write(replacements, ordered=False)

    return {"deduplicate": deduplicate, "look-up": look_up, "read-and-write": read_and_write}[kind]


async def run(hop: int, bootstrap: str, mongo: str, redis: str, database: str) -> None:
    """Read, validate, work, write, commit; for ever."""
    consumer = AIOKafkaConsumer(
        topic(database, hop), bootstrap_servers=bootstrap, group_id=f"{database}-{hop}", enable_auto_commit=False,
        auto_offset_reset="earliest",
    )  # fmt: skip
    producer = AIOKafkaProducer(
        bootstrap_servers=bootstrap, acks="all", enable_idempotence=True, linger_ms=0, max_batch_size=512 * 1024
    )
    collection = AsyncIOMotorClient(mongo)[database][f"hop-{hop}"]
    work = work_of(HOPS[hop], collection, Redis.from_url(redis))
    await consumer.start()
    await producer.start()
    while True:
        fetched = await consumer.getmany(timeout_ms=200, max_records=2000)
        events = [EventValidated.model_validate_json(r.value) for records in fetched.values() for r in records]
        if events:
            await work(events)
            await write(producer, topic(database, hop + 1), events)
            await consumer.commit({tp: records[-1].offset + 1 for tp, records in fetched.items()})


async def write(producer: AIOKafkaProducer, target: str, events: list[EventValidated]) -> None:
    """To the next hop, acknowledged."""
    sends = [
        await producer.send(target, event.model_dump_json().encode(), key=event.subject.encode())
        for event in events
    ]
    await asyncio.gather(*sends)


if __name__ == "__main__":
    uvloop.run(run(int(sys.argv[1]), *sys.argv[2:]))

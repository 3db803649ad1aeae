"""What a resolver on these servers must pay at least: the reads, as many new documents, and nothing decided.

Run as `python -m tests.bench.identity_worker <bootstrap> <mongo> <target>`; runs until it is ended. Nothing is
safe twice: no links, no claims, no union, no limit, no trace.
"""

from __future__ import annotations

import asyncio
import sys
from typing import Any

import uvloop
from aiokafka import AIOKafkaConsumer, AIOKafkaProducer
from cdp_contracts.envelope import derived_id
from cdp_contracts.events_v1 import EventPermitted
from cdp_contracts.topics import EVENTS_PERMITTED
from motor.motor_asyncio import AsyncIOMotorClient

from tests.bench.identity import bare_lookup
from tests.bench.town import sightings


async def run(bootstrap: str, mongo: str, target: str) -> None:
    """Read, validate, look up, store, write, commit; for ever."""
    consumer: Any = AIOKafkaConsumer(
        EVENTS_PERMITTED.name, bootstrap_servers=bootstrap, group_id=target, enable_auto_commit=False,
        auto_offset_reset="earliest", session_timeout_ms=60_000,
    )  # fmt: skip
    producer = AIOKafkaProducer(
        bootstrap_servers=bootstrap, acks="all", enable_idempotence=True, linger_ms=0, max_batch_size=512 * 1024
    )
    database: Any = AsyncIOMotorClient(mongo)["bare_identity"]
    await consumer.start()
    await producer.start()
    while True:
        fetched = await consumer.getmany(timeout_ms=200, max_records=2000)
        events = [EventPermitted.model_validate_json(r.value) for records in fetched.values() for r in records]
        if not events:
            continue
        names = [[identifier.pseudonym for identifier in each.identifiers] for each in sightings(events)]
        await bare_lookup(database, names)
        sends = [
            await producer.send(
                target,
                event.model_dump_json().encode(),
                key=each[0].encode(),
                headers=[("ce_id", str(derived_id(event.id, "resolved")).encode())],
            )
            for event, each in zip(events, names, strict=True)
        ]
        await asyncio.gather(*sends)
        await consumer.commit({tp: records[-1].offset + 1 for tp, records in fetched.items() if records})


if __name__ == "__main__":
    uvloop.run(run(*sys.argv[1:]))

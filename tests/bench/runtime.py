"""The runtime's own share of a message: CPU from the fetched record to its acknowledged offset.

Decode, batch, emit, encode, count and note for the commit; no domain, no store, no socket. What JSON and pydantic
alone take for the same bytes, in and out, is beside it. Needs no server: `python -m tests.bench runtime`.
"""

from __future__ import annotations

import asyncio
import gc
import time
from collections.abc import Sequence
from pathlib import Path
from statistics import median
from typing import Final

from aiokafka import ConsumerRecord
from cdp_contracts.events_v1 import EventValidated
from cdp_contracts.topics import Topic
from cdp_runtime.batch import Batch
from cdp_runtime.clock import SystemClock
from cdp_runtime.kafka_progress import Progress
from cdp_runtime.kafka_records import incoming
from cdp_runtime.runner import StageRunner
from cdp_runtime.stage import Stage
from cdp_runtime.transport import Outgoing

from tests.bench.report import Row, spread

EXAMPLE: Final = Path("contracts/examples/cdp.events.validated.v1/track.json")
HEADERS: Final = (
    ("ce_specversion", b"1.0"), ("ce_type", b"t"), ("ce_source", b"s"), ("content-type", b"application/json"),
    ("ce_id", b"0" * 36), ("ce_time", b"2026-01-05T12:00:00+00:00"),
    ("traceparent", b"00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-00"),
)  # fmt: skip
SIZES: Final = (1, 10, 100, 1_000)
MESSAGES: Final = 1_000
ROUNDS: Final = 15


class Acknowledging:
    """A broker that has everything at once."""

    async def send(self, records: Sequence[Outgoing]) -> None:
        """Nothing is in its way."""

    async def ping(self) -> None:
        """It is always there."""


def rows() -> list[Row]:
    """One for each size of batch."""
    value = EventValidated.model_validate_json(EXAMPLE.read_bytes()).model_dump_json().encode()
    return [asyncio.run(row(value, size)) for size in SIZES]


async def row(value: bytes, size: int) -> Row:
    """Rounds of ours and of the bare work by turns, so that both meet the same machine."""
    share, bare = Share(value, size), []
    ours: list[float] = []
    await share.round()
    for _ in range(ROUNDS):
        gc.collect()
        started = time.process_time()
        await share.round()
        between = time.process_time()
        for _ in range(MESSAGES):
            EventValidated.model_validate_json(value).model_dump_json().encode()
        bare.append(1e6 * (time.process_time() - between) / MESSAGES)
        ours.append(1e6 * (between - started) / MESSAGES)
    ratio = median(mine / plain for mine, plain in zip(ours, bare, strict=True))
    name = f"CPU in the runtime, {size:,} in a batch"
    return Row(name, median(ours), "us a message", spread(ours), median(bare), "JSON and pydantic alone", ratio)


class Share:
    """A stage that hands on what it reads, as the Kafka adapter runs it."""

    def __init__(self, value: bytes, size: int) -> None:
        reads, emits = topic("in"), topic("out")
        self._runner = StageRunner(
            Stage(hand_on, reads=reads, emits=[emits]), role="bench-worker", producer=Acknowledging(),
            clock=SystemClock(),
        )  # fmt: skip
        self._progress = Progress("bench")
        self._batches = [
            [record(reads.name, offset, value) for offset in range(start, start + size)]
            for start in range(0, MESSAGES, size)
        ]

    async def round(self) -> None:
        """All messages once."""
        for batch in self._batches:
            records = [incoming(fetched) for fetched in batch]
            await self._runner.process(records)
            self._progress.note(records)


async def hand_on(batch: Batch[EventValidated]) -> None:
    """Emit each message from itself."""
    for event in batch:
        batch.emit(event, cause=event)


def topic(name: str) -> Topic[EventValidated]:
    """Of the real model, with a name of its own."""
    return Topic(
        name=f"bench.messages.{name}.v1", model=EventValidated, key="subject", owner="bench", description="",
        producers=("bench",), consumers=("bench",), retention_hours=1,
    )  # fmt: skip


def record(name: str, offset: int, value: bytes) -> ConsumerRecord[bytes, bytes]:
    """As aiokafka gives it."""
    now = int(time.time() * 1000)
    return ConsumerRecord(name, offset % 6, offset, now, 0, b"k" * 32, value, None, 32, len(value), HEADERS)


if __name__ == "__main__":
    for one in rows():
        print(f"{one.name:<40}{one.ours:8.1f} {one.unit} ({one.spread}), of {one.peer_name} {one.ratio:.2f} times")

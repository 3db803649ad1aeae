"""Reads the ledger of a running platform off its broker, and shows it."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from datetime import datetime, timedelta
from typing import Final

from aiokafka import AIOKafkaConsumer, TopicPartition
from cdp_runtime.kafka_client import client_options
from cdp_runtime.settings import KafkaSettings

from cdp_cli.ledger import HOPS, OUTCOMES, Hop, Line, Row, balance, line_of
from cdp_cli.records import read_to_end

WIDTH: Final = 38
CLOCKS_DIFFER: Final = timedelta(minutes=1)
COPIES_COME: Final = timedelta(days=1)


async def ledger(settings: KafkaSettings, now: datetime, minutes: float | None = None) -> list[Row]:
    """A row a hop, of all that is kept, or of what came in the last minutes. Nothing is changed, no group joined.

    Traffic may go on meanwhile: commits are asked for first, then topics are read in the order of the flow.
    Records as old as what follows from them may become are left out, for that may be gone. Holds an entry of some
    hundred bytes for each record.
    """
    committed = {hop.group: await commits(settings, hop) for hop in HOPS}
    since = now - timedelta(minutes=minutes) if minutes else None
    topics: dict[str, list[Line]] = {}
    for name in dict.fromkeys(name for hop in HOPS for name in (hop.reads.name, *hop.outputs)):
        records = read_to_end(settings, [name], since and since - slack(name))
        topics[name] = [line_of(record) async for record in records]
    rows = []
    for hop in HOPS:
        read = recent(topics[hop.reads.name], hop, now, since)
        rows.append(balance(hop, {**topics, hop.reads.name: read}, committed[hop.group]))
    return rows


def slack(topic: str) -> timedelta:
    """How much earlier than a record what tells its outcome may stand: clocks differ, and copies come later."""
    return COPIES_COME if topic in HOPS[0].outputs else CLOCKS_DIFFER


def recent(lines: Sequence[Line], hop: Hop, now: datetime, since: datetime | None) -> list[Line]:
    """The records of which something must still be there."""
    kept = [timedelta(hours=topic.retention_hours) for topic in hop.writes if topic.retention_hours]
    after = max([now - hours for hours in kept] + ([since] if since else []), default=None)
    return [line for line in lines if after is None or line.at > after]


async def commits(settings: KafkaSettings, hop: Hop) -> Mapping[int, int]:
    """How far the group of a hop has committed each partition."""
    consumer = AIOKafkaConsumer(**client_options(settings), group_id=hop.group, enable_auto_commit=False)
    try:
        await consumer.start()
        await consumer._client.force_metadata_update()  # noqa: SLF001  # aiokafka has no public refresh
        partitions = consumer.partitions_for_topic(hop.reads.name) or ()
        return {n: await consumer.committed(TopicPartition(hop.reads.name, n)) or 0 for n in partitions}
    finally:
        await consumer.stop()


def table(rows: Sequence[Row]) -> Iterator[str]:
    """The ledger for a person."""
    yield f"{'hop':<{WIDTH}}{'in':>11}" + "".join(f"{outcome:>15}" for outcome in OUTCOMES)
    for row in rows:
        counts = "".join(f"{row.outcomes[outcome]:>15,}" for outcome in OUTCOMES)
        yield f"{row.hop.group:<{WIDTH}}{row.read:>11,}{counts}"
    for row in rows:
        yield from (f"lost: {place}, read by {row.hop.group}" for place in row.lost)
    yield "it balances" if all(row.balanced for row in rows) else "it does not balance"


def as_objects(rows: Sequence[Row]) -> list[dict[str, object]]:
    """The ledger for a program."""
    return [
        {"hop": row.hop.group, "in": row.read, "lost_at": row.lost} | {str(o): n for o, n in row.outcomes.items()}
        for row in rows
    ]

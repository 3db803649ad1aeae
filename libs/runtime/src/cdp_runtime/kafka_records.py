"""Kafka's records as the port has them."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from functools import lru_cache
from typing import Any, Final

from aiokafka import ConsumerRecord

from cdp_runtime.transport import Incoming

EPOCH: Final = datetime.fromtimestamp(0, UTC)
LATEST_MS: Final = 253_402_300_799_000


def incoming(record: ConsumerRecord[Any, Any]) -> Incoming:
    """The record as the port has it."""
    return Incoming(
        record.topic,
        record.partition,
        record.offset,
        moment_of(record.timestamp),
        record.key,
        record.value,
        tuple(record.headers),
    )


@lru_cache(maxsize=1024)
def moment_of(milliseconds: int) -> datetime:
    """The instant of a record's timestamp; the nearest there is, for a producer may write any number."""
    return EPOCH + timedelta(milliseconds=min(max(milliseconds, 0), LATEST_MS))

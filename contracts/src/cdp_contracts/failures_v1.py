"""Why a message could not be handled. The message itself follows untouched in the dead letter's value."""

from __future__ import annotations

from typing import Final

REASON: Final = "cdp_reason"
SERVICE: Final = "cdp_service"
STAGE: Final = "cdp_stage"
SOURCE_TOPIC: Final = "cdp_source_topic"
SOURCE_PARTITION: Final = "cdp_source_partition"
SOURCE_OFFSET: Final = "cdp_source_offset"
SOURCE_TIME: Final = "cdp_source_time"
ATTEMPTS: Final = "cdp_attempts"
FAILED_AT: Final = "cdp_failed_at"

DEAD_LETTER_HEADERS: Final = (
    REASON,
    SERVICE,
    STAGE,
    SOURCE_TOPIC,
    SOURCE_PARTITION,
    SOURCE_OFFSET,
    SOURCE_TIME,
    ATTEMPTS,
    FAILED_AT,
)

ORIGIN_HEADERS: Final = (SOURCE_TOPIC, SOURCE_PARTITION, SOURCE_OFFSET, SOURCE_TIME)
"""Where and when a record first stood in its topic; a replayed letter keeps them."""

SETTLED: Final = "cdp_settled"
SETTLED_PARTITION: Final = "cdp_settled_partition"
SETTLED_OFFSET: Final = "cdp_settled_offset"
SETTLED_BY: Final = "cdp_settled_by"
SETTLED_BECAUSE: Final = "cdp_settled_because"
SETTLED_AT: Final = "cdp_settled_at"
"""A record in a dead-letter topic with these headers and a null value is no letter. It says that somebody has
replayed or dropped the letter at that partition and offset of the same topic; the letter's bytes stay until their
retention ends."""


def dead_letter_topic(source: str, service: str) -> str:
    """Where a service puts what it could not handle of a topic: its bytes and headers stay as they were."""
    return f"{source}.{service}.dlq"

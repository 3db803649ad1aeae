"""Why a message could not be handled. The message itself follows untouched in the dead letter's value."""

from __future__ import annotations

from typing import Final

REASON: Final = "cdp_reason"
SERVICE: Final = "cdp_service"
STAGE: Final = "cdp_stage"
SOURCE_TOPIC: Final = "cdp_source_topic"
SOURCE_PARTITION: Final = "cdp_source_partition"
SOURCE_OFFSET: Final = "cdp_source_offset"
ATTEMPTS: Final = "cdp_attempts"
FAILED_AT: Final = "cdp_failed_at"

DEAD_LETTER_HEADERS: Final = (
    REASON,
    SERVICE,
    STAGE,
    SOURCE_TOPIC,
    SOURCE_PARTITION,
    SOURCE_OFFSET,
    ATTEMPTS,
    FAILED_AT,
)


def dead_letter_topic(source: str, service: str) -> str:
    """Where a service puts what it could not handle of a topic: its bytes and headers stay as they were."""
    return f"{source}.{service}.dlq"

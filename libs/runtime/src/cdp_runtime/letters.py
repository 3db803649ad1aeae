"""Dead letters: the untouched record, with headers that say what happened to it."""

from __future__ import annotations

from datetime import datetime

from cdp_contracts import failures_v1 as f
from pydantic import ValidationError

from cdp_runtime.batch import DeadLetter, origin_of
from cdp_runtime.transport import Outgoing


def dead_letter(letter: DeadLetter, *, topic: str, role: str, stage: str, now: datetime) -> Outgoing:
    """The record to write. The same letter written twice differs in its time alone.

    A letter that was put back and failed again still says where it came from first.
    """
    record = letter.record
    origin = origin_of(record)
    kept = tuple(header for header in record.headers if header[0] not in f.DEAD_LETTER_HEADERS)
    said = {
        f.REASON: letter.reason,
        f.SERVICE: role,
        f.STAGE: stage,
        f.SOURCE_TOPIC: origin.topic,
        f.SOURCE_PARTITION: str(origin.partition),
        f.SOURCE_OFFSET: str(origin.offset),
        f.SOURCE_TIME: origin.timestamp.isoformat(),
        f.ATTEMPTS: str(letter.attempts),
        f.FAILED_AT: now.isoformat(),
    }
    return Outgoing(topic, record.key, record.value, kept + tuple((k, v.encode()) for k, v in said.items()))


def poison_reason(error: Exception) -> str:
    """Why bytes are no message: the field and the rule, never the value."""
    if not isinstance(error, ValidationError):
        return type(error).__name__
    first = error.errors(include_url=False, include_context=False, include_input=False)[0]
    where = "/".join(str(part) for part in first["loc"])
    return f"{first['type']} at /{where}"

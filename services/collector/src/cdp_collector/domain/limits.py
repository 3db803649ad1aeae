"""The bounds that an event must keep."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta


@dataclass(frozen=True, slots=True, kw_only=True)
class Limits:
    """What is too much. The same for the edge and the validator, so that both say the same."""

    event_bytes: int = 32 * 1024
    batch_events: int = 2500
    depth: int = 32
    identifier_chars: int = 256
    name_chars: int = 200
    message_id_chars: int = 100
    clock_tolerance: timedelta = timedelta(seconds=5)
    future_tolerance: timedelta = timedelta(days=1)
    earliest: datetime = datetime(1990, 1, 1, tzinfo=UTC)
    old_after: timedelta = timedelta(days=730)

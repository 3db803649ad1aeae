"""What readers' numbers are read from, beside the records of single people."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from cdp_segments.census import Census, MemoryCensus
from cdp_segments.history.store import HistoryStore, MemoryHistoryStore
from cdp_segments.store import MemoryPersonStore

PREVIEW_SECONDS: Final = 10.0


@dataclass(frozen=True, slots=True)
class Reading:
    """Stores of the API, and how long a preview may take."""

    census: Census
    histories: HistoryStore
    preview_seconds: float = PREVIEW_SECONDS


def memory_reading(people: MemoryPersonStore) -> Reading:
    """Over stores in this process."""
    return Reading(MemoryCensus(people), MemoryHistoryStore())

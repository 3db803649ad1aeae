"""How punctual the clock is."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Final

from prometheus_client import Histogram

from cdp_segments.timers import Alarm

LATENESS: Final = Histogram(
    "cdp_timer_lateness_seconds",
    "From the instant a timer was set to until it was handled",
    buckets=(0.5, 1, 1.5, 2, 3, 5, 10, 30, 60, 300, 3600),
)


def observe_lateness(due: Iterable[Alarm], now: int) -> None:
    """Note each timer; `now` in milliseconds."""
    for alarm in due:
        LATENESS.observe(max(0, now - alarm.at) / 1000)

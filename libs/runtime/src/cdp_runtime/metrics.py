"""Every metric of the runtime, declared once. `infra/otel/names.yaml` lists them."""

from __future__ import annotations

from collections import Counter as Tally
from collections.abc import Iterable
from functools import cache
from typing import Final, TypeVar

from prometheus_client import Counter, Gauge, Histogram

Metric = TypeVar("Metric", Counter, Gauge, Histogram)

STAGE: Final = ("role", "stage")

CONSUMED: Final = Counter("cdp_messages_consumed", "Messages read and done with", (*STAGE, "topic"))
EMITTED: Final = Counter("cdp_messages_emitted", "Messages acknowledged by the broker", (*STAGE, "topic"))
DEAD_LETTERS: Final = Counter("cdp_dead_letters", "Messages set aside", (*STAGE, "reason"))
DUPLICATES: Final = Counter("cdp_duplicates", "Copies of messages that had come before", STAGE)
OUTCOMES: Final = Counter("cdp_message_outcomes", "Messages by what became of them", (*STAGE, "outcome"))
UNACCOUNTED: Final = Counter("cdp_unaccounted", "Messages nothing was said about: conservation is broken", STAGE)
IMBALANCE: Final = Gauge(
    "cdp_conservation_imbalance", "Messages handled less their outcomes since the start; 0 when whole", STAGE
)
RETRIES: Final = Counter("cdp_retries", "Runs of a batch that were repeated", (*STAGE, "kind"))
TIMERS: Final = Counter("cdp_timer_messages", "Messages that the clock caused", STAGE)
BATCH_SIZE: Final = Histogram(
    "cdp_batch_size_messages",
    "Messages in a batch",
    STAGE,
    buckets=(1, 2, 5, 10, 25, 50, 100, 250, 500, 1000, 2000),
)
BATCH_SECONDS: Final = Histogram("cdp_batch_seconds", "From fetch to the last acknowledgement of a batch", STAGE)
SINCE_RECEIVED: Final = Histogram(
    "cdp_since_received_seconds", "From the edge to the end of this stage", STAGE,
    buckets=(0.01, 0.025, 0.05, 0.1, 0.15, 0.2, 0.3, 0.5, 0.75, 1, 1.5, 2.5, 5, 10, 30, 60, 300, 3600),
)  # fmt: skip
BATCH_STARTED: Final = Gauge(
    "cdp_batch_started_timestamp_seconds", "When the batch in flight began, 0 if none", STAGE
)
LAG_SECONDS: Final = Gauge("cdp_lag_seconds", "Age of the oldest message not yet handled, 0 when caught up", STAGE)
HALTED: Final = Gauge("cdp_consumer_halted", "1 while the stage waits for a person", STAGE)
STALLED: Final = Gauge(
    "cdp_fetch_stalled_seconds", "Since the fetch loop went round, not counting what it waits for", STAGE
)
AWAY: Final = Gauge("cdp_resource_away", "1 while a store or the broker cannot be reached", STAGE)
BAD_DEFINITIONS: Final = Counter("cdp_bad_definitions", "Definitions that did not compile", ("topic",))
ROLE_READY: Final = Gauge("cdp_role_ready", "1 while the role can do its work", ("role",))
TABLE_READY: Final = Gauge("cdp_table_ready", "1 once a table of definitions can be used", ("role", "topic"))


@cache
def child(metric: Metric, *labels: str) -> Metric:
    """The series of a metric with these labels: what a batch touches a dozen of, looked up without their locks."""
    return metric.labels(*labels)


def count(counter: Counter, labels: tuple[str, ...], values: Iterable[str]) -> None:
    """Add one for each value, grouped so that a batch costs a few increments."""
    for value, total in Tally(values).items():
        child(counter, *labels, value).inc(total)

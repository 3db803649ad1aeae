"""The whole platform on one machine: latency at a fixed rate, the highest rate it sustains, the edge alone."""

from __future__ import annotations

import asyncio
import time
from dataclasses import dataclass
from typing import Final

import polars as pl
from cdp_devstack.listener import Heard, Listener
from cdp_devstack.running import Running

from tests.bench.load import Load, Sent
from tests.bench.report import Row, spread

SEGMENT: Final = "offer-seen"
BATCH: Final = 10
WARM_UP_SECONDS: Final = 8
SECONDS: Final = 20
FIXED_RATE: Final = 500
STEPS: Final = (250, 500, 750, 1000, 1500, 2000, 3000)
BEHIND: Final = 2.0
ROUNDS: Final = 2
EDGE_SECONDS: Final = 6
EDGE_WORKERS: Final = 8


@dataclass(frozen=True, slots=True)
class Outcome:
    """What came of a load: seconds from received to the subscriber, and whether it kept up."""

    sent: Sent
    seconds: pl.Series

    def quantile(self, q: float) -> float:
        """In milliseconds."""
        return 1000 * float(self.seconds.quantile(q, "nearest") or 0)

    @property
    def complete(self) -> bool:
        """Whether every event that must flip a membership did, and the edge refused nothing."""
        return len(self.seconds) == len(self.sent.flipping) and not self.sent.refused

    @property
    def kept_up(self) -> bool:
        """Whether the last tenth of the events came through as quickly as must be."""
        last = self.seconds.tail(max(1, len(self.seconds) // 10))
        return self.complete and float(last.max() or 0) < BEHIND  # type: ignore[arg-type]  # seconds are floats


async def rows(up: Running) -> list[Row]:
    """Latency first, then ever higher rates, then the edge by itself."""
    async with Listener(up.stack.kafka) as listener:
        await outcome(up, listener, 200, WARM_UP_SECONDS)
        fixed = [await outcome(up, listener, FIXED_RATE, SECONDS) for _ in range(ROUNDS)]
        highest, at_highest = await sustained(up, listener)
    p50, p99 = ([o.quantile(q) for o in fixed] for q in (0.5, 0.99))
    lost = sum(len(o.sent.flipping) - len(o.seconds) for o in fixed)
    note = f", {lost} lost" if lost else ""
    return [
        Row(f"received to membership, p50 at {FIXED_RATE}/s", median(p50), "ms" + note, spread(p50)),
        Row(f"received to membership, p99 at {FIXED_RATE}/s", median(p99), "ms" + note, spread(p99)),
        Row(
            "highest sustained rate, end to end",
            highest,
            "events/s",
            f"p99 {at_highest.quantile(0.99):,.0f} ms there",
        ),
        await edge(up, 1),
        await edge(up, 50),
    ]


async def outcome(up: Running, listener: Listener, rate: float, seconds: float) -> Outcome:
    """Run a load and wait for what it must bring about."""
    sent = await Load(up.url("collector-http"), BATCH).at_rate(rate, seconds)
    deadline = time.monotonic() + 60
    while len(found := arrivals(listener, sent)) < len(sent.flipping) and time.monotonic() < deadline:
        await asyncio.sleep(0.1)
    listener.heard.clear()
    return Outcome(sent, pl.Series([heard.seconds for heard in found]))


def arrivals(listener: Listener, sent: Sent) -> list[Heard]:
    """The entries that this load caused, in the order of arrival."""
    wanted = sent.flipping
    return [
        h for h in listener.heard
        if h.change.segment == SEGMENT and h.change.member and h.message.message_id in wanted
    ]  # fmt: skip


async def sustained(up: Running, listener: Listener) -> tuple[float, Outcome]:
    """The highest step that was kept up with; stops at the first that was not."""
    best = 0.0
    at_best: Outcome | None = None
    for rate in STEPS:
        reached = await outcome(up, listener, rate, SECONDS)
        print(
            f"    {rate}/s: p50 {reached.quantile(0.5):,.0f} ms, p99 {reached.quantile(0.99):,.0f} ms", flush=True
        )
        if not reached.kept_up:
            break
        best, at_best = rate, reached
    if at_best is None:
        raise RuntimeError(f"not even {STEPS[0]} events/s were sustained")
    return best, at_best


async def edge(up: Running, batch: int) -> Row:
    """Events a second at the HTTP edge, each request acknowledged by Kafka, while the services work them off."""
    url = up.url("collector-http")
    rates = [await Load(url, batch).closed(EDGE_WORKERS, EDGE_SECONDS) for _ in range(ROUNDS)]
    return Row(f"HTTP edge, batch of {batch}", median(rates), "events/s", spread(rates))


def median(values: list[float]) -> float:
    """The middle one."""
    return sorted(values)[len(values) // 2]

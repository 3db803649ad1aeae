"""The whole platform on one machine: latency at a fixed rate, the highest rate it sustains, the edge alone."""

from __future__ import annotations

import asyncio
import time
from functools import partial
from statistics import median
from typing import Final

import polars as pl
from cdp_devstack.listener import Heard, Listener
from cdp_devstack.running import Running

from tests.bench.load import Load, Sent
from tests.bench.open_loop import Findings, Outcome, find
from tests.bench.open_loop import rows as beside
from tests.bench.report import Row, spread

SEGMENT: Final = "offer-seen"
BATCH: Final = 10
ROUNDS: Final = 2
EDGE_SECONDS: Final = 6
EDGE_WORKERS: Final = 8


async def rows(up: Running, peer: Findings) -> list[Row]:
    """Latency and rate beside the peer's, then the edge by itself."""
    async with Listener(up.stack.kafka) as listener:
        ours = await find(partial(outcome, up, listener))
    return [*beside(ours, peer, "bare chain"), await edge(up, 1), await edge(up, 50)]


async def outcome(up: Running, listener: Listener, rate: float, seconds: float) -> Outcome:
    """Run a load and wait for what it must bring about."""
    sent = await Load(up.url("collector-http"), BATCH).at_rate(rate, seconds)
    deadline = time.monotonic() + 60
    while len(found := arrivals(listener, sent)) < len(sent.flipping) and time.monotonic() < deadline:
        await asyncio.sleep(0.1)
    listener.heard.clear()
    return Outcome(
        pl.Series([heard.seconds for heard in found]),
        complete=len(found) == len(sent.flipping) and not sent.refused,
    )


def arrivals(listener: Listener, sent: Sent) -> list[Heard]:
    """The entries that this load caused, in the order of arrival."""
    wanted = sent.flipping
    return [
        h for h in listener.heard
        if h.change.segment == SEGMENT and h.change.member and h.message.message_id in wanted
    ]  # fmt: skip


async def edge(up: Running, batch: int) -> Row:
    """Events a second at the HTTP edge, each request acknowledged by Kafka, while the services work them off."""
    url = up.url("collector-http")
    rates = [await Load(url, batch).closed(EDGE_WORKERS, EDGE_SECONDS) for _ in range(ROUNDS)]
    return Row(f"HTTP edge, batch of {batch}", median(rates), "events/s", spread(rates))

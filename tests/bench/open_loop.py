"""Loads at a fixed rate: what comes of one, the highest that is kept up with, the latency below it."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from statistics import median
from typing import Final, TypeAlias

import polars as pl

from tests.bench.report import Row, spread

WARM_UP: Final = (200, 8)
FIXED_RATE: Final = 500
SECONDS: Final = 20
ROUNDS: Final = 3
STEPS: Final = (250, 500, 750, 1000, 1500, 2000, 3000)
SHARES: Final = (0.25, 0.5, 0.75)
BEHIND: Final = 2.0


@dataclass(frozen=True, slots=True)
class Outcome:
    """Seconds from received to the subscriber in the order of arrival; whether everything arrived."""

    seconds: pl.Series
    complete: bool

    def quantile(self, q: float) -> float:
        """In milliseconds."""
        return 1000 * float(self.seconds.quantile(q, "nearest") or 0)

    @property
    def kept_up(self) -> bool:
        """Whether the last tenth of the events came through as quickly as must be."""
        last = self.seconds.tail(max(1, len(self.seconds) // 10))
        return self.complete and float(last.max() or 0) < BEHIND  # type: ignore[arg-type]  # seconds are floats


Measure: TypeAlias = Callable[[float, float], Awaitable[Outcome]]


@dataclass(frozen=True, slots=True)
class Findings:
    """Latency at the fixed rate, the highest rate kept up with, latency at shares of it."""

    fixed: Sequence[Outcome]
    highest: float
    shares: Sequence[Outcome]

    def at_fixed_rate(self, q: float) -> list[float]:
        """Milliseconds, a value a round."""
        return [outcome.quantile(q) for outcome in self.fixed]


async def find(measure: Measure) -> Findings:
    """Warm up, measure the fixed rate some times, then ever higher rates, then shares of the highest."""
    await measure(*WARM_UP)
    fixed = [await told(measure, FIXED_RATE) for _ in range(ROUNDS)]
    highest = await sustained(measure)
    return Findings(fixed, highest, [await told(measure, share * highest) for share in SHARES])


async def sustained(measure: Measure) -> float:
    """The highest step that was kept up with; stops at the first that was not. 0 if that is the first."""
    best = 0.0
    for rate in STEPS:
        if not (await told(measure, rate)).kept_up:
            break
        best = rate
    return best


async def told(measure: Measure, rate: float) -> Outcome:
    """One load, and a line about it."""
    outcome = await measure(rate, SECONDS)
    lost = "" if outcome.complete else "  INCOMPLETE"
    print(
        f"    {rate:,.0f}/s: p50 {outcome.quantile(0.5):,.0f} ms, p99 {outcome.quantile(0.99):,.0f} ms{lost}",
        flush=True,
    )
    return outcome


def rows(ours: Findings, peer: Findings, peer_name: str) -> list[Row]:
    """Ours beside the peer's. A latency above 1 in `ratio` is slower than the peer, a rate above 1 quicker."""
    return [
        *(latency(f"received to membership, p{100 * q:.0f} at {FIXED_RATE}/s", q, ours, peer, peer_name)
          for q in (0.5, 0.99)),
        Row("highest rate kept up with, end to end", ours.highest, "events/s", f"steps of {STEPS}", peer.highest,
            peer_name, ours.highest / peer.highest if peer.highest else None),
        *(Row(f"p50 at {share:.0%} of that", found.quantile(0.5), "ms", f"p99 {found.quantile(0.99):,.0f}")
          for share, found in zip(SHARES, ours.shares, strict=True)),
    ]  # fmt: skip


def latency(name: str, q: float, ours: Findings, peer: Findings, peer_name: str) -> Row:
    """The median of the rounds; incomplete rounds are named."""
    mine, theirs = ours.at_fixed_rate(q), peer.at_fixed_rate(q)
    lost = sum(not outcome.complete for outcome in ours.fixed)
    unit = f"ms, {lost} rounds incomplete" if lost else "ms"
    return Row(name, median(mine), unit, spread(mine), median(theirs), peer_name, median(mine) / median(theirs))

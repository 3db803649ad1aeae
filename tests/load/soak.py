"""A steady load for long: memory and latency must not rise, every timer must fire, and the books must balance."""

from __future__ import annotations

import asyncio
import random
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any, Final
from uuid import uuid4

import httpx
from cdp_cli.conservation import ledger, table
from cdp_devstack.listener import Listener
from cdp_devstack.platform import WRITE_KEY
from cdp_devstack.running import Running

from tests.load.sampling import Samples, watched
from tests.load.scenarios import Figures, expect, told
from tests.load.traffic import ANSWER_SECONDS, FLIPS, SEGMENT, Answers, event, posted
from tests.load.watching import letters, peak_megabytes, settled

BATCH: Final = 10
VISITORS: Final = 2_000
NEW_EVERY: Final = 10  # requests
BRIEF: Final = "flash-visitors"  # left by the clock, five seconds later
WINDOW_MINUTES: Final = 5.0
LOOK_SECONDS: Final = 10.0
LEAVING_SECONDS: Final = 60.0
MOST_GROWN: Final = 10  # MB in the last half, by a line through it
LONG_MINUTES: Final = 10


@dataclass
class Told:
    """What subscribers were told: how soon somebody entered, by message id, and who left by the clock again."""

    entered: dict[str, float] = field(default_factory=dict)
    brief: set[str] = field(default_factory=set)
    left: set[str] = field(default_factory=set)


@dataclass
class Traffic:
    """Ten events a request, by known visitors; one of each hundred is by somebody new who enters two segments.

    Few are new: what is kept of people is bounded, and would fill up for longer than a soak lasts.
    """

    up: Running
    answers: Answers = field(default_factory=Answers)
    new: dict[str, float] = field(default_factory=dict)  # message ids, and when they were sent
    sent: int = 0
    dice: random.Random = field(default_factory=lambda: random.Random(1))
    run: str = field(default_factory=lambda: uuid4().hex[:8])

    async def at_rate(self, events_a_second: float, seconds: float) -> None:
        """Each request leaves at its time, whatever the answers take."""
        started, every = time.monotonic(), BATCH / events_a_second
        async with (
            httpx.AsyncClient(
                base_url=self.up.url("collector-http"),
                auth=(WRITE_KEY, ""),
                timeout=ANSWER_SECONDS,
                trust_env=False,
            ) as edge,
            asyncio.TaskGroup() as sending,
        ):
            for n in range(int(seconds / every)):
                await asyncio.sleep(max(0.0, started + n * every - time.monotonic()))
                events = [event(f"visitor-{self.run}-{self.dice.randrange(VISITORS)}") for _ in range(BATCH)]
                if n % NEW_EVERY == 0:
                    events[-1] = event(f"new-{uuid4().hex}", FLIPS)
                    self.new[events[-1]["messageId"]] = time.monotonic() - started
                sending.create_task(self._send(edge, events))

    async def _send(self, edge: httpx.AsyncClient, events: list[dict[str, Any]]) -> None:
        answer = await posted(edge, events, self.answers)
        if answer.is_success:
            self.sent += len(events)
        else:
            self.answers.refused.append(answer)


async def soak(up: Running, rate: float, minutes: float) -> Figures:
    """So many events a second for so many minutes, then all of them through."""
    before = await letters(up)
    traffic, samples, heard = Traffic(up), Samples(), Told()
    seconds = 60 * minutes
    async with Listener(up.stack.kafka) as listener:
        listening = asyncio.create_task(note(listener, heard))
        async with asyncio.TaskGroup() as both:
            both.create_task(traffic.at_rate(rate, seconds))
            both.create_task(watched(up, seconds, min(LOOK_SECONDS, seconds / 20), samples))
        expect(not traffic.answers.refused, f"{len(traffic.answers.refused)} requests were refused")
        await settled(up)
        deadline = time.monotonic() + LEAVING_SECONDS
        while heard.left != heard.brief or len(heard.entered) < len(traffic.new):
            late = (
                f"{len(traffic.new) - len(heard.entered)} did not enter, {len(heard.brief - heard.left)} not leave"
            )
            expect(time.monotonic() < deadline, late)
            await asyncio.sleep(0.2)
        listening.cancel()
    expect(heard.entered.keys() == traffic.new.keys(), "not everybody entered who should")
    expect(await letters(up) == before, "something was dead-lettered")
    rows = await ledger(up.kafka, datetime.now(UTC))
    print("\n".join(f"  {line}" for line in table(rows)))
    expect(all(row.balanced and not row.outcomes["in flight"] for row in rows), "the books do not balance")
    figures = {
        "events sent": float(traffic.sent), "memberships ended by the clock": float(len(heard.left)),
        "connections that broke": float(len(traffic.answers.broken)), **dict(latency(traffic, heard, minutes)),
        **dict(memory(samples, minutes)), **peak_megabytes(up),
    }  # fmt: skip
    for name in samples.memory:
        flat = minutes < LONG_MINUTES or samples.grown(name) < MOST_GROWN
        expect(flat, f"{name} grew by {samples.grown(name):.0f} MB in the last half: {figures}")
    return figures


async def note(listener: Listener, heard: Told) -> None:
    """Take down what the subscriber hears, and let go of it."""
    while True:
        await asyncio.sleep(0.5)
        news, listener.heard = listener.heard, []
        for one in news:
            if one.change.segment == SEGMENT and one.change.member:
                heard.entered.setdefault(one.message.message_id, one.seconds)
            if one.change.segment == BRIEF:
                (heard.brief if one.change.member else heard.left).add(str(one.message.profile_id))


def latency(traffic: Traffic, heard: Told, minutes: float) -> Iterator[tuple[str, float]]:
    """Of every five minutes, or every third of less than that."""
    window = min(WINDOW_MINUTES, minutes / 3)
    for n in range(round(minutes / window)):
        within = [i for i, at in traffic.new.items() if n * window <= at / 60 < (n + 1) * window]
        yield from told(f"from minute {n * window:.0f}", sorted(heard.entered[i] for i in within)).items()


def memory(samples: Samples, minutes: float) -> Iterator[tuple[str, float]]:
    """MB an hour by a line, and the means of the first and last ten minutes, or thirds of less than 30."""
    part = min(10 / minutes, 1 / 3)
    for role in samples.memory:
        yield f"{role}, MB an hour", samples.megabytes_an_hour(role)
        yield f"{role}, MB an hour in the last half", samples.megabytes_an_hour(role, 0.5)
        yield f"{role}, first MB", samples.mean(role, 0, part)
        yield f"{role}, last MB", samples.mean(role, 1 - part, 1)

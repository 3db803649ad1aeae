"""What each process of the platform costs at a fixed rate, and how soon events flow again after one was killed."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Mapping
from datetime import UTC, datetime
from pathlib import Path
from statistics import median
from typing import Final
from uuid import uuid4

import httpx
from cdp_devstack.listener import Listener
from cdp_devstack.platform import WRITE_KEY
from cdp_devstack.running import Running

from tests.bench.cpu import seconds_of
from tests.bench.load import GRANTED, Load
from tests.bench.report import Row, spread

RATES: Final = (100, 500)
SECONDS: Final = 15
BATCH: Final = 10
ROUNDS: Final = 3
SIZES: Final = (300, 4_000, 16_000)
SIZES_RATE: Final = 100
SERVERS: Final = ("kafka", "mongo", "redis")
KILLED: Final = (
    "collector-http", "collector-validator", "consent-gate", "identity-resolver", "profiles-writer",
    "segments-evaluator",
)  # fmt: skip
RECOVERY_SECONDS: Final = 60


async def rows(up: Running) -> list[Row]:
    """CPU by hop, rate and size of event; memory; recovery."""
    found: list[Row] = []
    await Load(up.url("collector-http"), BATCH).at_rate(200, 5)
    for rate in RATES:
        spent = [await cpu(up, rate) for _ in range(ROUNDS)]
        found += [row(f"CPU an event at {rate}/s, {name}", [s[name] for s in spent], "us") for name in spent[0]]
        found.append(row(f"CPU an event at {rate}/s, all together", [sum(s.values()) for s in spent], "us"))
    for size in SIZES:
        totals = [sum((await cpu(up, SIZES_RATE, size)).values()) for _ in range(ROUNDS)]
        found.append(row(f"CPU an event of {size:,} bytes at {SIZES_RATE}/s, all together", totals, "us"))
    found += [Row(f"memory, {name}", size, "MB", "") for name, size in memory(up).items()]
    for name in KILLED:
        seconds = [await recovery(up, name) for _ in range(ROUNDS)]
        found.append(row(f"kill -9 to membership, {name}", [1000 * s for s in seconds], "ms"))
    return found


def row(name: str, values: list[float], unit: str) -> Row:
    """The median of the rounds."""
    return Row(name, median(values), unit, spread(values))


async def cpu(up: Running, rate: float, size: int = 0) -> dict[str, float]:
    """Microseconds of CPU an event by process while events come at a rate, until all are handled."""
    before = spent(up)
    sent = await Load(up.url("collector-http"), BATCH, seed=int(rate), padding=size).at_rate(rate, SECONDS)
    await idle(up)
    return {name: 1e6 * (used - before[name]) / sent.events for name, used in spent(up).items()}


async def idle(up: Running) -> None:
    """Return once the evaluator has had nothing to do for a second."""
    seen, since = -1.0, time.monotonic()
    while time.monotonic() - since < 1:
        metrics = await asyncio.to_thread(up.platform.roles["segments-evaluator"].metrics)
        consumed = sum(
            float(line.split()[-1]) for line in metrics.splitlines()
            if line.startswith("cdp_messages_consumed_total{")
        )  # fmt: skip
        if consumed != seen:
            seen, since = consumed, time.monotonic()
        await asyncio.sleep(0.25)


def processes(up: Running) -> Mapping[str, int]:
    """Process ids of roles and servers."""
    pids = {name: process.pid for name, process in up.platform.roles.items()}
    pids |= {name: up.stack.server(name).pid for name in SERVERS}  # type: ignore[arg-type]  # they are its names
    return {name: pid for name, pid in pids.items() if pid is not None}


def spent(up: Running) -> dict[str, float]:
    """Seconds of CPU that each process has used so far, threads and kernel included."""
    return {name: seconds_of(pid) for name, pid in processes(up).items()}


def memory(up: Running) -> dict[str, float]:
    """Resident megabytes of each role and server."""
    found: dict[str, float] = {}
    for name, pid in processes(up).items():
        line = next(x for x in Path(f"/proc/{pid}/status").read_text().splitlines() if x.startswith("VmRSS"))
        found[name] = int(line.split()[1]) / 1024
    return found


async def recovery(up: Running, name: str) -> float:
    """Seconds from killing a role, started again at once, until an event sent after that moves a membership."""
    role = up.platform.roles[name]
    async with Listener(up.stack.kafka) as listener:
        started = time.monotonic()
        role.kill()
        role.launch()
        message_id = f"recovery-{uuid4().hex[:8]}"
        await insist(up, message_id)
        await listener.first(lambda heard: heard.message.message_id == message_id, RECOVERY_SECONDS)
        taken = time.monotonic() - started
    await asyncio.to_thread(role.wait_ready)
    return taken


async def insist(up: Running, message_id: str) -> None:
    """Send an event that flips a membership, as often as it takes, as every client does."""
    body = {
        "event": "Flash Offer Viewed", "anonymousId": message_id, "messageId": message_id, "context": GRANTED,
        "timestamp": datetime.now(UTC).isoformat(),
    }  # fmt: skip
    async with httpx.AsyncClient(base_url=up.url("collector-http"), auth=(WRITE_KEY, "")) as http:
        while True:
            try:
                if (await http.post("/v1/track", json=body)).is_success:
                    return
            except httpx.TransportError:
                pass
            await asyncio.sleep(0.05)

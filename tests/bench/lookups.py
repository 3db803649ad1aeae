"""Point lookups at a fixed rate while events flow at another: how soon a profile is answered."""

from __future__ import annotations

import asyncio
import os
import random
import time
from collections.abc import Callable, Sequence
from typing import Final, TypeAlias

import aiohttp
import polars as pl
from cdp_devstack.platform import READ_TOKEN
from cdp_devstack.running import Running

from tests.bench.cpu import seconds_of
from tests.bench.load import VISITORS, Load
from tests.bench.report import Row

RATE: Final = 500
EVENTS: Final = 500
BATCH: Final = 10
SECONDS: Final = 15
ROUNDS: Final = 3
KNOWN: Final = 200
QUANTILES: Final = (0.5, 0.95, 0.99)

Ask: TypeAlias = Callable[[], str]


async def rows(up: Running) -> list[Row]:
    """By id and by identifier while events flow, and by id while none do; what a lookup costs."""
    load = Load(up.url("collector-http"), BATCH)
    await load.at_rate(EVENTS, 2 * VISITORS / EVENTS)
    async with client(up) as http:
        ids = await known(http)
        by_id = lambda: f"/v1/profiles/{random.choice(ids)}"  # noqa: E731  # a load, no secret
        by_name = lambda: f"/v1/profiles?anonymous_id={visitor()}"  # noqa: E731  # the same
        await asked(http, by_id, 3)
        found = [*await measured(http, by_id, "no events"), await cost(up, http, by_id)]
        for name, ask in (("by id", by_id), ("by anonymous id", by_name)):
            found += await measured(http, ask, f"{name}, {EVENTS} events/s", load)
    return found


def client(up: Running) -> aiohttp.ClientSession:
    """The quickest client there is: it shares the machine with what it measures."""
    headers = {"Authorization": f"Bearer {READ_TOKEN}"}
    connector = aiohttp.TCPConnector(limit=64)
    return aiohttp.ClientSession(up.url("profiles-http"), headers=headers, connector=connector)


def visitor() -> str:
    """One of the load's known visitors."""
    return f"visitor-{random.randrange(VISITORS)}"  # a load, no secret


async def known(http: aiohttp.ClientSession) -> list[str]:
    """The profile ids of some visitors, once the platform has them."""
    found: set[str] = set()
    deadline = time.monotonic() + 60
    while len(found) < KNOWN and time.monotonic() < deadline:
        async with http.get(f"/v1/profiles?anonymous_id={visitor()}") as answer:
            if answer.ok:
                found.add((await answer.json())["id"])
    return sorted(found)


async def measured(http: aiohttp.ClientSession, ask: Ask, name: str, load: Load | None = None) -> list[Row]:
    """Quantiles of some rounds, each a row; events flow meanwhile if there is a load."""
    rounds = []
    for _ in range(ROUNDS):
        flow = asyncio.create_task(load.at_rate(EVENTS, SECONDS)) if load else None
        rounds.append(await asked(http, ask, SECONDS))
        if flow:
            await flow
    busy = f"load {os.getloadavg()[0]:.1f}"
    return [
        row(f"lookup {name}, p{100 * q:.0f}", [1000 * float(r.quantile(q) or 0) for r in rounds], busy)
        for q in QUANTILES
    ]


def row(name: str, values: Sequence[float], busy: str) -> Row:
    """The median of the rounds."""
    spread = f"{min(values):.1f} to {max(values):.1f}, {busy}"
    return Row(name, float(pl.Series(values).median() or 0), "ms", spread)


async def asked(http: aiohttp.ClientSession, ask: Ask, seconds: float) -> pl.Series:
    """Seconds to each answer, from the instant at which it was due to be asked for."""
    taken: list[float] = []
    started = time.monotonic()

    async def one(due: float) -> None:
        async with http.get(ask()) as answer:
            await answer.read()
            answer.raise_for_status()
        taken.append(time.monotonic() - due)

    requests = []
    for n in range(int(seconds * RATE)):
        due = started + n / RATE
        await asyncio.sleep(max(0.0, due - time.monotonic()))
        requests.append(asyncio.create_task(one(due)))
    await asyncio.gather(*requests)
    return pl.Series(taken)


async def cost(up: Running, http: aiohttp.ClientSession, ask: Ask) -> Row:
    """Microseconds of CPU that profiles-http spends on a lookup."""
    pid = up.platform.roles["profiles-http"].pid
    before = seconds_of(pid) if pid else 0.0
    taken = await asked(http, ask, SECONDS)
    spent = (seconds_of(pid) if pid else 0.0) - before
    return Row("CPU of a lookup, profiles-http", 1e6 * spent / len(taken), "us", "")

"""How many events a second go through the five hops: by partitions, by processes, and by how many are waiting."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from statistics import median
from typing import Final

from aiokafka.admin import AIOKafkaAdminClient
from cdp_devstack.platform import ROLES, RoleProcess, RoleSpec, environment_for
from cdp_devstack.running import Running
from cdp_devstack.servers.child import plain_environment
from cdp_runtime.kafka_client import client_options

from tests.bench.hops import spent
from tests.bench.report import Row, spread
from tests.load.sampling import committed
from tests.load.scenarios import PIPELINE
from tests.load.traffic import event, put

PARTITIONS: Final = (1, 6, 12)
USUAL: Final = 6
VISITORS: Final = 2_000
EVENTS: Final = 4_000
ROUNDS: Final = 3
LAST: Final = "segments-evaluator.evaluate"
WAITING: Final = (10_000, 100_000)
TRICKLE: Final = 250
TRICKLE_SECONDS: Final = 15
PATIENCE_SECONDS: Final = 900


async def rows(up: Running, partitions: int, folder: Path) -> list[Row]:
    """The rate with so many partitions; with the usual number all else too."""
    async with committing(up) as admin:
        await through(up, admin, EVENTS)
        before = spent(up)
        rates = [await through(up, admin, EVENTS) for _ in range(ROUNDS)]
        found = [Row(f"five hops, {partitions} partitions", median(rates), "events/s", spread(rates))]
        if partitions == USUAL:
            used = {name: seconds - before[name] for name, seconds in spent(up).items() if name in PIPELINE}
            found += await beside_another(up, admin, max(used, key=lambda name: used[name]), folder)
            found += await by_backlog(up, admin)
    return found


async def beside_another(up: Running, admin: AIOKafkaAdminClient, role: str, folder: Path) -> list[Row]:
    """With one process of the role that costs most, and with two of them."""
    one = [await through(up, admin, EVENTS) for _ in range(ROUNDS)]
    twin = another(up, role, folder)
    try:
        await asyncio.to_thread(twin.wait_ready)
        await through(up, admin, EVENTS)
        two = [await through(up, admin, EVENTS) for _ in range(ROUNDS)]
    finally:
        await asyncio.to_thread(twin.stop)
    named = (("1 process", one), ("2 processes", two))
    return [Row(f"five hops, {n} of {role}", median(rates), "events/s", spread(rates)) for n, rates in named]


def another(up: Running, role: str, folder: Path) -> RoleProcess:
    """A second instance of a role, started."""
    builder = next(spec.builder for spec in ROLES if spec.name == role)
    environment = {**plain_environment(), **environment_for(up.stack)}
    twin = RoleProcess(RoleSpec(f"{role}-twin", builder), folder / "twin", environment)
    twin.launch()
    return twin


async def by_backlog(up: Running, admin: AIOKafkaAdminClient) -> list[Row]:
    """What an event costs, and how quickly they go through, while so many are waiting."""
    found = [Row("CPU an event with 0 waiting, all together", await trickled(up, admin), "us", f"{TRICKLE}/s")]
    for waiting in WAITING:
        before = spent(up)
        rate = await through(up, admin, waiting)
        cost = 1e6 * sum(seconds - before[name] for name, seconds in spent(up).items()) / waiting
        found.append(Row(f"five hops, {waiting:,} waiting", rate, "events/s", "one round"))
        found.append(Row(f"CPU an event with {waiting:,} waiting, all together", cost, "us", "one round"))
    return found


async def trickled(up: Running, admin: AIOKafkaAdminClient) -> float:
    """Microseconds of CPU an event, of all processes, while no more come than can be handled."""
    before = spent(up)
    for _ in range(TRICKLE_SECONDS):
        started = time.monotonic()
        await through(up, admin, TRICKLE)
        await asyncio.sleep(max(0.0, started + 1 - time.monotonic()))
    return 1e6 * sum(seconds - before[name] for name, seconds in spent(up).items()) / (TRICKLE * TRICKLE_SECONDS)


@asynccontextmanager
async def committing(up: Running) -> AsyncIterator[AIOKafkaAdminClient]:
    """To ask how far groups have committed."""
    admin = AIOKafkaAdminClient(**client_options(up.kafka))
    await admin.start()
    try:
        yield admin
    finally:
        await admin.close()


async def through(up: Running, admin: AIOKafkaAdminClient, events: int) -> float:
    """Put so many on the broker at once; events a second until the last hop has committed them all."""
    wanted = await committed(admin, LAST) + events
    started = time.monotonic()
    await put(up, (event(f"visitor-{i % VISITORS}") for i in range(events)))
    while await committed(admin, LAST) < wanted:
        if time.monotonic() > started + PATIENCE_SECONDS:
            raise TimeoutError(f"{events:,} events did not go through within {PATIENCE_SECONDS} s")
        await asyncio.sleep(0.05)
    return events / (time.monotonic() - started)

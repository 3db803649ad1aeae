"""What is away shows within seconds, whoever notices it: a batch, a timer, or a ping where nothing is to do."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable
from uuid import uuid4

import pytest
from cdp_runtime.absence import Absence, watch
from cdp_runtime.app import role
from cdp_runtime.batch import Batch, Tick
from cdp_runtime.failures import Away
from cdp_runtime.stage import Stage
from cdp_testkit import LocalBus
from harness import PATIENCE, Order, Topics
from prometheus_client import REGISTRY


def away(name: str, stage: str = "") -> float | None:
    return REGISTRY.get_sample_value("cdp_resource_away", {"role": name, "stage": stage})


async def until(condition: Callable[[], bool]) -> None:
    async with asyncio.timeout(10):
        while not condition():
            await asyncio.sleep(0)


class Store:
    """A store that can be taken away. What drivers say of it is not for logs."""

    there = False

    async def ping(self) -> None:
        if not self.there:
            raise ConnectionError("nobody at ann:secret@mongo")

    async def close(self) -> None:
        """Nothing is held."""


async def test_a_role_that_nobody_asks_anything_notices_that_its_store_is_away() -> None:
    name = f"idle-{uuid4().hex[:8]}"
    application = role(name, resources=[Store()])
    async with application.start_lifespan_context():
        await until(lambda: away(name) == 1)


async def test_pings_find_that_a_store_goes_and_comes_and_tell_it_once(caplog: pytest.LogCaptureFixture) -> None:
    store, name = Store(), f"idle-{uuid4().hex[:8]}"
    absences = [Absence(name, "one"), Absence(name, "two")]
    with caplog.at_level(logging.WARNING):
        watching = asyncio.create_task(watch(name, [store], absences, seconds=0))
        await until(lambda: away(name, "one") == away(name, "two") == 1)
        for _ in range(20):
            await asyncio.sleep(0)
        store.there = True
        await until(lambda: away(name, "one") == away(name, "two") == 0)
        watching.cancel()
    assert [record.getMessage() for record in caplog.records] == [
        f"{name}: Store does not answer: ConnectionError",
        f"{name}: everything answers again",
    ]


async def test_a_ping_that_succeeds_does_not_hide_what_a_batch_has_found() -> None:
    absence = Absence(name := uuid4().hex, "s")
    absence.note("batch", away=True)
    absence.note("ping", away=True)
    absence.note("ping", away=False)
    assert away(name, "s") == 1
    absence.note("batch", away=False)
    assert away(name, "s") == 0


async def test_the_clock_of_a_stage_that_reads_nothing_tells_too(topics: Topics) -> None:
    failures: list[Exception] = [Away("gone")]

    async def read(batch: Batch[Order]) -> None:
        """Nothing comes."""

    async def fire(_: Tick) -> None:
        if failures:
            raise failures.pop()

    name = f"tests-{uuid4().hex[:8]}"
    bus = LocalBus(patience=PATIENCE)
    bus.attach(name, [Stage(read, reads=topics.orders, emits=[], on_tick=fire)])
    await bus.tick()
    assert away(name, "read") == 1
    await bus.tick()
    assert away(name, "read") == 0

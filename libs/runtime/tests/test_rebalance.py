"""Partitions that move, and a role that is asked to end."""

from __future__ import annotations

import asyncio

import pytest
from cdp_runtime.batch import Batch
from cdp_runtime.settings import KafkaSettings
from cdp_runtime.stage import Stage
from harness import Harness, Order, Topics, order
from test_delivery import invoice, totals

CUSTOMERS = [f"customer-{n}" for n in range(40)]


REASON = "one process, one instance a group: nothing is ever revoked, and nothing runs between two drains"
THE_BUS_CANNOT = pytest.mark.xfail(strict=True, raises=(NotImplementedError, TimeoutError), reason=REASON)


@pytest.fixture(autouse=True)
def seconds(request: pytest.FixtureRequest, transport: KafkaSettings | None) -> float:
    """How long to wait for a handler to be entered."""
    if transport is None:
        request.applymarker(THE_BUS_CANNOT)
        return 0.1
    return 90  # the embedded broker may take many sessions to let a member in: 36 s were seen on a quiet machine


class Worker:
    """An instance that can be held up inside its handler."""

    def __init__(self, topics: Topics, *, held: bool = False) -> None:
        self.handled: list[str] = []
        self.entered = asyncio.Event()
        self.free = asyncio.Event()
        if not held:
            self.free.set()
        self.stage = Stage(self.write_invoices, reads=topics.orders, emits=[topics.invoices])

    async def write_invoices(self, batch: Batch[Order]) -> None:
        self.entered.set()
        await self.free.wait()
        for o in batch:
            self.handled.append(o.customer)
            batch.emit(invoice(o, o.amount), cause=o)


async def test_two_instances_share_the_partitions(harness: Harness, topics: Topics) -> None:
    one, two = Worker(topics), Worker(topics)
    await harness.run(one.stage)
    await harness.join(two.stage)
    sent = 0

    async def both_work() -> None:
        nonlocal sent
        while not (one.handled and two.handled):
            await harness.publish(*(order(customer, sent + n) for n, customer in enumerate(CUSTOMERS, 1)))
            sent += len(CUSTOMERS)
            await asyncio.sleep(0.2)

    await asyncio.wait_for(both_work(), 40)
    await harness.settle()
    assert {*totals(await harness.read(topics.invoices.name))} == {*range(1, sent + 1)}


async def test_a_batch_that_cannot_end_in_time_is_abandoned_and_handled_by_whoever_comes_next(
    harness: Harness, topics: Topics, seconds: float
) -> None:
    stuck, quick = Worker(topics, held=True), Worker(topics)
    await harness.run(stuck.stage)
    await harness.publish(*(order(customer, n) for n, customer in enumerate(CUSTOMERS, 1)))
    await asyncio.wait_for(stuck.entered.wait(), seconds)
    await harness.join(quick.stage)
    await harness.until(lambda: bool(quick.handled))
    assert stuck.handled == []
    stuck.free.set()
    await harness.settle()
    assert sorted(totals(await harness.read(topics.invoices.name))) == [*range(1, len(CUSTOMERS) + 1)]


async def test_asked_to_end_it_finishes_the_batch_in_flight(
    harness: Harness, topics: Topics, seconds: float
) -> None:
    worker = Worker(topics, held=True)
    await harness.run(worker.stage)
    await harness.publish(order("ann", 1))
    await asyncio.wait_for(worker.entered.wait(), seconds)
    ending = asyncio.create_task(harness.stop())
    await asyncio.sleep(0)
    worker.free.set()
    await ending
    assert totals(await harness.read(topics.invoices.name)) == [1]


async def test_halted_by_command_it_stays_halted_when_partitions_move_and_goes_on_where_it_was(
    harness: Harness, topics: Topics
) -> None:
    worker, guest = Worker(topics), Worker(topics)
    await harness.run(worker.stage)
    await harness.publish(*(order(customer, n) for n, customer in enumerate(CUSTOMERS, 1)))
    await harness.settle()
    assert await harness.halt()
    assert harness.halted() == ["by command"]
    await harness.publish(*(order(customer, 100 + n) for n, customer in enumerate(CUSTOMERS, 1)))
    await harness.join(guest.stage)
    await harness.until(lambda: bool(guest.handled))
    await harness.part()
    assert (harness.halted(), len(worker.handled)) == (["by command"], len(CUSTOMERS))

    await harness.resume()
    await harness.settle()
    written = [*range(1, len(CUSTOMERS) + 1), *range(101, 101 + len(CUSTOMERS))]
    assert sorted(totals(await harness.read(topics.invoices.name))) == written
    assert len(worker.handled) + len(guest.handled) == len(written)

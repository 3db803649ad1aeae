"""Every message of a batch has an outcome, or it shows: in = out + exits + duplicates + dead letters."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from uuid import uuid4

import pytest
from cdp_contracts.topics import Topic
from cdp_runtime.batch import Batch
from cdp_runtime.codec import decode
from cdp_runtime.failures import Conflict
from cdp_runtime.metrics import CONSUMED, IMBALANCE, OUTCOMES, UNACCOUNTED
from cdp_runtime.stage import Stage
from cdp_runtime.transport import Incoming
from cdp_testkit import LocalBus
from harness import PATIENCE, Harness, Invoice, Order, Topics, order
from prometheus_client import Counter, Gauge
from test_delivery import invoice


def of(metric: Counter | Gauge, *labels: str) -> float:
    return float(metric.labels(*labels)._value.get())


class Books:
    """One stage on a bus of its own, and what its metrics say; the role's name keeps tests apart."""

    def __init__(self, handler: Callable[..., object], topics: Topics) -> None:
        self.role = f"tests-{uuid4().hex[:8]}"
        self.bus = LocalBus(patience=PATIENCE)
        self.topics = topics
        self.name = handler.__name__
        self.bus.attach(self.role, [Stage(handler, reads=topics.orders, emits=[topics.invoices])])

    async def handle(self, *amounts: int) -> None:
        await self.bus.publish(self.topics.orders, *(order("ann", amount) for amount in amounts))
        await self.bus.drain()

    @property
    def imbalance(self) -> float:
        return of(IMBALANCE, self.role, self.name)

    @property
    def consumed(self) -> float:
        return of(CONSUMED, self.role, self.name, self.topics.orders.name)

    def outcomes(self, *names: str) -> list[float]:
        return [of(OUTCOMES, self.role, self.name, name) for name in names]


async def test_every_outcome_is_counted_and_the_books_balance(topics: Topics) -> None:
    async def write(batch: Batch[Order]) -> None:
        for o in batch:
            match o.amount:
                case 1:
                    batch.emit(invoice(o, 1), cause=o)
                case 2:
                    batch.dead_letter(o, "refused")
                case 3:
                    batch.duplicate(o)
                case 4:
                    batch.settle(o)
                case _:
                    raise ValueError

    books = Books(write, topics)
    books.bus.publish_raw(topics.orders.name, b"unreadable")
    await books.handle(1, 1, 2, 3, 4, 13)
    assert books.outcomes("emitted", "dead-lettered", "duplicate", "settled") == [2, 3, 1, 1]
    assert books.imbalance == 0


async def test_a_message_that_leaves_by_an_exit_is_counted_there(topics: Topics) -> None:
    exits = Topic(
        name="tests.exits.taken.v1", model=Invoice, key="customer", owner="tests", description="out",
        producers=("tests-worker",), consumers=("subscribers",), retention_hours=1, outcome="rejected",
    )  # fmt: skip

    async def write(batch: Batch[Order]) -> None:
        for o in batch:
            batch.emit(invoice(o, 1), cause=o)

    bus, role = LocalBus(), f"tests-{uuid4().hex[:8]}"
    bus.attach(role, [Stage(write, reads=topics.orders, emits=[exits])])
    await bus.publish(topics.orders, order("ann", 1))
    await bus.drain()
    assert of(OUTCOMES, role, "write", "rejected") == 1


async def test_a_handler_that_drops_a_message_shows(topics: Topics, caplog: pytest.LogCaptureFixture) -> None:
    async def drop_sevens(batch: Batch[Order]) -> None:
        for o in batch:
            if o.amount != 7:
                batch.emit(invoice(o, 1), cause=o)

    books = Books(drop_sevens, topics)
    await books.handle(1, 7, 2)
    assert books.imbalance == 1
    await books.handle(3)
    assert books.imbalance == 1, "what is gone does not come back by itself"
    assert of(UNACCOUNTED, books.role, "drop_sevens") == 1
    assert f"{books.role}.drop_sevens: 1 messages have no outcome" in caplog.text


async def test_an_emit_of_nothing_is_no_outcome(topics: Topics) -> None:
    async def emit_nothing(batch: Batch[Order]) -> None:
        for o in batch:
            batch.emit(cause=o)

    books = Books(emit_nothing, topics)
    await books.handle(1)
    assert books.imbalance == 1


async def test_what_is_run_again_counts_once(topics: Topics) -> None:
    failures = [Conflict("lost"), ConnectionResetError(), RuntimeError()]

    async def fail_first(batch: Batch[Order]) -> None:
        for o in batch:
            batch.emit(invoice(o, 1), cause=o)
        if failures:
            raise failures.pop(0)

    books = Books(fail_first, topics)
    await books.handle(1, 2, 3)
    assert books.outcomes("emitted", "dead-lettered") == [3, 0]
    assert books.imbalance == 0
    assert books.consumed == 3


async def test_a_batch_that_halts_is_in_flight_and_counted_when_it_is_done(topics: Topics) -> None:
    async def refuse(batch: Batch[Order]) -> None:
        for o in batch:
            batch.dead_letter(o, "refused")

    books = Books(refuse, topics)
    await books.handle(*range(1, 9))
    assert books.bus.halted()
    assert books.outcomes("dead-lettered") == [0]
    assert books.imbalance == 0
    assert books.consumed == 0
    books.bus.resume(f"{books.role}.refuse")
    await books.bus.drain()
    assert books.outcomes("dead-lettered") == [8]
    assert books.consumed == 8
    assert books.imbalance == 0


async def test_a_stage_of_several_topics_reads_them_all_as_it_says(harness: Harness, topics: Topics) -> None:
    """Dead letters too, whatever is in them: it is the stage that says what a record is."""
    seen: list[tuple[str, str]] = []

    def kind_of(record: Incoming) -> Order:
        if record.topic == topics.dead:
            return order("dead", 1)
        return decode(topics.orders, record.value or b"")

    async def refuse(batch: Batch[Order]) -> None:
        for o in batch:
            batch.dead_letter(o, "refused")

    async def look(batch: Batch[Order]) -> None:
        for o in batch:
            seen.append((o.customer, dict(batch.headers(o)).get("cdp_reason", b"-").decode()))
            batch.settle(o)

    both = [topics.orders, replace(topics.orders, name=topics.dead)]
    await harness.run(
        Stage(refuse, reads=topics.orders, emits=[]), Stage(look, reads=both, emits=[], decode=kind_of)
    )
    await harness.publish(order("ann", 5))
    await harness.until(lambda: sorted(seen) == [("ann", "-"), ("dead", "refused")])

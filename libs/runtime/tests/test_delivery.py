"""Every row of the delivery table, on the in-memory bus and on the wire."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest
from cdp_contracts import failures_v1
from cdp_contracts.envelope import derived_id
from cdp_runtime.batch import Batch
from cdp_runtime.failures import Away, Conflict
from cdp_runtime.records import MemoryRecords, Record, State
from cdp_runtime.stage import Stage
from cdp_runtime.transport import Incoming
from cdp_testkit import Crash
from harness import Harness, Invoice, Order, Topics, order


class Account(Record):
    """A customer's running total."""

    def __init__(self, id: str) -> None:  # noqa: A002
        super().__init__(id)
        self.total = 0

    @classmethod
    def from_state(cls, id: str, state: State) -> Account:  # noqa: A002
        account = cls(id)
        account.total = state["total"]
        return account

    def to_state(self) -> State:
        return {"total": self.total}

    def apply(self, o: Order, now: Any) -> int:
        if not self.seen(o.id):
            self.total += o.amount
            self.remember(o.id, now, self.total)
        return int(str(self.outcome(o.id)))


class Ledger:
    """A store that can be told to fail, and remembers the order of what happened."""

    def __init__(self) -> None:
        self.records = MemoryRecords(Account)
        self.failures: list[BaseException] = []
        self.after_save: list[BaseException] = []
        self.saves = 0
        self.handled: list[int] = []

    async def write_invoices(self, batch: Batch[Order]) -> None:
        accounts = await self.records.load(o.customer for o in batch)
        for o in batch:
            self.handled.append(o.amount)
            if o.amount == 13:
                raise RuntimeError("cannot count to thirteen")
            if o.amount == 0:
                batch.dead_letter(o, "empty-order")
                continue
            total = accounts[o.customer].apply(o, batch.now)
            batch.emit(invoice(o, total), cause=o)
        if self.failures:
            raise self.failures.pop(0)
        await self.records.save(accounts)
        self.saves += 1
        if self.after_save:
            raise self.after_save.pop(0)

    def total(self, customer: str) -> int:
        return int(self.records.documents[customer]["total"])


def invoice(o: Order, total: int) -> Invoice:
    return Invoice(
        tenant=o.tenant, id=derived_id(o.id, "invoice"), message_id=o.message_id, occurred_at=o.occurred_at,
        received_at=o.received_at, customer=o.customer, total=total,
    )  # fmt: skip


def stage(ledger: Ledger, topics: Topics) -> Stage[Order]:
    return Stage(ledger.write_invoices, reads=topics.orders, emits=[topics.invoices])


def totals(records: list[Incoming]) -> list[int]:
    return [Invoice.model_validate_json(r.value or b"").total for r in records]


def header(record: Incoming, name: str) -> str:
    return dict(record.headers)[name].decode()


async def test_messages_are_handled_in_the_order_of_their_key(harness: Harness, topics: Topics) -> None:
    ledger = Ledger()
    await harness.run(stage(ledger, topics))
    await harness.publish(*(order("ann", n) for n in (1, 2, 3)))
    await harness.settle()
    assert totals(await harness.read(topics.invoices.name)) == [1, 3, 6]


async def test_unreadable_bytes_are_set_aside_untouched_and_the_stream_goes_on(
    harness: Harness, topics: Topics
) -> None:
    ledger = Ledger()
    await harness.run(stage(ledger, topics))
    await harness.publish_raw(b"\xff\x00 not json", (("x-odd", b"\xfe\xff"),))
    await harness.publish_raw(b'{"tenant": "t"}')
    await harness.publish(order("ann", 5))
    await harness.settle()
    assert totals(await harness.read(topics.invoices.name)) == [5]
    dead = await harness.read(topics.dead)
    assert [r.value for r in dead] == [b"\xff\x00 not json", b'{"tenant": "t"}']
    assert dict(dead[0].headers)["x-odd"] == b"\xfe\xff"
    assert header(dead[1], failures_v1.REASON) == "missing at /id"
    assert header(dead[1], failures_v1.SOURCE_TOPIC) == topics.orders.name


async def test_what_the_domain_refuses_is_dead_lettered_with_its_reason(harness: Harness, topics: Topics) -> None:
    ledger = Ledger()
    await harness.run(stage(ledger, topics))
    await harness.publish(order("ann", 1), order("ann", 0), order("ann", 2))
    await harness.settle()
    assert totals(await harness.read(topics.invoices.name)) == [1, 3]
    assert [header(r, failures_v1.REASON) for r in await harness.read(topics.dead)] == ["empty-order"]


async def test_a_conflict_discards_the_emits_and_runs_again(harness: Harness, topics: Topics) -> None:
    ledger = Ledger()
    ledger.failures = [Conflict("lost"), Conflict("lost"), Conflict("lost"), Conflict("lost")]
    await harness.run(stage(ledger, topics))
    await harness.publish(order("ann", 7))
    await harness.settle()
    assert totals(await harness.read(topics.invoices.name)) == [7]
    assert await harness.read(topics.dead) == []


async def test_while_a_store_is_away_nothing_is_dead_lettered(harness: Harness, topics: Topics) -> None:
    ledger = Ledger()
    ledger.failures = [Away("gone"), ConnectionResetError("gone"), *(Away("gone") for _ in range(8))]
    await harness.run(stage(ledger, topics))
    await harness.publish(order("ann", 7), order("bob", 8))
    await harness.settle()
    assert sorted(totals(await harness.read(topics.invoices.name))) == [7, 8]
    assert await harness.read(topics.dead) == []


async def test_one_message_that_fails_is_found_and_set_aside_alone(harness: Harness, topics: Topics) -> None:
    ledger = Ledger()
    await harness.run(stage(ledger, topics))
    await harness.publish(*(order("ann", n) for n in (1, 2, 13, 4, 5)))
    await harness.settle()
    assert totals(await harness.read(topics.invoices.name)) == [1, 3, 7, 12]
    (dead,) = await harness.read(topics.dead)
    assert header(dead, failures_v1.REASON) == "RuntimeError"
    assert header(dead, failures_v1.ATTEMPTS) == "2"
    assert "thirteen" not in str(dead.headers)


@pytest.mark.parametrize("amount", [0, 13, None], ids=["refused", "failing", "unreadable"])
async def test_too_many_dead_letters_halt_the_stage_until_a_person_resumes_it(
    harness: Harness, topics: Topics, amount: int | None
) -> None:
    ledger = Ledger()
    await harness.run(stage(ledger, topics))
    for n in range(6):
        await (harness.publish_raw(b"?") if amount is None else harness.publish(order("ann", amount, n)))
    await harness.until(lambda: bool(harness.halted()))
    assert len(await harness.read(topics.dead)) < 6
    await harness.publish(order("ann", 3))
    await harness.resume()
    await harness.until(lambda: not harness.halted())
    await harness.settle()
    assert harness.halted() == []
    assert len({r.offset for r in await harness.read(topics.dead)}) >= 6
    assert totals(await harness.read(topics.invoices.name)) == [3]


async def test_a_crash_between_save_and_emit_changes_nothing(harness: Harness, topics: Topics) -> None:
    ledger = Ledger()
    ledger.after_save = [Crash()]
    await harness.run(stage(ledger, topics))
    await harness.publish(order("ann", 1), order("ann", 2))
    await harness.settle()
    assert ledger.saves == 1
    assert await harness.read(topics.invoices.name) == []
    await harness.kill()
    await harness.run(stage(ledger, topics))
    await harness.settle()
    records = await harness.read(topics.invoices.name)
    assert totals(records) == [1, 3]
    assert [header(r, "ce_id") for r in records] == [
        str(derived_id(order("ann", n).id, "invoice")) for n in (1, 2)
    ]
    assert ledger.total("ann") == 3


async def test_what_was_committed_is_not_read_again(harness: Harness, topics: Topics) -> None:
    ledger = Ledger()
    await harness.run(stage(ledger, topics))
    await harness.publish(order("ann", 1))
    await harness.settle()
    await harness.stop()
    await harness.run(stage(ledger, topics))
    await harness.publish(order("ann", 2))
    await harness.settle()
    assert ledger.handled == [1, 2]


async def test_an_undeclared_emit_is_an_error_of_ours(harness: Harness, topics: Topics) -> None:
    async def emit_itself(batch: Batch[Order]) -> None:
        for o in batch:
            batch.emit(o, cause=o)

    await harness.run(Stage(emit_itself, reads=topics.orders, emits=[topics.invoices]))
    await harness.publish(order("ann", 1))
    await harness.settle()
    (dead,) = await harness.read(topics.dead)
    assert header(dead, failures_v1.REASON) == "UndeclaredTopic"


async def test_trace_headers_pass_through_untouched_when_not_sampled(harness: Harness, topics: Topics) -> None:
    ledger = Ledger()
    await harness.run(stage(ledger, topics))
    trace = b"00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-00"
    await harness.publish_raw(order("ann", 1).model_dump_json().encode(), (("traceparent", trace),))
    await harness.settle()
    (record,) = await harness.read(topics.invoices.name)
    assert header(record, "traceparent") == trace.decode()


@pytest.mark.parametrize("topics", [Topics(on_poison="halt")], ids=["halting topic"])
async def test_unreadable_bytes_on_a_halting_topic_halt(harness: Harness, topics: Topics) -> None:
    ledger = Ledger()
    await harness.run(stage(ledger, topics))
    await harness.publish_raw(b"?")
    await harness.until(lambda: bool(harness.halted()))
    assert await harness.read(topics.dead) == []


@pytest.mark.parametrize("topics", [Topics(on_poison="halt")], ids=["halting topic"])
@pytest.mark.parametrize("amount", [0, 13], ids=["refused", "failing"])
async def test_what_cannot_be_handled_on_a_halting_topic_halts(
    harness: Harness, topics: Topics, amount: int
) -> None:
    ledger = Ledger()
    await harness.run(stage(ledger, topics))
    await harness.publish(order("ann", amount))
    await harness.until(lambda: bool(harness.halted()))
    assert await harness.read(topics.dead) == []


@pytest.mark.parametrize("topics", [Topics(producers=("product-systems",))], ids=["open topic"])
async def test_garbage_from_outside_never_halts(harness: Harness, topics: Topics) -> None:
    ledger = Ledger()
    await harness.run(stage(ledger, topics))
    for n in range(20):
        await harness.publish_raw(bytes([n]))
    await harness.publish(order("ann", 1))
    await harness.settle()
    assert harness.halted() == []
    assert len(await harness.read(topics.dead)) == 20
    assert totals(await harness.read(topics.invoices.name)) == [1]


async def test_a_slow_store_holds_the_fetch_and_not_the_memory(harness: Harness, topics: Topics) -> None:
    inside, most = 0, 0

    async def take_time(batch: Batch[Order]) -> None:
        nonlocal inside, most
        inside += 1
        most = max(most, inside)
        await asyncio.sleep(0)
        for o in batch:
            batch.emit(invoice(o, o.amount), cause=o)
        inside -= 1

    await harness.run(Stage(take_time, reads=topics.orders, emits=[topics.invoices]))
    for n in range(30):
        await harness.publish(order("ann", n + 1))
    await harness.settle()
    assert most == 1
    assert len(await harness.read(topics.invoices.name)) == 30

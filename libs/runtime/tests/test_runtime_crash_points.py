"""A stage with a store and a clock, broken off before each single step: the end is what it would have been."""

from __future__ import annotations

from functools import partial
from itertools import count
from typing import Any

from cdp_runtime.batch import Batch, Tick
from cdp_runtime.clock import ManualClock
from cdp_runtime.failures import Away, Conflict
from cdp_runtime.records import MemoryRecords
from cdp_runtime.stage import Stage
from cdp_testkit import Action, Crash, LocalBus
from harness import NOON, PATIENCE, ROLE, Invoice, Order, Topics, order
from test_delivery import Account, invoice


class Shop:
    """Writes an invoice for each order, and one reminder a customer and day when the clock has its turn."""

    def __init__(self) -> None:
        self.topics = Topics()
        self.bus = LocalBus(ManualClock(NOON), patience=PATIENCE)
        for name, partitions in self.topics.partitions().items():
            self.bus.declare(name, partitions)
        self.accounts = MemoryRecords(Account)
        self.open: set[str] = set()

    def start(self) -> None:
        """As a new process: nothing stays but what is stored."""
        stage = Stage(self.write, reads=self.topics.orders, emits=[self.topics.invoices], on_tick=self.remind)
        self.bus.attach(ROLE, [stage])

    async def write(self, batch: Batch[Order]) -> None:
        accounts = await self.accounts.load(o.customer for o in batch)
        for o in batch:
            batch.emit(invoice(o, accounts[o.customer].apply(o, batch.now)), cause=o)
        for customer, account in accounts.items():
            self.note("save")
            if account.changed:
                await self.accounts.save({customer: account})
            self.open.add(customer)

    async def remind(self, tick: Tick) -> None:
        for customer in sorted(self.open):
            total = self.accounts.documents[customer]["total"]
            tick.emit(invoice(order(customer, total, 99), total))
            tick.after_ack(partial(self.close, customer))

    async def close(self, customer: str) -> None:
        self.note("close")
        self.open.discard(customer)

    def note(self, what: str) -> None:
        self.bus.note(Action(what, ROLE, "", 1))

    async def live(self) -> None:
        """A day of it; whoever is killed is started again."""
        self.start()
        for day in (1, 2):
            await self.bus.publish(
                self.topics.orders, *(order("ann" if n < 3 else "bob", n, day) for n in (1, 2, 3, 4))
            )
            await self.patiently(self.bus.drain)
            await self.patiently(self.bus.tick)
            await self.patiently(self.bus.tick)

    async def patiently(self, action: Any) -> None:
        while True:
            try:
                await action()
            except Crash:
                self.start()
            else:
                return

    def end(self) -> dict[str, Any]:
        """What is stored and what was said; an id twice is said to be so if the words differ."""
        said = [(r.key, dict(r.headers)["ce_id"], r.value) for r in self.bus.raw(self.topics.invoices.name)]
        read = {id_: Invoice.model_validate_json(value or b"") for _, id_, value in said}
        assert len(set(said)) == len(read), "two messages under one id"
        totals = {customer: document["total"] for customer, document in self.accounts.documents.items()}
        return {"said": read, "totals": totals, "open": self.open, "dead": self.bus.raw(self.topics.dead)}


class At:
    """Raises before the n-th action, once."""

    def __init__(self, n: int, how: type[BaseException], only: tuple[str, ...] = ()) -> None:
        self.seen = 0
        self._n, self._how, self._only = n, how, only

    def __call__(self, action: Action) -> None:
        if not self._only or action.what in self._only:
            self.seen += 1
            if self.seen == self._n:
                raise self._how


async def broken_off_everywhere(how: type[BaseException], *only: str) -> None:
    undisturbed = Shop()
    await undisturbed.live()
    assert len(undisturbed.end()["said"]) == 12
    for n in count(1):
        shop, at = Shop(), At(n, how, only)
        shop.bus.script = at
        await shop.live()
        if at.seen < n:
            assert n > 8
            return
        assert shop.end() == undisturbed.end(), f"{how.__name__} before action {n}"


async def test_killed_before_any_step_it_ends_the_same() -> None:
    await broken_off_everywhere(Crash)


async def test_without_an_answer_from_store_or_broker_at_any_step_it_ends_the_same() -> None:
    await broken_off_everywhere(Away, "save", "emitted", "close")


async def test_what_was_not_saved_is_not_said() -> None:
    """What a run works out that loses its compare-and-set is not true, and nobody hears of it."""
    shop = Shop()

    def meanwhile(action: Action) -> None:
        if action.what == "save":
            shop.accounts.documents.setdefault("ann", {"_id": "ann", "rev": 1, "total": 100, "recent": "[]"})

    shop.bus.script = meanwhile
    shop.start()
    await shop.bus.publish(shop.topics.orders, order("ann", 1))
    await shop.bus.drain()
    assert [m.total for m in shop.bus.messages(shop.topics.invoices)] == [101]


async def test_a_conflict_is_not_counted_however_often() -> None:
    shop = Shop()
    left = 20

    def again(action: Action) -> None:
        nonlocal left
        if action.what == "save" and left:
            left -= 1
            raise Conflict

    shop.bus.script = again
    await shop.live()
    assert (left, shop.end()["dead"]) == (0, [])

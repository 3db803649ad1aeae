"""N and N-1 side by side: who meets a record of a newer version waits until an instance of that one runs."""

from __future__ import annotations

import logging
from collections.abc import Callable

import pytest
from cdp_runtime.batch import Batch
from cdp_runtime.records import MemoryRecords, State
from cdp_testkit import Crash
from harness import ROLE, Harness, Order, Topics, order
from prometheus_client import REGISTRY
from test_delivery import Account, Ledger, stage, totals

TRIES = 7


class LaterAccount(Account):
    """What the next version makes of an account: in cents, which the version before would take for units."""

    schema_version = 2

    @classmethod
    def from_state(cls, id: str, state: State) -> LaterAccount:  # noqa: A002
        account = cls(id)
        account.total = state["total"] // (100 if state["schema_version"] > 1 else 1)
        return account

    def to_state(self) -> State:
        return {"total": self.total * 100}


class OldInstance(Ledger):
    """Ends when it has tried often enough, as if it were rolled."""

    tries = 0

    async def write_invoices(self, batch: Batch[Order]) -> None:
        self.tries += 1
        if self.tries > TRIES:
            assert sample("cdp_resource_away") == 1
            raise Crash
        await super().write_invoices(batch)


def sample(name: str, **labels: str) -> float:
    return REGISTRY.get_sample_value(name, {"role": ROLE, "stage": "write_invoices", **labels}) or 0


def later(documents: dict[str, State]) -> Ledger:
    """An instance of the next version, on the same store."""
    ledger = Ledger()
    ledger.records = MemoryRecords[Account](LaterAccount)
    ledger.records.documents = documents
    return ledger


async def run_until_settled(harness: Harness, topics: Topics, ledger: Ledger, *orders: Order) -> None:
    await harness.run(stage(ledger, topics))
    await harness.publish(*orders)
    await harness.settle()
    await harness.kill()


@pytest.fixture
def retries() -> Callable[[], float]:
    before = sample("cdp_retries_total", kind="newer")
    return lambda: sample("cdp_retries_total", kind="newer") - before


async def test_a_rollback_waits_for_what_the_newer_version_wrote_and_loses_nothing(
    harness: Harness, topics: Topics, retries: Callable[[], float], caplog: pytest.LogCaptureFixture
) -> None:
    new = later({})
    await run_until_settled(harness, topics, new, order("ann", 1))
    old = OldInstance()
    old.records.documents = new.records.documents
    with caplog.at_level(logging.WARNING):
        await run_until_settled(harness, topics, old, order("bob", 2), order("ann", 4))
    assert old.tries == TRIES + 1, "it tried for as long as it lived"
    assert retries() == TRIES
    waits = [record.getMessage() for record in caplog.records if "waits" in record.getMessage()]
    assert "a record in Account was written with schema version 2" in waits[0]
    assert "reads up to 1" in waits[0]
    assert not [line for line in waits if "ann" in line]
    assert old.records.documents["ann"]["total"] == 100, "it left alone what it does not understand"

    await harness.run(stage(later(old.records.documents), topics))
    await harness.settle()
    assert sorted(totals(await harness.read(topics.invoices.name))) == [1, 2, 5]
    assert await harness.read(topics.dead) == []
    assert sample("cdp_resource_away") == 0

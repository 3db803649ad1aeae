"""A stage that a person halts and resumes, and a fetch loop that something unforeseen happens to."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from types import SimpleNamespace
from typing import Any

import httpx
import pytest
from aiokafka import ConsumerRecord, TopicPartition
from cdp_contracts.topics import Topic
from cdp_runtime import kafka_stage
from cdp_runtime.app import Role, role
from cdp_runtime.batch import Batch, Tick
from cdp_runtime.clock import SystemClock
from cdp_runtime.kafka_stage import KafkaStage
from cdp_runtime.runner import StageRunner
from cdp_runtime.settings import AdminSettings, KafkaSettings
from cdp_runtime.stage import Stage
from harness import PATIENCE, Order, Topics, order
from prometheus_client import REGISTRY
from pydantic import SecretStr
from test_delivery import invoice
from test_progress import Nowhere, record

ZERO = TopicPartition("orders", 0)
TOKEN = "the admin token"


class Log:
    """One partition as a consumer reads it: getmany moves on, seek moves back. Fails when told to."""

    def __init__(self) -> None:
        self.values: list[bytes] = []
        self.position = 0
        self.committed_offset: int | None = None
        self.failures: list[Exception] = []
        self.fetches = 0
        self.paused = False

    def add(self, *amounts: int) -> None:
        self.values += [order("ann", amount).model_dump_json().encode() for amount in amounts]

    def assignment(self) -> set[TopicPartition]:
        return {ZERO}

    async def getmany(self, **_: Any) -> dict[TopicPartition, list[ConsumerRecord[Any, Any]]]:
        self.fetches += 1
        if self.paused:
            await asyncio.sleep(0)
            return {}
        start, self.position = self.position, len(self.values)
        if self.failures:
            raise self.failures.pop(0)
        await asyncio.sleep(0)
        records = [record(ZERO, n, value) for n, value in enumerate(self.values[start:], start)]
        return {ZERO: records} if records else {}

    async def commit(self, offsets: dict[TopicPartition, int]) -> None:
        self.committed_offset = offsets[ZERO]

    async def committed(self, _: TopicPartition) -> int | None:
        return self.committed_offset

    async def beginning_offsets(self, _: Sequence[TopicPartition]) -> dict[TopicPartition, int]:
        return {ZERO: 0}

    def seek(self, _: TopicPartition, offset: int) -> None:
        self.position = offset

    def highwater(self, _: TopicPartition) -> int:
        return len(self.values)

    def pause(self, *_: TopicPartition) -> None:
        self.paused = True

    def resume(self, *_: TopicPartition) -> None:
        self.paused = False


class Bench:
    """A stage on such a log, and what it has handled."""

    def __init__(self, topic: Topic[Order] | None = None) -> None:
        self.log = Log()
        self.handled: list[int] = []
        topics = Topics()

        async def write_invoices(batch: Batch[Order]) -> None:
            for o in batch:
                self.handled.append(o.amount)
                batch.emit(invoice(o, o.amount), cause=o)

        async def count_ticks(_: Tick) -> None:
            self.ticks += 1

        self.ticks = 0
        reads = topic or topics.orders
        stage = Stage(
            write_invoices, reads=reads, emits=[topics.invoices], on_tick=count_ticks, tick_seconds=0.001
        )
        runner = StageRunner(
            stage, role="tests-worker", producer=Nowhere(), clock=SystemClock(), patience=PATIENCE
        )
        self.stage = KafkaStage(runner, KafkaSettings(), SystemClock(), lambda: True)
        self.stage.attach(SimpleNamespace(subscriber=lambda *_, **__: SimpleNamespace(consumer=self.log)))  # type: ignore[arg-type]

    async def until(self, *amounts: int) -> None:
        async with asyncio.timeout(10):
            while self.handled != list(amounts):
                await asyncio.sleep(0.005)

    async def fetched(self, times: int) -> None:
        wanted = self.log.fetches + times
        async with asyncio.timeout(10):
            while self.log.fetches < wanted:
                await asyncio.sleep(0.005)


@pytest.fixture
async def bench() -> AsyncIterator[Bench]:
    made = Bench()
    yield made
    made.stage.stopping = True
    made.stage.resume()
    await made.stage.drain()


def gauge(name: str) -> float | None:
    return REGISTRY.get_sample_value(name, {"role": "tests-worker", "stage": "write_invoices"})


async def test_halted_by_command_it_commits_and_fetches_no_more_until_it_is_resumed(bench: Bench) -> None:
    bench.log.add(1, 2)
    bench.stage.begin()
    await bench.until(1, 2)
    assert await bench.stage.halt("by command", 10)
    fetches = bench.log.fetches
    bench.log.add(3)
    assert (bench.stage.halted, gauge("cdp_consumer_halted"), bench.log.committed_offset) == ("by command", 1.0, 2)
    assert not await bench.stage.halt("again", 0) or bench.log.fetches == fetches
    assert bench.stage.alive
    bench.stage.resume()
    await bench.until(1, 2, 3)
    assert (bench.stage.halted, gauge("cdp_consumer_halted")) == (None, 0.0)


async def test_the_clock_has_no_turn_while_it_is_halted(bench: Bench) -> None:
    bench.stage.begin()
    assert await bench.stage.halt("by command", 10)
    bench.stage.assigned()
    await asyncio.sleep(0.05)  # fifty turns, if it had any
    assert bench.ticks == 0
    bench.stage.resume()
    async with asyncio.timeout(10):
        while not bench.ticks:
            await asyncio.sleep(0.005)


async def test_what_halted_by_itself_stays_halted_when_its_partitions_move() -> None:
    bench = Bench(Topics(on_poison="halt").orders)
    bench.log.add(1)
    bench.log.values.append(b"poison")
    bench.stage.begin()
    async with asyncio.timeout(10):
        while not bench.stage.halted:
            await asyncio.sleep(0.005)
    await asyncio.wait_for(bench.stage.revoke(), 5)  # it does not wait for a batch that waits for a person
    bench.stage.assigned()
    bench.log.position = bench.log.committed_offset or 0
    bench.log.values.pop()
    fetches = bench.log.fetches
    assert await bench.stage.halt("by command", 10)
    assert bench.stage.halted == "json_invalid at / on " + bench.stage.runner.stage.reads[0].name
    assert (bench.handled, bench.log.fetches) == ([], fetches)
    bench.stage.resume()
    await bench.until(1)
    bench.stage.stopping = True
    await bench.stage.drain()


async def test_a_command_does_not_pardon_what_comes_after_it(bench: Bench) -> None:
    bench.stage.begin()
    assert await bench.stage.halt("by command", 10)
    bench.stage.resume()
    bench.log.values += [b"garbage"] * PATIENCE.in_a_row
    async with asyncio.timeout(10):
        while not bench.stage.halted:
            await asyncio.sleep(0.005)
    assert bench.stage.halted == f"{PATIENCE.in_a_row} dead letters in a row"


async def test_an_unforeseen_failure_is_told_with_its_place_and_loses_nothing(
    bench: Bench, caplog: pytest.LogCaptureFixture
) -> None:
    bench.log.add(1)
    bench.log.failures = [RuntimeError("quotes jane")]  # after the position has moved on
    with caplog.at_level(logging.ERROR, "cdp.kafka"):
        bench.stage.begin()
        await bench.until(1)
    (line,) = [entry.getMessage() for entry in caplog.records if "fetch loop" in entry.getMessage()]
    assert "RuntimeError at test_halting.py" in line
    assert "jane" not in line
    assert bench.stage.alive


async def test_a_batch_that_breaks_behind_the_handler_comes_again(
    bench: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    note, broken = bench.stage._progress.note, [RuntimeError()]

    def breaks(records: Any) -> None:
        if broken:
            raise broken.pop()
        note(records)

    monkeypatch.setattr(bench.stage._progress, "note", breaks)
    bench.log.add(1, 2)
    bench.stage.begin()
    await bench.until(1, 2, 1, 2)


async def test_a_loop_that_only_fails_is_not_alive(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(kafka_stage, "LIVE_SECONDS", 0.2)
    bench.log.failures = [RuntimeError()] * 1000
    bench.stage.begin()
    async with asyncio.timeout(10):
        while bench.stage.alive:
            await asyncio.sleep(0.01)
    assert (gauge("cdp_fetch_stalled_seconds") or 0) >= 0.2
    bench.log.failures.clear()
    async with asyncio.timeout(10):
        while not bench.stage.alive:
            await asyncio.sleep(0.01)


async def test_a_loop_that_has_ended_is_not_alive(bench: Bench) -> None:
    assert bench.stage.alive, "it has not begun"
    bench.stage.begin()
    await bench.fetched(1)
    assert bench.stage._fetching
    bench.stage._fetching.cancel()
    await asyncio.wait({bench.stage._fetching})
    assert not bench.stage.alive


@asynccontextmanager
async def asked(application: Role) -> AsyncIterator[httpx.AsyncClient]:
    transport = httpx.ASGITransport(app=application)
    async with httpx.AsyncClient(transport=transport, base_url="http://role") as client:
        yield client


@pytest.mark.parametrize("word", ["halt", "resume"])
async def test_only_who_has_the_admin_token_may_halt_and_resume(word: str, bench: Bench) -> None:
    application = role("tests-worker", admin=AdminSettings(admin_token=SecretStr(TOKEN)))
    application.state.stages.append(bench.stage)
    bench.stage.begin()
    async with asked(application) as client:
        for headers in ({}, {"Authorization": "Bearer wrong"}, {"Authorization": TOKEN}):
            assert (await client.post(f"/{word}", headers=headers)).status_code == 401
        assert bench.stage.halted is None
        bearer = {"Authorization": f"Bearer {TOKEN}"}
        assert (await client.post("/halt", headers=bearer)).json() == {"halted": 1, "finishing": 0}
        assert (await client.get("/readyz")).json()["halted"] == ["by command"]
        assert (await client.post("/resume", headers=bearer)).json() == {"resumed": 1}
        assert (await client.get("/readyz")).json()["halted"] == []


@pytest.mark.parametrize("token", [None, SecretStr("")])
async def test_without_a_configured_token_nobody_may(token: SecretStr | None) -> None:
    application = role("tests-worker", admin=AdminSettings(admin_token=token))
    async with asked(application) as client:
        for headers in ({}, {"Authorization": "Bearer "}, {"Authorization": "Bearer x"}):
            assert (await client.post("/halt", headers=headers)).status_code == 403
            assert (await client.post("/resume", headers=headers)).status_code == 403


async def test_a_stuck_loop_is_told_by_the_probe(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    application = role("tests-worker", admin=AdminSettings())
    application.state.stages.append(bench.stage)
    async with asked(application) as client:
        bench.stage.begin()
        await bench.fetched(1)
        assert (await client.get("/livez")).status_code == 200
        monkeypatch.setattr(kafka_stage, "LIVE_SECONDS", -1.0)
        answer = await client.get("/livez")
    assert (answer.status_code, answer.json()["status"]) == (503, "stuck")

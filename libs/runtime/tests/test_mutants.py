"""Every promise of the runtime, broken on purpose: the suite must notice each time."""

from __future__ import annotations

import asyncio
import inspect
import logging
from collections.abc import Awaitable, Callable, Iterator
from functools import partial
from types import ModuleType, SimpleNamespace
from typing import Any, Final, NamedTuple, TypeAlias

import pytest
import test_delivery as delivery
import test_progress as progress
import test_records as records_suite
import test_runtime_crash_points as crash_points
import test_unfinished_batches as unfinished
from cdp_runtime import backoff, batch, codec, kafka_progress, kafka_stage, letters, recent, records, runner
from cdp_runtime.records import MemoryRecords
from harness import BusHarness, Topics
from planting import plant

Check: TypeAlias = Callable[[], Awaitable[None]]

SECONDS: Final = 5
"""A mutant that has not come to an end by then never will."""


class Mutant(NamedTuple):
    """One place of the runtime, and what stands there in a runtime that breaks the promise."""

    promise: str
    module: ModuleType
    old: str
    new: str


MUTANTS: Final = [
    Mutant(
        "emits are acknowledged before the batch is committed", runner,
        "                await self._producer.send(outgoing)\n",
        "                __import__('asyncio').ensure_future(self._producer.send(outgoing))\n",
    ),
    Mutant(
        "what could not be sent is sent again before the batch is committed", runner,
        "                await self._again(\"away\", attempt)\n                attempt += 1\n            else:\n",
        "                return\n            else:\n",
    ),
    Mutant(
        "nothing is emitted before it is saved", runner,
        "            await self.stage.handler(batch, *self.stage.uses)\n",
        "            try:\n                await self.stage.handler(batch, *self.stage.uses)\n"
        "            except Conflict:\n"
        "                await self._send(batch.outbox.emitted, [], self._trace(()))\n                raise\n",
    ),
    Mutant(
        "a conflict discards the emits", runner,
        "            batch = Batch(messages,", "            batch = batch if attempt else Batch(messages,",
    ),
    Mutant(
        "a conflict is not counted, halved or dead-lettered", runner,
        "            except Conflict:\n                await self._again(\"conflict\", min(attempt, 3))\n",
        "            except Conflict:\n                raise\n",
    ),
    Mutant(
        "a store that is away is waited for, and nothing dead-lettered", runner,
        "self.stage.uses):\n                    raise\n", "self.stage.uses) or True:\n                    raise\n",
    ),
    Mutant(
        "halving handles both halves", runner,
        "            await self._handle(messages[half:])\n",
        "",
    ),
    Mutant(
        "halving keeps the order", runner,
        "            await self._handle(messages[:half])\n            await self._handle(messages[half:])\n",
        "            await self._handle(messages[half:])\n            await self._handle(messages[:half])\n",
    ),
    Mutant(
        "only the message that fails is set aside", runner,
        "        if len(messages) > 1:\n            half",
        "        if len(messages) > 1:\n            for _, one in messages:\n"
        "                await self._give_up(one, type(error).__name__, attempt)\n"
        "        elif messages[1:]:\n            half",
    ),
    Mutant(
        "a message is tried as often as is said before it is set aside", runner,
        "        elif attempt < self._patience.attempts:\n", "        elif attempt < 1:\n",
    ),
    Mutant(
        "what cannot be read is set aside", runner,
        "                await self._send([], letters, self._trace(()))\n", "",
    ),
    Mutant(
        "what the domain refuses is set aside", runner,
        "            await self._send(batch.outbox.emitted, batch.dead_letters, trace)\n",
        "            await self._send(batch.outbox.emitted, [], trace)\n",
    ),
    Mutant(
        "a dead letter has the original bytes", letters,
        "record.key, record.value, kept",
        "record.key, (record.value or b'').decode(errors='replace').encode(), kept",
    ),
    Mutant(
        "a dead letter has the original headers", letters,
        "kept + tuple(", "tuple(",
    ),
    Mutant(
        "nothing of a halting topic is set aside", runner,
        "            if topic.on_poison == \"halt\":\n", "            if False:\n",
    ),
    Mutant(
        "too many dead letters in a row halt the stage", backoff,
        "        if self._row >= self._patience.in_a_row:\n", "        if False:\n",
    ),
    Mutant(
        "a halted stage waits for a person", kafka_stage,
        "                await self._halt.passed()\n            except",
        "                return\n            except",
    ),
    Mutant(
        "a message found in `recent` is not applied again", recent,
        "        return str(message_id) in self._lines\n", "        return False\n",
    ),
    Mutant(
        "what cannot be rebuilt is remembered with the message", recent,
        "line_of((str(message_id), now.timestamp(), outcome))\n",
        "line_of((str(message_id), now.timestamp(), None))\n",
    ),
    Mutant(
        "`recent` is saved with what it tells of", records,
        "\"recent\": record.recent.dump(),", "\"recent\": \"[]\",",
    ),
    Mutant(
        "a record of a newer version is not misread", records,
        "    if written > kind.schema_version:\n", "    if False:\n",
    ),
    Mutant(
        "a save is a compare-and-set, so a cache is safe", records,
        "            if (stored[\"rev\"] if stored else 0) != record.rev:\n", "            if False:\n",
    ),
    Mutant(
        "who lost a compare-and-set is told", records,
        "                lost += 1\n                continue\n            self.documents",
        "                continue\n            self.documents",
    ),
    Mutant(
        "a message has the same id whenever it is emitted", codec,
        "        return str(getattr(message, \"id\"))", "        return str(uuid4())",
    ),
    Mutant(
        "a timer moves on after the acknowledgement", runner,
        "            if tick.outbox.emitted:\n",
        "            for action in tick.acknowledged:\n                await action()\n"
        "            if tick.outbox.emitted:\n",
    ),
    Mutant(
        "timers do not run ahead of a backlog", kafka_progress,
        "            tp.partition: now if self._ended(consumer, tp) else min(now, self._handled[tp][1])\n",
        "            tp.partition: now\n",
    ),
    Mutant(
        "a batch is committed when it is done, not when it begins", kafka_stage,
        "                await self._process(records)\n                self._progress.note(records)\n",
        "                self._progress.note(records)\n                await self._process(records)\n",
    ),
    Mutant(
        "a batch that is abandoned on revoke is not committed", kafka_stage,
        "        finally:\n            self._in_flight = None\n",
        "        finally:\n            self._progress.note(records)\n            self._in_flight = None\n",
    ),
    Mutant(
        "a batch that cannot end in time is abandoned", kafka_stage,
        "            self.batch.cancel()\n", "",
    ),
    Mutant(
        "the offsets of this batch are committed, and no others", kafka_progress,
        "            self._open[tp] = record.offset + 1\n", "            self._open[tp] = record.offset + 2\n",
    ),
    Mutant(
        "a commit that failed is made again", kafka_progress,
        "            self._open = offsets | self._open\n", "",
    ),
    Mutant(
        "an emit to a topic that was not declared is an error", batch,
        "            raise UndeclaredTopic(f\"{type(message).__name__} is not among the emits of this stage\")\n",
        "            return\n",
    ),
]  # fmt: skip


def on_bus(test: Callable[..., Awaitable[None]], **given: Any) -> Check:
    """A test of the conformance suite, on the bus."""

    topics = given.pop("topics", None) or Topics()

    async def check() -> None:
        await test(BusHarness(topics), topics, **given)

    check.__name__ = test.__name__
    return check


def suite() -> list[Check]:
    """The conformance suite, the stores' and the Kafka adapter's, as far as they need no server."""
    conformance = [
        test
        for name, test in vars(delivery).items()
        if name.startswith("test_") and list(inspect.signature(test).parameters) == ["harness", "topics"]
    ]
    halting = {
        "test_unreadable_bytes_on_a_halting_topic_halt",
        "test_what_cannot_be_handled_on_a_halting_topic_halts",
    }
    crashes = [test for name, test in vars(crash_points).items() if name.startswith("test_")]
    batches = [test for name, test in vars(unfinished).items() if name.startswith("test_")]
    return [
        *(on_bus(test) for test in conformance if test.__name__ not in halting | {OPEN}),
        *(on_bus(delivery.test_too_many_dead_letters_halt_the_stage_until_a_person_resumes_it, amount=n)
          for n in (0, 13, None)),
        *(on_bus(delivery.test_what_cannot_be_handled_on_a_halting_topic_halts, amount=n,
                 topics=Topics(on_poison="halt")) for n in (0, 13)),
        on_bus(delivery.test_unreadable_bytes_on_a_halting_topic_halt, topics=Topics(on_poison="halt")),
        *crashes,
        partial(records_suite.test_of_two_writers_one_loses_and_nothing_is_lost,
                MemoryRecords(records_suite.Counter), known=True),
        partial(records_suite.test_a_record_of_a_newer_version_is_not_read_and_nothing_of_it_is_told,
                MemoryRecords(records_suite.Counter)),
        *batches,
        partial(progress.test_the_newest_offset_of_each_partition_is_committed_a_few_times_a_second, NOW),
        partial(progress.test_a_commit_that_failed_is_made_again_with_what_came_since, NOW),
    ]  # fmt: skip


OPEN: Final = "test_garbage_from_outside_never_halts"
NOW: Final = [1000.0]


@pytest.fixture(autouse=True)
def still(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """The clock by which commits are spaced is moved by hand; what a mutant logs is of no interest."""
    monkeypatch.setattr(kafka_progress, "time", SimpleNamespace(monotonic=lambda: NOW[0]))
    logging.disable(logging.CRITICAL)
    yield
    logging.disable(logging.NOTSET)


async def caught() -> list[str]:
    """The first check that fails; none if all hold."""
    for check in suite():
        try:
            async with asyncio.timeout(SECONDS):
                await check()
        except (Exception, pytest.fail.Exception) as error:
            return [f"{getattr(check, '__name__', check)}: {error!r}"]
    return []


async def test_the_runtime_keeps_its_promises() -> None:
    assert await caught() == []


@pytest.mark.parametrize("mutant", MUTANTS, ids=lambda mutant: mutant.promise)
async def test_a_broken_promise_is_noticed(mutant: Mutant, monkeypatch: pytest.MonkeyPatch) -> None:
    plant(monkeypatch, mutant.module, mutant.old, mutant.new)
    assert await caught(), "the mutant survived"

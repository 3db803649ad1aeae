"""Records beside a plain dictionary: two writers take turns at will, with stale copies and broken-off saves."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine, Iterator
from typing import Any, ClassVar, NamedTuple, TypeVar
from uuid import uuid4

import pytest
from cdp_devstack.servers import Stack
from cdp_runtime import records as records_module
from cdp_runtime.failures import Conflict
from cdp_runtime.records import MemoryRecords, MongoRecords, Records
from hypothesis import Phase, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule, run_state_machine_as_test
from motor.motor_asyncio import AsyncIOMotorClient
from planting import plant
from test_records import Counter

V = TypeVar("V")

WRITERS = st.sampled_from(["one", "two"])
IDS = st.sampled_from(["a", "b"])
MESSAGES = st.integers(1, 40)
"""Each adds its number, once."""


class Known(NamedTuple):
    """A record as the model has it."""

    rev: int
    messages: frozenset[int]


NOTHING = Known(0, frozenset())


class RecordsMachine(RuleBasedStateMachine):
    """The model keeps every revision there ever was; a loaded record must be one of them, and a save the next."""

    cached: ClassVar[bool] = False

    def __init__(self) -> None:
        super().__init__()
        self.loop = asyncio.new_event_loop()
        self.history: dict[str, list[Known]] = {i: [NOTHING] for i in "ab"}
        self.lost: dict[str, set[str]] = {}
        self.open()
        self.stores = {writer: self.store() for writer in ("one", "two")}
        self.held: dict[str, dict[str, Counter]] = {writer: {} for writer in self.stores}

    def open(self) -> None:
        self.shared = MemoryRecords(Counter)

    def store(self) -> Records[Counter]:
        return self.shared

    def do(self, work: Coroutine[Any, Any, V]) -> V:
        return self.loop.run_until_complete(work)

    @rule(writer=WRITERS, ids=st.lists(IDS, min_size=1), messages=st.lists(MESSAGES, min_size=1, max_size=3))
    def load_and_apply(self, writer: str, ids: list[str], messages: list[int]) -> None:
        found = self.do(self.stores[writer].load(ids))
        assert found.keys() == set(ids)
        for i, record in found.items():
            known = known_of(record)
            assert known == self.history[i][record.rev]
            if not self.cached or i in self.lost.get(writer, ()):
                assert known == self.history[i][-1], "neither cached nor lost, and yet out of date"
            for message in messages:
                self.apply(record, message)
        self.held[writer] = found

    @staticmethod
    def apply(record: Counter, message: int) -> None:
        before, seen = record.value, record.seen(str(message))
        record.add(str(message), message)
        assert record.value == before + (0 if seen else message)

    @rule(writer=WRITERS)
    def save(self, writer: str) -> None:
        self._save(writer, self.held[writer])

    @rule(writer=WRITERS, ids=st.lists(IDS, min_size=1), message=MESSAGES)
    def take_a_turn(self, writer: str, ids: list[str], message: int) -> None:
        """As the runtime does: after a conflict all is loaded again, and what is loaded then is up to date."""
        self.load_and_apply(writer, ids, [message])
        self.save(writer)
        if not self.held[writer]:
            self.load_and_apply(writer, ids, [message])
            self.save(writer)
            assert self.held[writer], "a conflict with nobody"

    @precondition(lambda self: any(self.held.values()))
    @rule(writer=WRITERS, count=st.integers(0, 2))
    def die_while_saving(self, writer: str, count: int) -> None:
        """Some of its documents are written; the process that comes next knows nothing."""
        self._save(writer, dict(list(self.held[writer].items())[:count]))
        self.held[writer], self.stores[writer] = {}, self.store()
        self.lost.pop(writer, None)

    def _save(self, writer: str, records: dict[str, Counter]) -> None:
        changed = [record for record in records.values() if record.changed]
        lost = {record.id for record in changed if record.rev != self.history[record.id][-1].rev}
        told = {record.id: Known(record.rev + 1, known_of(record).messages) for record in changed}
        try:
            self.do(self.stores[writer].save(records))
        except Conflict:
            assert lost, "nobody had written in between"
            self.held[writer] = {}  # a conflict begins with a load
            self.lost.setdefault(writer, set()).update(told)
        else:
            assert not lost, "a write of somebody else was written over"
            self.lost.get(writer, set()).difference_update(told)
        for i in told.keys() - lost:
            self.history[i].append(told[i])

    @invariant()
    def what_is_stored_is_what_the_model_says(self) -> None:
        for i, record in self.do(self.store().load("ab")).items():
            assert known_of(record) == self.history[i][-1]

    def teardown(self) -> None:
        self.loop.close()


def known_of(record: Counter) -> Known:
    """A record in the model's words. Its value must be the sum of its messages: none lost, none twice."""
    messages = frozenset(int(message) for message, _, _ in record.recent)
    assert record.value == sum(messages)
    return Known(record.rev, messages)


class MongoMachine(RecordsMachine):
    """Each writer with a cache of its own, over one collection."""

    cached = True
    url: ClassVar[str]

    def open(self) -> None:
        async def connected() -> AsyncIOMotorClient[Any]:
            return AsyncIOMotorClient(self.url, tz_aware=True)

        self.client = self.do(connected())
        self.collection = self.client["tests"][f"model-{uuid4().hex}"]

    def store(self) -> Records[Counter]:
        return MongoRecords(self.collection, Counter, keep_bytes=300)

    def teardown(self) -> None:
        self.do(self.collection.drop())
        self.client.close()
        super().teardown()


@pytest.fixture(scope="module")
def mongo() -> Iterator[Callable[[], str]]:
    stack = Stack.start("embedded", only=("mongo",))
    yield lambda: stack.mongo
    stack.stop()


MANY = settings(max_examples=50, stateful_step_count=20, deadline=None, database=None)
FEW = settings(MANY, max_examples=10)
PLENTY = settings(MANY, phases=(Phase.generate,), derandomize=True)


def test_records_in_memory_are_what_the_model_says() -> None:
    run_state_machine_as_test(RecordsMachine, settings=MANY)


@pytest.mark.wire
def test_records_in_mongodb_are_what_the_model_says(mongo: Callable[[], str]) -> None:
    MongoMachine.url = mongo()
    run_state_machine_as_test(MongoMachine, settings=FEW)


KEEP_ALL = "_ = [self._kept.put(i, document) for i, document in encoded.items()]"
WITHOUT = {
    "compare-and-set": ('{"_id": i, "rev": r.rev}', '{"_id": i}'),
    "a count of what was lost": ("return len(writes) - result.matched_count", "return 0"),
    "forgetting what is taken": ("self._documents.pop(id_, None)", "self._documents.get(id_)"),
    "dropping what was refused": ("        lost = await", f"        {KEEP_ALL}\n        lost = await"),
}


@pytest.mark.wire
@pytest.mark.parametrize("fault", WITHOUT)
def test_the_model_notices_a_store_without(
    fault: str, mongo: Callable[[], str], monkeypatch: pytest.MonkeyPatch
) -> None:
    plant(monkeypatch, records_module, *WITHOUT[fault])
    MongoMachine.url = mongo()
    with pytest.raises((AssertionError, KeyError, IndexError, ExceptionGroup)):
        run_state_machine_as_test(MongoMachine, settings=PLENTY)

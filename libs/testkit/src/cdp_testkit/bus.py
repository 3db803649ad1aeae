"""An in-memory broker with the promises of the real one: partitions, order, groups, offsets, redelivery.

It passes the conformance suite of `libs/runtime/tests`. What it cannot do: two instances in one group.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any, Final, TypeAlias, TypeVar

from aiokafka import TopicPartition
from aiokafka.partitioner import DefaultPartitioner
from cdp_contracts.envelope import Contract
from cdp_contracts.topics import TOPICS, Topic
from cdp_runtime.backoff import Patience
from cdp_runtime.clock import ManualClock
from cdp_runtime.codec import decode, encode
from cdp_runtime.failures import Halted
from cdp_runtime.runner import StageRunner
from cdp_runtime.stage import Stage
from cdp_runtime.tables import AnyTable
from cdp_runtime.transport import Headers, Incoming, Outgoing
from opentelemetry.trace import Tracer

from cdp_testkit.subscribing import BusConsumer, Offsets

M = TypeVar("M", bound=Contract)
Script: TypeAlias = Callable[["Action"], None]

DEFAULT_START: Final = datetime(2026, 1, 5, 12, 0, tzinfo=UTC)
DEFAULT_PARTITIONS: Final = {topic.name: topic.partitions for topic in TOPICS}


class Crash(BaseException):
    """Raised by a script to end a role at this point, as kill -9 would. No handler can catch it as an error."""


@dataclass(frozen=True, slots=True)
class Action:
    """What happens, in order: fetched, ticked, emitted (one a record, before it is written), committed."""

    what: str
    group: str
    topic: str
    count: int


@dataclass
class _Group:
    runner: StageRunner[Any]
    tables: Sequence[AnyTable]
    offsets: dict[tuple[str, int], int] = field(default_factory=lambda: defaultdict(int))
    halted: str | None = None
    prepared: bool = False


class LocalBus:
    """Topics, stages and their offsets in one process.

    `drain` runs every stage until nothing is left; `tick` gives the clock its turn. `script` sees every
    action before it happens and may raise `Crash`; draining again then redelivers what was not committed.
    """

    def __init__(self, clock: ManualClock | None = None, *, patience: Patience | None = None) -> None:
        self.clock = clock or ManualClock(DEFAULT_START)
        self.actions: list[Action] = []
        self.script: Script | None = None
        self.max_records = 500
        self.tracer: Tracer | None = None
        self._patience = patience
        self._topics: dict[str, list[list[Incoming]]] = {}
        self._groups: dict[str, _Group] = {}
        self._tables: list[AnyTable] = []
        self._subscribers: dict[str, Offsets] = defaultdict(dict)
        self._partitioner = DefaultPartitioner()

    def attach(self, role: str, stages: Sequence[Stage[Any]], tables: Sequence[AnyTable] = ()) -> None:
        """Run these stages as that role from now on; a group that ran before goes on where it stood."""
        for stage in stages:
            producer = _GroupProducer(self, stage.group(role))
            runner = StageRunner(
                stage, role=role, producer=producer, clock=self.clock, patience=self._patience, tracer=self.tracer
            )
            known = self._groups.get(runner.group)
            self._groups[runner.group] = _Group(runner, tables, known.offsets if known else defaultdict(int))
        for table in tables:
            for record in self.raw(table.topic.name):
                table.apply((record.key or b"").decode(), record.value)
            table.caught_up = True
            self._tables.append(table)

    def declare(self, topic: str, partitions: int) -> None:
        """Create a topic that is not in the registry; those in it are there already."""
        self._topics[topic] = [[] for _ in range(partitions)]

    async def publish(self, topic: Topic[M], *messages: M, headers: Headers = ()) -> None:
        """Write messages as a producer with the typed contracts would."""
        for message in messages:
            record = encode(topic, message, source="test", now=self.clock.now(), trace=headers)
            self.write(record)

    def publish_raw(
        self, topic: str, value: bytes | None, key: bytes | None = None, headers: Headers = ()
    ) -> None:
        """Write bytes as anybody could."""
        self.write(Outgoing(topic, key, value, headers))

    def write(self, record: Outgoing) -> None:
        """Append a record to its partition; tables that follow the topic see it at once."""
        partitions = self._partitions(record.topic)
        numbers = list(range(len(partitions)))
        asked = record.partition
        number = self._partitioner(record.key, numbers, numbers) if asked is None else asked
        partition = partitions[number]
        partition.append(
            Incoming(
                topic=record.topic, partition=number, offset=len(partition), timestamp=self.clock.now(),
                key=record.key, value=record.value, headers=record.headers,
            )
        )  # fmt: skip
        for table in self._tables:
            if table.topic.name == record.topic:
                table.apply((record.key or b"").decode(), record.value)

    async def drain(self) -> None:
        """Run every stage, in turn, until no stage has anything to read."""
        while await self.step():
            pass

    async def step(self) -> bool:
        """One batch of every stage; whether any had one."""
        worked = False
        for group in self._groups.values():
            worked = await self._run_once(group) or worked
        return worked

    async def tick(self, turns: int = 10_000) -> None:
        """The clock's turn in every stage that is caught up, as of now; so many in a row for one that hurries."""
        now = self.clock.now()
        for group in self._groups.values():
            topics = [topic.name for topic in group.runner.stage.reads]
            partitions = {number for topic in topics for number in range(len(self._partitions(topic)))}
            if group.runner.stage.on_tick and not group.halted:
                await self._prepare(group)
                for _ in range(turns):
                    self.note(Action("ticked", group.runner.group, topics[0], 0))
                    if not await group.runner.tick(dict.fromkeys(partitions, now), self._positions(group)):
                        break

    async def partitions(self, topic: str) -> int:
        """See transport.History."""
        return len(self._partitions(topic))

    async def begins(self, topic: str, partition: int) -> int:
        """See transport.History."""
        return 0

    async def read(self, topic: str, partition: int, start: int, until: int) -> Sequence[Incoming]:
        """See transport.History."""
        return self._partitions(topic)[partition][start : min(until, start + self.max_records)]

    def redeliver(self) -> None:
        """Set every group back to the beginning: a replay of all that was ever read."""
        for group in self._groups.values():
            group.offsets.clear()

    def resume(self, group: str) -> None:
        """What a person does after a halt."""
        self._groups[group].halted = None
        self._groups[group].runner.resume()

    def halted(self) -> dict[str, str]:
        """The halted groups, with why."""
        return {name: group.halted for name, group in self._groups.items() if group.halted}

    def messages(self, topic: Topic[M]) -> list[M]:
        """Every message of a topic, decoded, partition by partition."""
        return [decode(topic, record.value) for record in self.raw(topic.name) if record.value is not None]

    def raw(self, topic: str) -> list[Incoming]:
        """Every record of a topic, partition by partition."""
        return [record for partition in self._topics.get(topic, []) for record in partition]

    def dead_letters(self, topic: Topic[Any], service: str) -> list[Incoming]:
        """What a service set aside of a topic."""
        return self.raw(topic.dead_letters(service))

    def subscriber(self, group: str) -> BusConsumer:
        """A consumer for `cdp_client.follow`; the next one of the same group goes on where this one stood."""

        def log(partition: TopicPartition) -> Sequence[Incoming]:
            return self._partitions(partition.topic)[partition.partition]

        return BusConsumer(log, lambda topic: len(self._partitions(topic)), self._subscribers[group])

    def note(self, action: Action) -> None:
        """Let the script see an action, then record it."""
        if self.script:
            self.script(action)
        self.actions.append(action)

    def _partitions(self, topic: str) -> list[list[Incoming]]:
        if topic not in self._topics:
            self._topics[topic] = [[] for _ in range(DEFAULT_PARTITIONS.get(topic, 1))]
        return self._topics[topic]

    async def _run_once(self, group: _Group) -> bool:
        if group.halted or not all(table.ready for table in group.tables):
            return False
        records = self._fetch(group)
        if not records:
            return False
        await self._prepare(group)
        name, topic = group.runner.group, records[0].topic
        self.note(Action("fetched", name, topic, len(records)))
        try:
            await group.runner.process(records)
        except Halted as halted:
            group.halted = halted.reason
            return False
        self.note(Action("committed", name, topic, len(records)))
        for record in records:
            group.offsets[record.topic, record.partition] = record.offset + 1
        return True

    async def _prepare(self, group: _Group) -> None:
        """Before the first batch or tick of a new process."""
        if not group.prepared:
            await group.runner.assigned(self._positions(group))
            group.prepared = True

    def _positions(self, group: _Group) -> dict[int, int]:
        topics = [topic.name for topic in group.runner.stage.reads]
        return {n: group.offsets[topic, n] for topic in topics for n in range(len(self._partitions(topic)))}

    def _fetch(self, group: _Group) -> list[Incoming]:
        records: list[Incoming] = []
        most = min(self.max_records, group.runner.stage.max_records or self.max_records)
        for topic in group.runner.stage.reads:
            for number, partition in enumerate(self._partitions(topic.name)):
                start = group.offsets[topic.name, number]
                records.extend(partition[start : start + most])
        return records


class _GroupProducer:
    """Writes to the bus on behalf of a stage, one record at a time, so that a crash may fall between two."""

    def __init__(self, bus: LocalBus, group: str) -> None:
        self._bus = bus
        self._group = group

    async def send(self, records: Sequence[Outgoing]) -> None:
        for record in records:
            self._bus.note(Action("emitted", self._group, record.topic, 1))
            self._bus.write(record)

    async def ping(self) -> None:
        """The bus is always there."""

"""What a handler gets: typed messages in, and a place to say what they bring about."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Final, Generic, NamedTuple, TypeVar

from cdp_contracts import failures_v1
from cdp_contracts.envelope import Contract
from cdp_contracts.topics import Topic

from cdp_runtime.failures import UndeclaredTopic
from cdp_runtime.transport import Headers, Incoming

M = TypeVar("M", bound=Contract)

DEAD_LETTERED: Final = "dead-lettered"
DUPLICATE: Final = "duplicate"
SETTLED: Final = "settled"


class Origin(NamedTuple):
    """Where a message stands in its topic and when it was written there; the same on every redelivery."""

    topic: str
    partition: int
    offset: int
    timestamp: datetime


def origin_of(record: Incoming) -> Origin:
    """Where a record first came from: one that was put back from the dead letters keeps its place and time."""
    said = dict(record.headers)
    place = (record.partition, record.offset)
    timestamp = record.timestamp
    if said.get(failures_v1.SOURCE_TOPIC) == record.topic.encode():
        try:
            place = int(said[failures_v1.SOURCE_PARTITION]), int(said[failures_v1.SOURCE_OFFSET])
            timestamp = datetime.fromisoformat(said[failures_v1.SOURCE_TIME].decode()).astimezone(UTC)
        except (KeyError, ValueError, OverflowError):
            pass
    return Origin(record.topic, *place, timestamp)


class Emitted(NamedTuple):
    """A message to be sent, and the record that caused it (None for a timer)."""

    topic: Topic[Contract]
    message: Contract
    cause: Incoming | None


@dataclass(frozen=True, slots=True)
class DeadLetter:
    """A record that could not be handled."""

    record: Incoming
    reason: str
    attempts: int = 1


class Outbox:
    """Collects what goes out after the handler has returned."""

    def __init__(self, emits: Sequence[Topic[Contract]]) -> None:
        self._topics: dict[type[Contract], Topic[Contract]] = {topic.model: topic for topic in emits}
        self.emitted: list[Emitted] = []

    def collect(self, message: Contract, cause: Incoming | None) -> None:
        """Note a message; UndeclaredTopic if its type belongs to no declared topic."""
        topic = self._topics.get(type(message))
        if topic is None:
            raise UndeclaredTopic(f"{type(message).__name__} is not among the emits of this stage")
        self.emitted.append(Emitted(topic, message, cause))


class Batch(Generic[M]):
    """Messages of one topic in the order of their partitions, and what is to follow from them.

    `emit`, `dead_letter`, `duplicate` and `settle` only collect. If the handler is run again, all is forgotten.
    """

    def __init__(
        self, messages: Sequence[tuple[M, Incoming]], emits: Sequence[Topic[Contract]], now: datetime
    ) -> None:
        self.now = now
        self._messages = messages
        self._records = {id(message): record for message, record in messages}
        self.outbox = Outbox(emits)
        self.dead_letters: list[DeadLetter] = []
        self.outcomes: dict[int, str] = {}

    def __iter__(self) -> Iterator[M]:
        return (message for message, _ in self._messages)

    def __len__(self) -> int:
        return len(self._messages)

    def origin(self, message: M) -> Origin:
        """Where the message first came from: a dead letter that is replayed keeps its place and its time."""
        return origin_of(self._records[id(message)])

    def written_at(self, message: M) -> datetime:
        """When the record was written here: of a dead letter that is replayed, when it was put back."""
        return self._records[id(message)].timestamp

    def headers(self, message: M) -> Headers:
        """The headers of the record that the message came in."""
        return self._records[id(message)].headers

    def emit(self, *messages: Contract, cause: M) -> None:
        """Send these once the handler has returned; they carry on the trace of their cause."""
        record = self._records[id(cause)]
        for message in messages:
            self.outbox.collect(message, record)
        if messages:
            self.outcomes[id(cause)] = self.outbox.emitted[-1].topic.outcome

    def dead_letter(self, message: M, reason: str, attempts: int = 1) -> None:
        """Set one message aside with its untouched bytes. The reason is a code, without personal data."""
        self.dead_letters.append(DeadLetter(self._records[id(message)], reason, attempts))
        self.outcomes[id(message)] = DEAD_LETTERED

    def duplicate(self, message: M) -> None:
        """Count a message that is a copy of an earlier one: nothing follows from it."""
        self.outcomes[id(message)] = DUPLICATE

    def settle(self, message: M) -> None:
        """Say that the message was handled, whether anything follows from it or not."""
        self.outcomes.setdefault(id(message), SETTLED)


class Tick:
    """The clock's turn in a stage: what is due may fire as of the watermark of its partition.

    `positions` says which offset of each of its partitions is handled next; all before it are.
    """

    def __init__(
        self,
        now: datetime,
        watermarks: Mapping[int, datetime],
        emits: Sequence[Topic[Contract]],
        positions: Mapping[int, int] | None = None,
    ) -> None:
        self.now = now
        self.watermarks = watermarks
        self.positions = positions or {}
        self.hurried = False
        self.outbox = Outbox(emits)
        self.acknowledged: list[Callable[[], Awaitable[None]]] = []

    def emit(self, *messages: Contract) -> None:
        """Send these once the tick's handler has returned."""
        for message in messages:
            self.outbox.collect(message, None)

    def hurry(self) -> None:
        """There is more to do: let the next turn come as soon as a batch that waits had its own."""
        self.hurried = True

    def after_ack(self, action: Callable[[], Awaitable[None]]) -> None:
        """Run this once everything emitted is acknowledged; a crash before it means it never ran."""
        self.acknowledged.append(action)

"""A stage: a typed handler over micro-batches."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping, Sequence
from typing import Any, Generic, TypeVar

from cdp_contracts.envelope import Contract
from cdp_contracts.topics import Topic

from cdp_runtime import codec
from cdp_runtime.transport import Incoming

M = TypeVar("M", bound=Contract)


class Stage(Generic[M]):
    """Reads a topic, emits to declared ones.

    `handler(batch, *uses)` loads, decides, saves and emits; it may be run again with the same messages and
    must then have the same effect. `on_tick(tick, *uses)` takes the clock's turn, never while the handler
    runs. `on_assigned(positions)` is told which offset of each partition is handled next before the first batch or
    tick that follows an assignment, until it succeeds. Every message must be emitted from, dead-lettered, called a
    duplicate or settled: what is not shows in the metrics `cdp_unaccounted_total`, `cdp_conservation_imbalance`.

    A stage that reads several topics says by `decode` what a record of them is; bytes that are none make it raise
    ValueError. Order holds within a partition, never between topics. `rest_seconds` is for what nobody waits for:
    so long at least between two batches, and fewer of them cost less. `max_records` bounds a batch whose messages
    take long. `name` tells stages with one handler apart. With `others_fault` a message that the handler sets
    aside says nothing against this deploy: however many they are, the stage does not halt.
    """

    def __init__(
        self,
        handler: Callable[..., Awaitable[None]],
        *,
        reads: Topic[M] | Sequence[Topic[Contract]],
        emits: Sequence[Topic[Contract]],
        uses: Sequence[object] = (),
        on_tick: Callable[..., Awaitable[None]] | None = None,
        tick_seconds: float = 0.25,
        on_assigned: Callable[[Mapping[int, int]], Awaitable[None]] | None = None,
        decode: Callable[[Incoming], M] | None = None,
        rest_seconds: float = 0,
        max_records: int | None = None,
        name: str | None = None,
        others_fault: bool = False,
    ) -> None:
        self.name: str = name or str(getattr(handler, "__name__", type(handler).__name__))
        self.handler = handler
        self.reads: tuple[Topic[Any], ...] = (reads,) if isinstance(reads, Topic) else tuple(reads)
        self.decode: Callable[[Incoming], M] = decode or self._by_model
        self.emits = tuple(emits)
        self.uses = tuple(uses)
        self.on_tick = on_tick
        self.tick_seconds = tick_seconds
        self.on_assigned = on_assigned
        self.rest_seconds = rest_seconds
        self.max_records = max_records
        self.others_fault = others_fault
        self._topics = {topic.name: topic for topic in self.reads}

    def topic_of(self, record: Incoming) -> Topic[Any]:
        """The topic that a record was read from."""
        return self._topics.get(record.topic, self.reads[0])

    def _by_model(self, record: Incoming) -> M:
        message: M = codec.decode(self.topic_of(record), record.value or b"")
        return message

    def group(self, role: str) -> str:
        """The consumer group: one a stage, so that one stage's halt or rebalance stops no other."""
        return f"{role}.{self.name}"

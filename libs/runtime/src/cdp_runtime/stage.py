"""A stage: a typed handler over a micro-batch of one topic."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence
from typing import Generic, TypeVar

from cdp_contracts.envelope import Contract
from cdp_contracts.topics import Topic

M = TypeVar("M", bound=Contract)


class Stage(Generic[M]):
    """Reads one topic, emits to declared ones.

    `handler(batch, *uses)` loads, decides, saves and emits; it may be run again with the same messages and
    must then have the same effect. `on_tick(tick, *uses)` takes the clock's turn, never while the handler
    runs. With `conserves`, every message must be emitted from, dead-lettered or called a duplicate:
    what is not shows in the metric `cdp_unaccounted_total`.
    """

    def __init__(
        self,
        handler: Callable[..., Awaitable[None]],
        *,
        reads: Topic[M],
        emits: Sequence[Topic[Contract]],
        uses: Sequence[object] = (),
        on_tick: Callable[..., Awaitable[None]] | None = None,
        tick_seconds: float = 0.25,
        conserves: bool = True,
    ) -> None:
        self.name: str = getattr(handler, "__name__", type(handler).__name__)
        self.handler = handler
        self.reads = reads
        self.emits = tuple(emits)
        self.uses = tuple(uses)
        self.on_tick = on_tick
        self.tick_seconds = tick_seconds
        self.conserves = conserves

    def group(self, role: str) -> str:
        """The consumer group: one a stage, so that one stage's halt or rebalance stops no other."""
        return f"{role}.{self.name}"

"""Listens to membership changes as a subscriber does, and notes when each arrived."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from types import TracebackType
from typing import Self

from aiokafka import AIOKafkaConsumer
from cdp_contracts.segments_v1 import MembershipChange, MembershipChanged
from cdp_contracts.topics import MEMBERSHIP_CHANGED

from cdp_devstack.offsets import partitions_of, true_ends


@dataclass(frozen=True, slots=True)
class Heard:
    """One flip, and when it reached us."""

    message: MembershipChanged
    change: MembershipChange
    at: datetime

    @property
    def seconds(self) -> float:
        """From the edge to us."""
        return (self.at - self.message.received_at).total_seconds()


class Listener:
    """A subscriber of everything from now on. An async context manager."""

    def __init__(self, bootstrap: str) -> None:
        self.heard: list[Heard] = []
        self._consumer = AIOKafkaConsumer(bootstrap_servers=bootstrap, enable_auto_commit=False)
        self._task: asyncio.Task[None] | None = None

    async def first(self, wanted: Callable[[Heard], bool], seconds: float = 30) -> Heard:
        """The first flip that is wanted; TimeoutError if none comes in time."""
        deadline = time.monotonic() + seconds
        seen = 0
        while time.monotonic() < deadline:
            for heard in self.heard[seen:]:
                seen += 1
                if wanted(heard):
                    return heard
            await asyncio.sleep(0.01)
        raise TimeoutError(f"no such membership change within {seconds:g} s")

    async def _listen(self) -> None:
        async for record in self._consumer:
            message = MembershipChanged.model_validate_json(record.value)
            now = datetime.now(UTC)
            self.heard.extend(Heard(message, change, now) for change in message.changes)

    async def __aenter__(self) -> Self:
        await self._consumer.start()
        partitions = await partitions_of(self._consumer, [MEMBERSHIP_CHANGED.name])
        ends = await true_ends(self._consumer, partitions)
        self._consumer.assign(partitions)
        for tp, end in ends.items():
            self._consumer.seek(tp, end)
        self._task = asyncio.create_task(self._listen())
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._task:
            self._task.cancel()
            await asyncio.gather(self._task, return_exceptions=True)
        await self._consumer.stop()

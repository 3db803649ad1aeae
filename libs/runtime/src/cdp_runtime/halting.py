"""Why a stage stands still: because a person must look, by command, or because its loop is stuck."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager


class Halt:
    """The gate before the next batch. Shut by what the stage met or by command, opened by a person."""

    def __init__(self) -> None:
        self.reason: str | None = None
        self._by_command = False
        self._opened = asyncio.Event()
        self._reached = asyncio.Event()

    def shut(self, reason: str, *, by_command: bool = False) -> None:
        """Let nothing pass from now on. A command does not replace the reason of a gate that is shut already."""
        if self.reason is None or not by_command:
            self.reason, self._by_command = reason, by_command
            self._opened.clear()

    def open(self) -> bool:
        """Let everything pass; whether it was shut because of what the stage met."""
        met = self.reason is not None and not self._by_command
        self.reason = None
        self._opened.set()
        return met

    async def passed(self) -> None:
        """Return once the gate is open."""
        if self.reason is not None:
            self._reached.set()
            try:
                await self._opened.wait()
            finally:
                self._reached.clear()

    @property
    def met(self) -> bool:
        """Whether somebody stands at the shut gate."""
        return self._reached.is_set()

    async def reached(self, seconds: float) -> bool:
        """Whether somebody stands at the shut gate within that time: then nothing is being handled."""
        try:
            await asyncio.wait_for(self._reached.wait(), seconds)
        except TimeoutError:
            return False
        return True


class Pulse:
    """How long a loop has not gone round, not counting what it waits for in good order."""

    def __init__(self, monotonic: Callable[[], float] = time.monotonic) -> None:
        self._monotonic = monotonic
        self._beat = monotonic()
        self._waits_since: float | None = None

    def beat(self) -> None:
        """It has gone round."""
        self._beat = self._monotonic()

    @contextmanager
    def waiting(self) -> Iterator[None]:
        """While it waits for a store, the broker or a person, however long."""
        self._waits_since = self._monotonic()
        try:
            yield
        finally:
            self._beat += self._monotonic() - self._waits_since
            self._waits_since = None

    def seconds(self) -> float:
        """Since it last went round, waiting apart."""
        now = self._monotonic() if self._waits_since is None else self._waits_since
        return max(0.0, now - self._beat)

"""Puts dead letters back, or drops them, a few at a time; what is done is marked in their topic."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from math import ceil
from typing import Literal

from cdp_runtime.clock import Clock
from cdp_runtime.transport import Producer, TooLarge

from cdp_cli.letters import Letter, in_order, mark, place_of, replayed
from cdp_cli.overtaking import Overtaking


@dataclass
class Settling:
    """Works off letters at a bounded rate and marks each once the broker has acknowledged it.

    Ended half way, it has marked what it is sure of; the rest stays open, and a record that was put back but not
    marked goes back again with the same origin.
    """

    producer: Producer
    clock: Clock
    by: str
    because: str
    overtaking: Overtaking
    done: int = 0
    too_large: list[Letter] = field(default_factory=list)
    overtaken: list[Letter] = field(default_factory=list)

    async def replay(self, letters: Sequence[Letter], rate: float) -> None:
        """Put open letters back in order, at most `rate` a second.

        What the topic would not take stays open, and what on a compacted topic would hide something newer.
        """
        entries = in_order(letters)
        step = ceil(rate / 10)
        for start in range(0, len(entries), step):
            began = self.clock.now()
            chunk = await self._newest(entries[start : start + step])
            await self._settle([letter for entry in await self._taken(chunk) for letter in entry], "replayed")
            spent = (self.clock.now() - began).total_seconds()
            await self.clock.sleep(max(0.0, len(chunk) / rate - spent))

    async def drop(self, letters: Sequence[Letter]) -> None:
        """Mark open letters so that no list and no replay sees them again."""
        await self._settle([letter for letter in letters if not letter.settled], "dropped")

    async def _newest(self, chunk: list[list[Letter]]) -> list[list[Letter]]:
        """Those that hide nothing newer, looked up just before they go back."""
        stale = {place_of(letter.record) for letter in await self.overtaking.of(entry[0] for entry in chunk)}
        self.overtaken.extend(letter for entry in chunk if place_of(entry[0].record) in stale for letter in entry)
        return [entry for entry in chunk if place_of(entry[0].record) not in stale]

    async def _taken(self, chunk: list[list[Letter]]) -> list[list[Letter]]:
        """Send the first of each entry; those whose record the broker took."""
        try:
            await self.producer.send([replayed(entry[0]) for entry in chunk])
        except TooLarge:
            return await self._one_by_one(chunk)
        return chunk

    async def _one_by_one(self, chunk: list[list[Letter]]) -> list[list[Letter]]:
        taken = []
        for entry in chunk:
            try:
                await self.producer.send([replayed(entry[0])])
            except TooLarge:
                self.too_large.extend(entry)
            else:
                taken.append(entry)
        return taken

    async def _settle(self, letters: Sequence[Letter], what: Literal["replayed", "dropped"]) -> None:
        now = self.clock.now()
        await self.producer.send([mark(one, what, by=self.by, because=self.because, now=now) for one in letters])
        self.done += len(letters)

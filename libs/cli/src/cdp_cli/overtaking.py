"""Which dead letters would hide something newer: on a compacted topic the last record of a key is what holds."""

from __future__ import annotations

from collections.abc import AsyncIterable, Callable, Collection, Iterable
from datetime import datetime, timedelta
from typing import Final, TypeAlias

from cdp_contracts.topics import TOPICS
from cdp_runtime.batch import origin_of
from cdp_runtime.clock import Clock
from cdp_runtime.transport import Incoming

from cdp_cli.letters import Letter

Read: TypeAlias = Callable[[Collection[str], datetime | None], AsyncIterable[Incoming]]

COMPACTED: Final = frozenset(topic.name for topic in TOPICS if topic.compacted)
OVERLAP: Final = timedelta(minutes=5)


class Overtaking:
    """Where the newest record of each key first stood, on the compacted topics that are asked for.

    `read(topics, since)` gives their records, to the end that they have then. What was put back before keeps its
    first place, so it overtakes nothing.
    """

    def __init__(self, read: Read, clock: Clock) -> None:
        self._read = read
        self._clock = clock
        self._newest: dict[tuple[str, int, bytes | None], int] = {}
        self._since: dict[str, datetime] = {}

    async def of(self, letters: Iterable[Letter]) -> list[Letter]:
        """Those behind which a newer record of the same key stands now."""
        compacted = [letter for letter in letters if letter.source in COMPACTED]
        for topic in {letter.source for letter in compacted}:
            await self._look(topic)
        return [letter for letter in compacted if self._newest.get(key_of(letter), -1) > letter.origin.offset]

    async def _look(self, topic: str) -> None:
        began = self._clock.now()
        async for record in self._read([topic], self._since.get(topic)):
            origin = origin_of(record)
            key = (topic, origin.partition, record.key)
            self._newest[key] = max(origin.offset, self._newest.get(key, -1))
        self._since[topic] = began - OVERLAP


def key_of(letter: Letter) -> tuple[str, int, bytes | None]:
    """Topic, partition and key: what compaction keeps one record of."""
    return letter.source, letter.origin.partition, letter.record.key

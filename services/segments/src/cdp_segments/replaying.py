"""Counting a partition's log, in bounded steps: read on, make tiles, pour them into the people's records."""

from __future__ import annotations

import time
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from itertools import islice
from typing import Final

from cdp_contracts.topics import PROFILES_UPDATED
from cdp_runtime.codec import decode
from cdp_runtime.failures import Conflict
from cdp_runtime.kafka_sends import partition_of
from cdp_runtime.transport import History, Incoming
from pydantic import ValidationError

from cdp_segments.domain.feeds import bearers
from cdp_segments.domain.progress import Progress
from cdp_segments.domain.tiles import Tiles, pour
from cdp_segments.domain.worlds import World
from cdp_segments.store import PersonStore

STEP_SECONDS: Final = 0.1
TILES: Final = 20_000
POURED_AT_ONCE: Final = 500


@dataclass
class Reading:
    """A log while it is read: where the next record is, and the tiles since it was last poured."""

    partition: int
    counting: dict[str, dict[str, int]]
    fence: int
    position: int
    tiles: dict[str, Tiles]
    pouring: bool = False

    @property
    def size(self) -> int:
        """How many tiles there are."""
        return sum(len(tiles.people) for tiles in self.tiles.values())

    def count(self, records: Iterable[Incoming]) -> None:
        """Make tiles of these. What cannot be read was set aside when it came, and counts for nobody."""
        for record in records:
            self.position = record.offset + 1
            try:
                update = decode(PROFILES_UPDATED, record.value or b"")
            except (ValidationError, ValueError, RecursionError):
                continue
            if tiles := self.tiles.get(update.tenant):
                tiles.add(update)


class Replaying:
    """Counts one log at a time. What is not poured yet is lost with the process, and read again."""

    def __init__(self, people: PersonStore, history: History) -> None:
        self._people = people
        self._history = history
        self._reading: Reading | None = None
        self._partitions: list[int] = []

    async def partitions(self) -> Sequence[int]:
        """The partitions of the log, asked for once: they are fixed for a topic's life."""
        if not self._partitions:
            self._partitions = list(range(await self._history.partitions(PROFILES_UPDATED.name)))
        return self._partitions

    async def go_on(self, partition: int, progress: Progress, worlds: Mapping[str, World]) -> None:
        """Some more of it; the progress changes once all that was read is poured."""
        until = time.monotonic() + STEP_SECONDS
        while progress.replay is not None and time.monotonic() < until:
            reading = self._reading_of(partition, progress, worlds)
            if reading.pouring:
                await self._pour(reading, worlds)
                if not reading.size:
                    reading.pouring = False
                    progress.reach(reading.position)
            else:
                await self._read(reading)

    def _reading_of(self, partition: int, progress: Progress, worlds: Mapping[str, World]) -> Reading:
        replay, reading = progress.replay, self._reading
        assert replay is not None  # noqa: S101  # nosec B101  # `go_on` looked
        if reading is None or (reading.partition, reading.fence, reading.counting) != (
            partition, replay.fence, progress.counting,
        ):  # fmt: skip
            tiles = {
                tenant: Tiles(bearers(worlds[tenant].counted, feeds))
                for tenant, feeds in progress.counting.items()
                if tenant in worlds
            }
            counting = {tenant: dict(feeds) for tenant, feeds in progress.counting.items()}
            reading = self._reading = Reading(partition, counting, replay.fence, replay.position, tiles)
        return reading

    def _home(self, profile_id: str) -> int:
        """The partition that updates of a profile are written to: its id is their key."""
        return partition_of(profile_id.encode(), self._partitions, self._partitions)

    async def _read(self, reading: Reading) -> None:
        topic = PROFILES_UPDATED.name
        records = await self._history.read(topic, reading.partition, reading.position, reading.fence)
        reading.count(records)
        if not records:
            reading.position = reading.fence
        reading.pouring = not records or reading.position >= reading.fence or reading.size >= TILES

    async def _pour(self, reading: Reading, worlds: Mapping[str, World]) -> None:
        for tenant, tiles in reading.tiles.items():
            page = dict(islice(tiles.people.items(), POURED_AT_ONCE))
            if not page:
                continue
            people = await self._people.load(page)
            pour(people, page.values(), tiles.open, worlds[tenant].catalog, self._home)
            try:
                await self._people.save(people)
            except Conflict:
                return  # the live stream wrote some of them: again, as they are now
            for id_ in page:
                del tiles.people[id_]
            return

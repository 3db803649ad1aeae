"""A consumer on the bus, as aiokafka's is to a subscriber: for `cdp_client.follow`."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, MutableMapping, Sequence
from typing import Any, TypeAlias

from aiokafka import TopicPartition
from cdp_runtime.transport import Incoming

Offsets: TypeAlias = MutableMapping[TopicPartition, tuple[int, str]]


class BusConsumer:
    """The only member of its group: it has every partition from its first fetch on."""

    def __init__(
        self,
        log: Callable[[TopicPartition], Sequence[Incoming]],
        partitions: Callable[[str], int],
        committed: Offsets,
    ) -> None:
        self._log = log
        self._partitions = partitions
        self._committed = committed
        self._positions: dict[TopicPartition, int] = {}
        self._topics: Sequence[str] = ()
        self._listener: Any = None

    def subscribe(self, topics: Sequence[str], *, listener: Any) -> None:
        """Read these topics; the listener is told of their partitions."""
        self._topics, self._listener = topics, listener

    def assignment(self) -> Iterable[TopicPartition]:
        """What it reads now."""
        return self._positions.keys()

    def seek(self, partition: TopicPartition, offset: int) -> None:
        """Read on from there."""
        self._positions[partition] = offset

    async def getmany(
        self, *partitions: TopicPartition, timeout_ms: int, max_records: int
    ) -> Mapping[TopicPartition, Sequence[Incoming]] | None:
        """What comes next; None at the end of the bus."""
        del timeout_ms
        if not self._positions:
            await self.assign(
                TopicPartition(topic, n) for topic in self._topics for n in range(self._partitions(topic))
            )
            return {}
        fetched = {tp: self._fetch(tp, max_records) for tp in partitions or tuple(self._positions)}
        found = {tp: records for tp, records in fetched.items() if records}
        return found or (None if not partitions else {})

    async def assign(self, partitions: Iterable[TopicPartition]) -> None:
        """Give it these partitions and no others, as a rebalance does."""
        await self._listener.on_partitions_revoked(set(self._positions))
        self._positions = {tp: self._committed.get(tp, (0, ""))[0] for tp in partitions}
        await self._listener.on_partitions_assigned(set(self._positions))

    async def position(self, partition: TopicPartition) -> int:
        """The offset of what comes next."""
        return self._positions[partition]

    async def stored(self, partition: TopicPartition) -> tuple[int, str] | None:
        """How far the group has committed, and what it noted there."""
        return self._committed.get(partition)

    async def beginning_offsets(self, partitions: list[TopicPartition]) -> dict[TopicPartition, int]:
        """Nothing is ever dropped at the beginning."""
        return dict.fromkeys(partitions, 0)

    async def end_offsets(self, partitions: list[TopicPartition]) -> dict[TopicPartition, int]:
        """The offset behind the last record."""
        return {tp: max((record.offset + 1 for record in self._log(tp)), default=0) for tp in partitions}

    async def commit(self, offsets: Mapping[TopicPartition, tuple[int, str]]) -> None:
        """Remember it for the group."""
        self._committed.update(offsets)

    def _fetch(self, partition: TopicPartition, most: int) -> list[Incoming]:
        start = self._positions[partition]
        records = [record for record in self._log(partition) if record.offset >= start][:most]
        if records:
            self._positions[partition] = records[-1].offset + 1
        return records

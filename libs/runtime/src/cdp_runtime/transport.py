"""The port between stages and a broker; Kafka and the test kit's bus implement it."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import NamedTuple, Protocol, TypeAlias

Headers: TypeAlias = tuple[tuple[str, bytes], ...]


class Incoming(NamedTuple):
    """A record as the broker delivered it."""

    topic: str
    partition: int
    offset: int
    timestamp: datetime
    key: bytes | None
    value: bytes | None
    headers: Headers = ()


class Outgoing(NamedTuple):
    """A record to be written. A null value is a tombstone, sent on purpose only.

    Its key says which partition it goes to, unless `partition` does: what is put back goes where it came from.
    """

    topic: str
    key: bytes | None
    value: bytes | None
    headers: Headers = ()
    partition: int | None = None


class Producer(Protocol):
    """Writes records."""

    async def send(self, records: Sequence[Outgoing]) -> None:
        """Return once every record is acknowledged by all in-sync replicas; order is kept per key.

        Raises TooLarge for a record that the broker will never take, else whatever keeps it from being
        written; then any part of the records may have been written.
        """
        ...


class History(Protocol):
    """Reads a topic again beside the stages, as nobody's consumer: no group, no offsets, no effect on either."""

    async def partitions(self, topic: str) -> int:
        """How many the topic has. Raises Away while the broker is, or while there is no such topic."""
        ...

    async def begins(self, topic: str, partition: int) -> int:
        """The offset of the first record that is kept. Raises Away while the broker is."""
        ...

    async def read(self, topic: str, partition: int, start: int, until: int) -> Sequence[Incoming]:
        """The next records from `start` on, or from the first that is kept, all before `until`, in order.

        At most some thousand at once; none if there is none before `until`. Raises Away while the broker is.
        """
        ...


class TooLarge(Exception):  # noqa: N818
    """The broker refuses a record of this size."""

    def __init__(self, index: int) -> None:
        super().__init__(f"record {index} is larger than the broker allows")
        self.index = index

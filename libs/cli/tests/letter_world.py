"""Dead letters on a bus, and what it takes to put them back."""

from __future__ import annotations

from collections.abc import AsyncIterator, Collection, Sequence
from datetime import UTC, datetime

from cdp_cli.letters import Letter, Wanted, collected
from cdp_cli.overtaking import Overtaking
from cdp_runtime.batch import DeadLetter
from cdp_runtime.letters import dead_letter
from cdp_runtime.transport import Incoming, Outgoing, TooLarge
from cdp_testkit import LocalBus

NOON = datetime(2026, 1, 5, 12, 0, tzinfo=UTC)


class BusProducer:
    """The producer port on the bus; refuses some values as too large."""

    def __init__(self, bus: LocalBus) -> None:
        self.bus = bus
        self.too_large: bytes | None = None
        self.sent_at: list[datetime] = []

    async def send(self, records: Sequence[Outgoing]) -> None:
        for index, record in enumerate(records):
            if record.value is not None and record.value == self.too_large:
                raise TooLarge(index)
            self.bus.write(record)
            if record.value is not None:
                self.sent_at.append(self.bus.clock.now())


def overtaking(bus: LocalBus) -> Overtaking:
    """Looks on the bus; a second look sees only what is new, as on Kafka."""

    async def read(topics: Collection[str], since: datetime | None) -> AsyncIterator[Incoming]:
        for record in (record for topic in topics for record in bus.raw(topic)):
            if since is None or record.timestamp >= since:
                yield record

    return Overtaking(read, bus.clock)


def set_aside(bus: LocalBus, *records: Incoming, reason: str = "KeyError", service: str = "collector") -> None:
    """What the runtime does with records that cannot be handled."""
    for record in records:
        bus.write(
            dead_letter(
                DeadLetter(record, reason, 3), topic=f"{record.topic}.{service}.dlq", role=f"{service}-worker",
                stage="work", now=bus.clock.now(),
            )
        )  # fmt: skip


async def letters(bus: LocalBus, topic: str, wanted: Wanted | None = None) -> list[Letter]:
    async def read() -> AsyncIterator[Incoming]:
        for record in bus.raw(topic):
            yield record

    return await collected(read(), wanted or Wanted())

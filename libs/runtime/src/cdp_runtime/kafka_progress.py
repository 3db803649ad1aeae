"""How far a consumer has come in each of its partitions."""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Awaitable, Callable, Iterable, Mapping
from datetime import datetime
from typing import Final

from aiokafka import AIOKafkaConsumer, ConsumerRebalanceListener, TopicPartition
from aiokafka.errors import CommitFailedError, IllegalStateError, KafkaError

from cdp_runtime.kafka_records import EPOCH
from cdp_runtime.transport import Incoming

log: Final = logging.getLogger("cdp.kafka")

COMMIT_SECONDS: Final = 0.25
LAST_COMMIT_SECONDS: Final = 5.0
LONGEST_COMMIT: Final = 30.0


class Handover(ConsumerRebalanceListener):  # type: ignore[misc]  # aiokafka publishes no types
    """Finishes the batch in flight before partitions go to somebody else."""

    def __init__(self, revoke: Callable[[], Awaitable[None]], assigned: Callable[[], None]) -> None:
        self._revoke = revoke
        self._assigned = assigned

    async def on_partitions_revoked(self, revoked: set[TopicPartition]) -> None:
        await self._revoke()

    async def on_partitions_assigned(self, assigned: set[TopicPartition]) -> None:
        self._assigned()


class Progress:
    """What was handled, acknowledgements included. It is committed a few times a second, not with every batch.

    After a crash what was handled since the last commit is handled again, like the batch in flight.
    """

    def __init__(self, group: str) -> None:
        self._group = group
        self._handled: dict[TopicPartition, tuple[int, datetime]] = {}
        self._open: dict[TopicPartition, int] = {}
        self._committed_at = 0.0
        self.stuck = False

    def note(self, records: Iterable[Incoming]) -> None:
        """These records are done with. Of each partition they come in order."""
        for tp, record in {TopicPartition(r.topic, r.partition): r for r in records}.items():
            self._handled[tp] = (record.offset + 1, record.timestamp)
            self._open[tp] = record.offset + 1

    def clear(self) -> None:
        """Know nothing: partitions were assigned anew."""
        self._handled.clear()
        self._open.clear()
        self.stuck = False

    async def rewind(self, consumer: AIOKafkaConsumer) -> None:
        """Read on behind what was handled, whatever was fetched since. KafkaError if that cannot be learnt."""
        for tp in consumer.assignment():
            consumer.seek(tp, self._handled[tp][0] if tp in self._handled else await _start_of(consumer, tp))

    async def commit_in_time(self, consumer: AIOKafkaConsumer) -> None:
        """Commit if there is something to commit and the last time is long enough ago. Raises nothing."""
        if self._open and time.monotonic() - self._committed_at >= COMMIT_SECONDS:
            await self._commit(consumer)

    async def commit(self, consumer: AIOKafkaConsumer | None) -> None:
        """Commit now: the partitions are about to go. Raises nothing; gives up after a while."""
        if self._open and consumer:
            try:
                await asyncio.wait_for(self._commit(consumer), LAST_COMMIT_SECONDS)
            except TimeoutError:
                log.warning("%s: the last commit took too long", self._group)

    async def _commit(self, consumer: AIOKafkaConsumer) -> None:
        offsets = self._open
        self._open = {}
        self._committed_at = time.monotonic()
        try:
            await asyncio.wait_for(consumer.commit(offsets), LONGEST_COMMIT)
        except (CommitFailedError, IllegalStateError):
            log.warning("%s: partitions moved before the commit, others handle them again", self._group)
        except (KafkaError, RuntimeError, TimeoutError) as error:  # uvloop: RuntimeError, if just closed
            log.warning("%s: commit failed: %s", self._group, type(error).__name__)
            self._open = offsets | self._open
            # After the broker was away aiokafka may look for its coordinator for ever: a new consumer does not.
            self.stuck = isinstance(error, TimeoutError)

    def behind_since(self, consumer: AIOKafkaConsumer | None) -> datetime | None:
        """When the last record was written that was handled where more is waiting; None if nothing waits."""
        behind = [
            last for tp, (_, last) in self._handled.items() if last > EPOCH and not self._ended(consumer, tp)
        ]
        return min(behind, default=None)

    async def watermarks(self, consumer: AIOKafkaConsumer, now: datetime) -> Mapping[int, datetime]:
        """Up to when each partition is known: now if everything is handled, else its last record's time."""
        await self.positions(consumer)
        return {
            tp.partition: now if self._ended(consumer, tp) else min(now, self._handled[tp][1])
            for tp in consumer.assignment()
            if tp in self._handled
        }

    async def positions(self, consumer: AIOKafkaConsumer) -> Mapping[int, int]:
        """Which offset of each partition is handled next."""
        for tp in consumer.assignment():
            if tp not in self._handled:
                self._handled[tp] = (await _start_of(consumer, tp), EPOCH)
        return {tp.partition: offset for tp, (offset, _) in self._handled.items() if tp in consumer.assignment()}

    def _ended(self, consumer: AIOKafkaConsumer | None, tp: TopicPartition) -> bool:
        end = consumer.highwater(tp) if consumer and tp in consumer.assignment() else None
        return end is not None and self._handled[tp][0] >= end


async def _start_of(consumer: AIOKafkaConsumer, tp: TopicPartition) -> int:
    beginning: int = (await consumer.beginning_offsets([tp]))[tp]
    return max(beginning, await consumer.committed(tp) or 0)

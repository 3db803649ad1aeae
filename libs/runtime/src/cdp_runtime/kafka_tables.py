"""Fills global tables from Kafka: every partition read to its end, then followed, by every instance.

Caught up is a table whose ends, as they stood at the start, are reached, once a poll brings nothing more: the
embedded broker tells the end of a partition short by its last batch.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Sequence
from typing import Final

from aiokafka import AIOKafkaConsumer, TopicPartition
from aiokafka.errors import KafkaError

from cdp_runtime.failures import place_of
from cdp_runtime.kafka_client import client_options, reachable
from cdp_runtime.settings import KafkaSettings
from cdp_runtime.tables import AnyTable

log: Final = logging.getLogger("cdp.table")

POLL_MS: Final = 200
RETRY_SECONDS: Final = 1.0


class TableReader:
    """Reads the topics of some tables for as long as it runs; starts again from the beginning on a failure."""

    def __init__(self, settings: KafkaSettings, tables: Sequence[AnyTable]) -> None:
        self._settings = settings
        self._tables = {table.topic.name: table for table in tables}

    async def run(self) -> None:
        """Until cancelled."""
        while True:
            try:
                await self._follow()
            except (KafkaError, OSError) as error:
                log.warning("definitions cannot be read: %s", type(error).__name__)
            except Exception as error:
                log.error("definitions cannot be read: %s", place_of(error))  # noqa: TRY400
            await asyncio.sleep(RETRY_SECONDS)

    async def _follow(self) -> None:
        await reachable(self._settings)
        consumer = AIOKafkaConsumer(**client_options(self._settings), enable_auto_commit=False)
        await consumer.start()
        try:
            partitions = await self._partitions(consumer)
            consumer.assign(partitions)
            await consumer.seek_to_beginning(*partitions)
            ends = await consumer.end_offsets(partitions)
            while True:
                fetched = await consumer.getmany(timeout_ms=POLL_MS)
                self._apply(fetched)
                if not fetched:
                    await self._mark_caught_up(consumer, ends)
        finally:
            await consumer.stop()

    async def _partitions(self, consumer: AIOKafkaConsumer) -> list[TopicPartition]:
        """Every partition of every topic; waits for topics that are not there yet."""
        while True:
            await consumer._client.force_metadata_update()  # noqa: SLF001  # aiokafka has no public refresh
            found = {name: consumer.partitions_for_topic(name) for name in self._tables}
            if all(found.values()):
                return [TopicPartition(name, p) for name, numbers in found.items() for p in sorted(numbers or ())]
            log.warning("waiting for the topics of definitions")
            await asyncio.sleep(RETRY_SECONDS)

    def _apply(self, fetched: dict[TopicPartition, list[object]]) -> None:
        for tp, records in fetched.items():
            for record in records:
                key, value = record.key, record.value  # type: ignore[attr-defined]  # aiokafka is untyped
                self._tables[tp.topic].apply((key or b"").decode("utf-8", "replace"), value)

    async def _mark_caught_up(self, consumer: AIOKafkaConsumer, ends: dict[TopicPartition, int]) -> None:
        for name, table in self._tables.items():
            if not table.caught_up:
                mine = [tp for tp in ends if tp.topic == name]
                table.caught_up = all([await consumer.position(tp) >= ends[tp] for tp in mine])

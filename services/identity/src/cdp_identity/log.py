"""Where roles write what people decide, outside any stage."""

from __future__ import annotations

import asyncio
from typing import Generic, TypeVar

from cdp_contracts.envelope import Contract
from cdp_contracts.topics import Topic
from cdp_runtime.clock import Clock
from cdp_runtime.codec import encode
from cdp_runtime.failures import Away
from cdp_runtime.kafka_client import KafkaProducer

M = TypeVar("M", bound=Contract)


class TopicLog(Generic[M]):
    """A topic on the broker."""

    def __init__(self, topic: Topic[M], role: str, producer: KafkaProducer, clock: Clock, seconds: float) -> None:
        self._topic = topic
        self._role = role
        self._producer = producer
        self._clock = clock
        self._seconds = seconds

    async def write(self, message: M) -> None:
        """Return when it is acknowledged; Away if that takes too long, and then it may yet be written."""
        record = encode(self._topic, message, source=self._role, now=self._clock.now())
        try:
            async with asyncio.timeout(self._seconds):
                await self._producer.send([record])
        except TimeoutError:
            raise Away("the broker did not acknowledge in time") from None

    async def ping(self) -> None:
        """Raise Away if the broker does not answer."""
        await self._producer.ping()

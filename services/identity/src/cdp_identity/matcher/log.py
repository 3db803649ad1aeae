"""Where verdicts of people are written."""

from __future__ import annotations

import asyncio

from cdp_contracts.matches_v1 import MatchDecided
from cdp_contracts.topics import MATCHES_DECIDED
from cdp_runtime.clock import Clock
from cdp_runtime.codec import encode
from cdp_runtime.failures import Away
from cdp_runtime.kafka_client import KafkaProducer

MATCHER_ROLE = "identity-matcher"


class VerdictLog:
    """`matches.decided` on the broker."""

    def __init__(self, producer: KafkaProducer, clock: Clock, seconds: float) -> None:
        self._producer = producer
        self._clock = clock
        self._seconds = seconds

    async def write(self, verdict: MatchDecided) -> None:
        """Return when it is acknowledged; Away if that takes too long, and then it may yet be written."""
        record = encode(MATCHES_DECIDED, verdict, source=MATCHER_ROLE, now=self._clock.now())
        try:
            async with asyncio.timeout(self._seconds):
                await self._producer.send([record])
        except TimeoutError:
            raise Away("the broker did not acknowledge in time") from None

    async def ping(self) -> None:
        """Raise Away if the broker does not answer."""
        await self._producer.ping()

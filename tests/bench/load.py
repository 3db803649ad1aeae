"""An open-loop load: events leave at a fixed rate over HTTP, whatever the answers take."""

from __future__ import annotations

import asyncio
import random
import time
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Final
from uuid import uuid4

import aiohttp
from cdp_devstack.platform import WRITE_KEY

GRANTED: Final = {"consent": {"categoryPreferences": {"Analytics": True}}}
NAMES: Final = ("Product Viewed", "Product List Viewed", "Products Searched", "Product Added", "Cart Viewed")
VISITORS: Final = 2_000
CONNECTIONS: Final = 64
FLIPPING: Final = 10  # every tenth event is by a new visitor and brings him or her into a segment


@dataclass(slots=True)
class Sent:
    """What was sent, and how the edge answered."""

    events: int = 0
    refused: int = 0
    flipping: set[str] = field(default_factory=set)
    edge_seconds: list[float] = field(default_factory=list)


class Load:
    """Events of some 2,000 known visitors; one in ten by somebody new who enters `offer-seen`."""

    def __init__(self, edge: str, batch: int, seed: int = 1, padding: int = 0) -> None:
        self._edge = edge
        self._batch = batch
        self._more = {"note": "x" * padding} if padding else {}
        self._random = random.Random(seed)
        self._run = uuid4().hex[:8]
        self._n = 0

    async def at_rate(self, events_per_second: float, seconds: float) -> Sent:
        """Send for so long at that rate; each request leaves at its time."""
        sent = Sent()
        interval = self._batch / events_per_second
        async with self._client() as http:
            requests: list[asyncio.Task[None]] = []
            started = time.monotonic()
            for n in range(int(seconds / interval)):
                await asyncio.sleep(max(0.0, started + n * interval - time.monotonic()))
                requests.append(asyncio.create_task(self._post(http, sent)))
            await asyncio.gather(*requests)
        return sent

    async def closed(self, workers: int, seconds: float) -> float:
        """Events a second that the edge acknowledges to so many senders, each waiting for its answer."""
        sent = Sent()
        deadline = time.monotonic() + seconds
        async with self._client() as http:

            async def work() -> None:
                while time.monotonic() < deadline:
                    await self._post(http, sent)

            started = time.monotonic()
            await asyncio.gather(*(work() for _ in range(workers)))
            return sent.events / (time.monotonic() - started)

    def _client(self) -> aiohttp.ClientSession:
        """The quickest client there is: it shares the machine with what it measures."""
        connector = aiohttp.TCPConnector(limit=CONNECTIONS, keepalive_timeout=2)
        return aiohttp.ClientSession(self._edge, auth=aiohttp.BasicAuth(WRITE_KEY, ""), connector=connector)

    async def _post(self, http: aiohttp.ClientSession, sent: Sent) -> None:
        events = [self._event(sent) for _ in range(self._batch)]
        started = time.monotonic()
        body = {"batch": events, "sentAt": datetime.now(UTC).isoformat()}
        async with http.post("/v1/batch", json=body) as answer:
            await answer.read()
        sent.edge_seconds.append(time.monotonic() - started)
        if answer.ok:
            sent.events += len(events)
        else:
            sent.refused += len(events)

    def _event(self, sent: Sent) -> dict[str, object]:
        self._n += 1
        message_id = f"{self._run}-{self._n}"
        flips = self._n % FLIPPING == 0
        if flips:
            sent.flipping.add(message_id)
        return {
            "type": "track",
            "event": "Flash Offer Viewed" if flips else self._random.choice(NAMES),
            "anonymousId": f"new-{message_id}" if flips else f"visitor-{self._random.randrange(VISITORS)}",
            "messageId": message_id,
            "timestamp": datetime.now(UTC).isoformat(),
            "properties": {"sku": f"sku-{self._n % 997}", "platform": "mobile", "channel": "email", **self._more},
            "context": GRANTED,
        }

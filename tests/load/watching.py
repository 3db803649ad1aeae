"""What a load does to a running platform: memory of the roles, sizes of records, letters, and when all is done."""

from __future__ import annotations

import asyncio
import re
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final

import bson
from cdp_contracts.topics import dead_letter_topics
from cdp_devstack.offsets import FLOW, caught_up, topic_counts
from cdp_devstack.running import Running
from motor.motor_asyncio import AsyncIOMotorClient

SETTLE_SECONDS: Final = 3600
PEAK: Final = re.compile(r"VmHWM:\s+(\d+) kB")


def peak_megabytes(up: Running) -> Mapping[str, float]:
    """The most memory that each running role has ever held, by its process; Linux only."""
    peaks = {}
    for name, role in up.platform.roles.items():
        status = Path(f"/proc/{role.pid}/status")
        if role.pid and status.exists() and (found := PEAK.search(status.read_text())):
            peaks[name] = int(found[1]) / 1024
    return peaks


async def settled(up: Running, *, until: str = "", seconds: float = SETTLE_SECONDS) -> None:
    """Return when every stage has read all there is, or all up to the first whose group starts so."""
    deadline = time.monotonic() + seconds
    for group, topic in FLOW:
        if until and group.startswith(until):
            return
        while not await caught_up(up.stack.kafka, group, topic.name):
            if time.monotonic() > deadline:
                raise TimeoutError(f"{group} has not read {topic.name} to its end")
            await asyncio.sleep(0.2)


async def letters(up: Running) -> int:
    """How many dead letters there are."""
    return sum((await topic_counts(up.stack.kafka, dead_letter_topics())).values())


async def largest_record(up: Running, service: str) -> int:
    """Bytes of the largest document that a service keeps."""
    client: AsyncIOMotorClient[Any] = AsyncIOMotorClient(up.stack.mongo)
    try:
        database = client[f"cdp_{service}"]
        largest = 0
        for name in await database.list_collection_names():
            async for document in database[name].find():
                largest = max(largest, len(bson.encode(document)))
        return largest
    finally:
        client.close()

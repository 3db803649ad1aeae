"""What a running platform does over time: memory of the roles, progress of the groups, and how flat it is."""

from __future__ import annotations

import asyncio
import re
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from itertools import pairwise
from pathlib import Path
from statistics import fmean, linear_regression, median
from typing import Final

from aiokafka.admin import AIOKafkaAdminClient
from cdp_devstack.offsets import FLOW
from cdp_devstack.running import Running
from cdp_runtime.kafka_client import client_options

HOUR: Final = 3600
RESIDENT: Final = re.compile(r"VmRSS:\s+(\d+) kB")


@dataclass(frozen=True, slots=True)
class Samples:
    """When it was looked, and what was seen then: megabytes by role, committed offsets by group."""

    at: list[float] = field(default_factory=list)
    memory: dict[str, list[float]] = field(default_factory=dict)
    committed: dict[str, list[int]] = field(default_factory=dict)

    def mean(self, role: str, since: float, until: float) -> float:
        """Megabytes of a role between two shares of the time."""
        return fmean(self._part(self.memory[role], since, until))

    def megabytes_an_hour(self, role: str, since: float = 0) -> float:
        """How a role grows, by a line through all from that share of the time on."""
        return (
            HOUR * linear_regression(self._part(self.at, since, 1), self._part(self.memory[role], since, 1)).slope
        )

    def grown(self, role: str) -> float:
        """Megabytes that a role grew in the last half, by a line through it."""
        half = self._part(self.at, 0.5, 1)
        return self.megabytes_an_hour(role, 0.5) * (half[-1] - half[0]) / HOUR

    def rates(self, group: str) -> list[float]:
        """Messages a second of a group, from one look to the next."""
        looks = pairwise(zip(self.at, self.committed[group], strict=True))
        return [(n - before) / (at - was) for (was, before), (at, n) in looks]

    def _part(self, values: Sequence[float], since: float, until: float) -> Sequence[float]:
        last = len(values)
        return values[int(since * last) : max(int(until * last), int(since * last) + 2)]


async def watched(up: Running, seconds: float, every: float, samples: Samples) -> None:
    """Look at it for so long, every so many seconds. What is seen is added to the samples."""
    admin = AIOKafkaAdminClient(**client_options(up.kafka))
    await admin.start()
    try:
        started = time.monotonic()
        while (now := time.monotonic() - started) < seconds + every / 2:
            samples.at.append(now)
            for name, size in resident_megabytes(up).items():
                samples.memory.setdefault(name, []).append(size)
            for group, _ in FLOW:
                samples.committed.setdefault(group, []).append(await committed(admin, group))
            await asyncio.sleep(max(0.0, started + len(samples.at) * every - time.monotonic()))
    finally:
        await admin.close()


async def committed(admin: AIOKafkaAdminClient, group: str) -> int:
    """How many messages a group has committed, of all partitions together."""
    offsets = await admin.list_consumer_group_offsets(group)
    return sum(max(0, of.offset) for of in offsets.values())


def resident_megabytes(up: Running) -> Mapping[str, float]:
    """The memory of each running role; Linux only."""
    found = {}
    for name, role in up.platform.roles.items():
        status = Path(f"/proc/{role.pid}/status")
        if role.pid and (line := RESIDENT.search(status.read_text())):
            found[name] = int(line[1]) / 1024
    return found


def catch_up(samples: Samples) -> Mapping[str, float]:
    """Messages a second of every group that moved: median, least and most from one look to the next."""
    figures: dict[str, float] = {}
    for group in samples.committed:
        if any(rates := samples.rates(group)):
            figures |= {
                f"{group}, messages/s": median(rates), f"{group}, least": min(rates), f"{group}, most": max(rates)
            }  # fmt: skip
    return figures

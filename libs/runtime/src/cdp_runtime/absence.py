"""Whether what a role stands on is away: as batches and timers find, and pings where there is nothing to do."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Sequence
from typing import Final, Protocol

from cdp_runtime import metrics
from cdp_runtime.failures import reason_of

log: Final = logging.getLogger("cdp.role")

PING_SECONDS: Final = 10.0
ANSWER_SECONDS: Final = 5.0


class Absence:
    """The gauge `cdp_resource_away` of a stage, or of a role without any. Red while anybody finds so."""

    def __init__(self, role: str, stage: str = "") -> None:
        self._gauge = metrics.AWAY.labels(role, stage)
        self._found: set[str] = set()
        self._gauge.set(0)

    def note(self, finder: str, *, away: bool) -> None:
        """What one of those who look has found; it holds until the same one finds otherwise."""
        if away != (finder in self._found):
            self._found ^= {finder}
            self._gauge.set(bool(self._found))


class Pinged(Protocol):
    """A store, a cache, the broker."""

    async def ping(self) -> None:
        """Raise if it does not answer."""
        ...


async def watch(
    role: str, resources: Sequence[Pinged], absences: Sequence[Absence], seconds: float = PING_SECONDS
) -> None:
    """Ping these every so often, for ever: who reads nothing, or is asked nothing, does not notice by itself."""
    told: list[str] = []
    while True:
        faults = [fault for fault in await asyncio.gather(*map(fault_of, resources)) if fault]
        for absence in absences:
            absence.note("ping", away=bool(faults))
        if faults != told:
            log.warning("%s: %s", role, "; ".join(faults) or "everything answers again")
            told = faults
        await asyncio.sleep(seconds)


async def fault_of(resource: Pinged) -> str | None:
    """Why it does not answer, without secrets; None if it does."""
    try:
        await asyncio.wait_for(resource.ping(), ANSWER_SECONDS)
    except Exception as error:  # whatever it is, it does not answer
        return f"{type(resource).__name__} does not answer: {reason_of(error)}"
    return None

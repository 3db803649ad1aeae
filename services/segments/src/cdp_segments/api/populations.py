"""How many people a tenant has: counted once a minute, for that is a walk through an index."""

from __future__ import annotations

from typing import Final

from cdp_runtime.clock import Clock

from cdp_segments.census import Census

KEEP_SECONDS: Final = 60


class Populations:
    """The numbers counted last."""

    def __init__(self, census: Census, clock: Clock) -> None:
        self._census = census
        self._clock = clock
        self._known: dict[str, tuple[float, int]] = {}

    async def of(self, tenant: str) -> int:
        """The number of people, at most a minute old."""
        now = self._clock.now().timestamp()
        at, count = self._known.get(tenant, (-KEEP_SECONDS, 0))
        if now - at >= KEEP_SECONDS:
            count = await self._census.population(tenant)
            self._known[tenant] = (now, count)
        return count

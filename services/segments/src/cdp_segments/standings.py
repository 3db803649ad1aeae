"""What readers go by: what is in force, and how far the rest has come."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from cdp_contracts.topics import PROFILES_UPDATED
from cdp_runtime.clock import Clock

from cdp_segments.catalogs import Catalogs, Worlds
from cdp_segments.domain.catalog import Catalog
from cdp_segments.domain.progress import Progress, first_ever
from cdp_segments.domain.statuses import Come, come
from cdp_segments.domain.worlds import World
from cdp_segments.ledger import Ledger

KEEP_SECONDS: Final = 1
PARTITIONS: Final = tuple(map(str, range(PROFILES_UPDATED.partitions)))


@dataclass(frozen=True, slots=True)
class Standing:
    """The segments of a tenant as they were read last."""

    tenant: str
    world: World
    progress: Sequence[Progress]

    @property
    def catalog(self) -> Catalog:
        """What people are held against."""
        return self.world.catalog

    def segment(self, name: str) -> Come | None:
        """How far a segment has come; None if none has this name."""
        return come(name, self.tenant, self.world, self.progress) if name in self.world.wanted else None

    def segments(self) -> list[Come]:
        """All of them by name, archived ones too."""
        return [come(name, self.tenant, self.world, self.progress) for name in sorted(self.world.wanted)]


class Standings:
    """Those of all tenants, read again after a second or a new definition."""

    def __init__(self, catalogs: Catalogs, ledger: Ledger, clock: Clock) -> None:
        self._catalogs = catalogs
        self._worlds = Worlds(catalogs)
        self._ledger = ledger
        self._clock = clock
        self._known: dict[str, tuple[float, int, Standing]] = {}

    @property
    def ready(self) -> bool:
        """Whether the definitions were read to their end."""
        return self._catalogs.table.ready

    async def of(self, tenant: str) -> Standing:
        """The tenant's, a second old or as much older as it takes to read it. Raises what the store does."""
        now, revision = self._clock.now().timestamp(), self._catalogs.revision
        known = self._known.get(tenant)
        if known is None or known[1] != revision or now - known[0] >= KEEP_SECONDS:
            if known is not None:  # one reads, the others go by what is known
                self._known[tenant] = (now, revision, known[2])
            known = self._known[tenant] = (now, revision, await self._read(tenant))
        return known[2]

    async def _read(self, tenant: str) -> Standing:
        record = (await self._ledger.in_force.load([tenant]))[tenant]
        progress = [*(await self._ledger.progress.load(PARTITIONS)).values()]
        definitions = record.definitions
        if first_ever([record], progress):
            definitions = {each.name: each.definition for each in self._catalogs.defined(tenant)}
        return Standing(tenant, self._worlds.of(tenant, definitions, record.rev), progress)

"""The segments of every tenant, compiled as their definitions arrive."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence, Set
from typing import Final, TypeAlias

from cdp_contracts.definitions_v1 import SegmentDefined
from cdp_contracts.topics import SEGMENTS_DEFINED
from cdp_runtime.tables import AnyTable, GlobalTable

from cdp_segments.computed_tables import ComputedTables
from cdp_segments.domain.catalog import Catalog
from cdp_segments.domain.segments import Segment, compile_segment
from cdp_segments.domain.worlds import World

SegmentTable: TypeAlias = GlobalTable[SegmentDefined, Segment]
NOTHING: Final = Catalog()


class Catalogs:
    """One catalog a tenant, built when it is first asked for and again after a change."""

    def __init__(self) -> None:
        self.table: SegmentTable = GlobalTable(SEGMENTS_DEFINED, compile=compile_segment, required=True)
        self.table.on_change(self._changed)
        self.revision = 0
        self.computed = ComputedTables()
        self._catalogs: dict[str, Catalog] = {}
        self._adopted: Mapping[str, Catalog] | None = None
        self._compiled: dict[str, Segment] = {}

    @property
    def tables(self) -> tuple[AnyTable, ...]:
        """All tables. Who only reads segments needs the first alone."""
        return (self.table, *self.computed.tables)

    def of(self, tenant: str) -> Catalog:
        """The tenant's live segments and computed traits; an empty catalog for a tenant without any."""
        found = self._of(tenant)
        return self.computed.on(tenant, None if found is NOTHING else found)

    def _of(self, tenant: str) -> Catalog:
        if self._adopted is not None:
            return self._adopted.get(tenant, NOTHING)
        if tenant not in self._catalogs:
            segments = self.defined(tenant)
            if not segments:
                return NOTHING
            paused = [segment for segment in segments if segment.definition.state == "paused"]
            self._catalogs[tenant] = Catalog(segments, paused)
        return self._catalogs[tenant]

    def defined(self, tenant: str) -> Sequence[Segment]:
        """Every segment of the tenant, archived ones too, by name."""
        mine = (segment for segment in self.table.values() if segment.definition.tenant == tenant)
        return sorted(mine, key=lambda segment: segment.name)

    def adopt(self, catalogs: Mapping[str, Catalog]) -> None:
        """Let these be in force, by tenant, and no others."""
        self._adopted = catalogs

    def wanted(self) -> dict[str, list[Segment]]:
        """Every segment as it is defined now, by tenant."""
        found: dict[str, list[Segment]] = defaultdict(list)
        for segment in self.table.values():
            found[segment.definition.tenant].append(segment)
        return found

    def compiled(self, definitions: Mapping[str, SegmentDefined]) -> list[Segment]:
        """Definitions in force, compiled once each."""
        for definition in definitions.values():
            known = self._compiled.get(definition.id) or self.table.get(definition.id)
            if known is None or known.definition != definition:
                known = compile_segment(definition)
            self._compiled[definition.id] = known
        return [self._compiled[definition.id] for definition in definitions.values()]

    def _changed(self, key: str) -> None:
        self.revision += 1
        self._catalogs.pop(key.partition("/")[0], None)


class Worlds:
    """The world of every tenant, put together again once its definitions or what is in force changed."""

    def __init__(self, catalogs: Catalogs) -> None:
        self._catalogs = catalogs
        self._worlds: dict[str, tuple[tuple[int, int], World]] = {}

    @property
    def tenants(self) -> Set[str]:
        """Those that were asked for."""
        return self._worlds.keys()

    def of(self, tenant: str, in_force: Mapping[str, SegmentDefined], rev: int) -> World:
        """The tenant's, given the definitions in force and the revision of their record."""
        key = self._catalogs.revision, rev
        known = self._worlds.get(tenant)
        if known is None or known[0] != key:
            wanted = self._catalogs.wanted().get(tenant, [])
            known = self._worlds[tenant] = (key, World(wanted, self._catalogs.compiled(in_force)))
        return known[1]

"""The segments of every tenant, compiled as their definitions arrive."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final, TypeAlias

from cdp_contracts.definitions_v1 import SegmentDefined
from cdp_contracts.topics import SEGMENTS_DEFINED
from cdp_runtime.tables import GlobalTable

from cdp_segments.domain.catalog import Catalog
from cdp_segments.domain.segments import Segment, compile_segment

SegmentTable: TypeAlias = GlobalTable[SegmentDefined, Segment]
NOTHING: Final = Catalog()


class Catalogs:
    """One catalog a tenant, built when it is first asked for and again after a change."""

    def __init__(self) -> None:
        self.table: SegmentTable = GlobalTable(SEGMENTS_DEFINED, compile=compile_segment, required=True)
        self.table.on_change(self._changed)
        self._catalogs: dict[str, Catalog] = {}

    def of(self, tenant: str) -> Catalog:
        """The tenant's live segments; an empty catalog for a tenant without any."""
        if tenant not in self._catalogs:
            segments = self.defined(tenant)
            if not segments:
                return NOTHING
            self._catalogs[tenant] = Catalog(segments)
        return self._catalogs[tenant]

    def defined(self, tenant: str) -> Sequence[Segment]:
        """Every segment of the tenant, archived ones too, by name."""
        mine = (segment for segment in self.table.values() if segment.definition.tenant == tenant)
        return sorted(mine, key=lambda segment: segment.name)

    def _changed(self, key: str) -> None:
        self._catalogs.pop(key.partition("/")[0], None)

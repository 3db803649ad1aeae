"""The computed traits of every tenant, compiled as their definitions arrive, on the catalog of its segments."""

from __future__ import annotations

from typing import TypeAlias

from cdp_contracts.computed_v1 import ComputedTraitDefined
from cdp_contracts.topics import COMPUTED_TRAITS_DEFINED
from cdp_runtime.tables import AnyTable, GlobalTable

from cdp_segments.domain.catalog import Catalog
from cdp_segments.domain.computed_traits import ComputedTrait, ComputedTraits, compile_trait

TraitTable: TypeAlias = GlobalTable[ComputedTraitDefined, ComputedTrait]


class ComputedTables:
    """The computed traits of each tenant, put together anew after a change."""

    def __init__(self) -> None:
        self.table: TraitTable = GlobalTable(COMPUTED_TRAITS_DEFINED, compile=compile_trait)
        self.table.on_change(self._changed)
        self._of: dict[str, ComputedTraits] = {}
        self._alone: dict[str, Catalog] = {}

    @property
    def tables(self) -> tuple[AnyTable, ...]:
        """What they are read from."""
        return (self.table,)

    def of(self, tenant: str) -> ComputedTraits:
        """The tenant's live computed traits."""
        if tenant not in self._of:
            mine = (trait for trait in self.table.values() if trait.definition.tenant == tenant)
            self._of[tenant] = ComputedTraits(mine)
        return self._of[tenant]

    def on(self, tenant: str, catalog: Catalog | None) -> Catalog:
        """The catalog with the tenant's computed traits; without a catalog, one of them alone."""
        traits = self.of(tenant)
        catalog = catalog or self._alone.setdefault(tenant, Catalog())
        return catalog if catalog.computed is traits else catalog.compute(traits)

    def _changed(self, key: str) -> None:
        self._of.pop(key.partition("/")[0], None)

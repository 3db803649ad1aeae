"""Where flips are posted to, as the definitions say now."""

from __future__ import annotations

from collections.abc import Sequence
from urllib.parse import urlsplit

from cdp_contracts.definitions_v1 import DestinationDefined
from cdp_contracts.topics import DESTINATIONS_DEFINED
from cdp_runtime.tables import GlobalTable


class Destinations:
    """The destinations of every tenant. Plain HTTP is for the hosts that the sender's settings name as private."""

    def __init__(self, private_hosts: Sequence[str]) -> None:
        self._private = frozenset(private_hosts)
        self.table: GlobalTable[DestinationDefined, DestinationDefined] = GlobalTable(
            DESTINATIONS_DEFINED, compile=self._checked
        )

    def get(self, key: str) -> DestinationDefined | None:
        """The definition in force; None once there is none, or it is archived."""
        found = self.table.get(key)
        return found if found and found.state == "live" else None

    def of(self, tenant: str) -> Sequence[DestinationDefined]:
        """The live destinations of a tenant, by name."""
        mine = (each for each in self.table.values() if each.tenant == tenant and each.state == "live")
        return sorted(mine, key=lambda each: each.name)

    def keys(self) -> Sequence[str]:
        """Every destination, archived ones too: what waits for those has to be dropped by somebody."""
        return [key for key, _ in self.table.items()]

    def _checked(self, destination: DestinationDefined) -> DestinationDefined:
        """The definition; ValueError if it asks for plain HTTP where that is not allowed."""
        parts = urlsplit(destination.url)
        if parts.scheme != "https" and parts.hostname not in self._private:
            raise ValueError("plain HTTP only to a host among CDP_SEGMENTS_PRIVATE_HOSTS")
        return destination

"""The definitions in force: sources by name and by write key, tracking plans by name."""

from __future__ import annotations

from datetime import datetime
from hashlib import sha256
from typing import Final, Generic, TypeVar

from cdp_contracts.definitions_v1 import Definition, SourceDefined, TrackingPlanDefined

D = TypeVar("D", bound=Definition)

KEPT_VERSIONS: Final = 5


class Versions(Generic[D]):
    """The latest versions of one definition. A version holds from its `effective_at`, or at once without one."""

    def __init__(self) -> None:
        self._versions: list[D] = []

    def put(self, definition: D) -> None:
        """Add a version. It takes the place of all that would begin to hold later than it."""
        begins = definition.effective_at
        earlier = [v for v in self._versions if begins and (v.effective_at is None or v.effective_at < begins)]
        self._versions = [*earlier, definition][-KEPT_VERSIONS:]

    def at(self, moment: datetime) -> D:
        """The version that held at that moment; the oldest that is known if none did yet."""
        for version in reversed(self._versions):
            if version.effective_at is None or version.effective_at <= moment:
                return version
        return self._versions[0]

    def all(self) -> list[D]:
        """Every version that is kept, oldest first."""
        return list(self._versions)


class Definitions(Generic[D]):
    """All definitions of a kind by their key, `<tenant>/<name>`."""

    def __init__(self) -> None:
        self._by_key: dict[str, Versions[D]] = {}

    def put(self, key: str, definition: D | None) -> None:
        """Take in a definition; None removes all versions of it."""
        if definition is None:
            self._by_key.pop(key, None)
        else:
            self._by_key.setdefault(key, Versions()).put(definition)

    def get(self, tenant: str, name: str, at: datetime) -> D | None:
        """The version in force at that moment."""
        versions = self._by_key.get(f"{tenant}/{name}")
        return versions.at(at) if versions else None

    def all(self) -> list[D]:
        """Every version of every definition."""
        return [version for versions in self._by_key.values() for version in versions.all()]


class Catalogue:
    """Sources and plans together. Fed as definitions arrive; everything else only asks."""

    def __init__(self) -> None:
        self._sources: Definitions[SourceDefined] = Definitions()
        self._plans: Definitions[TrackingPlanDefined] = Definitions()
        self._by_write_key: dict[str, SourceDefined] | None = {}
        self._cookie_sources: set[tuple[str, str]] | None = set()

    def put_source(self, key: str, source: SourceDefined | None) -> None:
        """Take in a source; None removes it."""
        self._sources.put(key, source)
        self._by_write_key = self._cookie_sources = None

    def put_plan(self, key: str, plan: TrackingPlanDefined | None) -> None:
        """Take in a tracking plan; None removes it."""
        self._plans.put(key, plan)

    def source_of_key(self, write_key: str, at: datetime) -> SourceDefined | None:
        """The enabled source that accepts a write key at that moment."""
        if self._by_write_key is None:
            self._by_write_key = {digest: s for s in self._sources.all() for digest in s.write_key_hashes}
        digest = key_digest(write_key)
        found = self._by_write_key.get(digest)
        source = found and self._sources.get(found.tenant, found.name, at)
        accepted = source is not None and source.enabled and digest in source.write_key_hashes
        return source if accepted else None

    def first_party_origins(self, at: datetime) -> frozenset[str]:
        """Of the pages whose browsers keep a cookie for an enabled source at that moment."""
        if self._cookie_sources is None:
            self._cookie_sources = {(s.tenant, s.name) for s in self._sources.all() if s.first_party}
        known = (self._sources.get(tenant, name, at) for tenant, name in self._cookie_sources)
        rules = [source.first_party for source in known if source and source.enabled and source.first_party]
        return frozenset(origin for rule in rules for origin in rule.origins)

    def source_named(self, tenant: str, name: str, at: datetime) -> SourceDefined | None:
        """The source of that name, enabled or not."""
        return self._sources.get(tenant, name, at)

    def plan_of(self, source: SourceDefined, at: datetime) -> TrackingPlanDefined | None:
        """The tracking plan that a source's events are held against, if it has one and that is defined."""
        return self._plans.get(source.tenant, source.tracking_plan, at) if source.tracking_plan else None


def key_digest(write_key: str) -> str:
    """How a write key stands in a source's definition: SHA-256, hex."""
    return sha256(write_key.encode("utf-8", "surrogatepass")).hexdigest()

"""What a graph remembers of how it came about: enough to live it again under other rules."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from collections.abc import Set as AbstractSet
from dataclasses import dataclass
from typing import Final
from uuid import UUID

from cdp_runtime.redirects import walk

from cdp_identity.domain.entities import Away, Entity, Link
from cdp_identity.domain.rules import Kind


@dataclass(frozen=True, slots=True)
class History:
    """The links of a tenant, oldest first; each identifier's kind and whose it is; which pairs were refused.

    `whole`: these are all of them.
    """

    links: Sequence[Link]
    kinds: Mapping[str, Kind]
    owners: Mapping[str, UUID]
    refused: AbstractSet[tuple[str, str]]
    whole: bool = True


@dataclass(frozen=True, slots=True)
class Ways:
    """Where entities lead: by redirects, and for single identifiers by partings."""

    into: Mapping[UUID, UUID]
    parted: Mapping[UUID, Mapping[str, Away]]

    @classmethod
    def of(cls, entities: Iterable[Entity]) -> Ways:
        """The ways of all these."""
        every = list(entities)
        into = {entity.id: entity.into for entity in every if entity.state == "merged" and entity.into}
        return cls(into, {entity.id: entity.parted for entity in every if entity.parted})

    def lead(self, entity: UUID, pseudonym: str) -> UUID:
        """Whose an identifier is that points to an entity."""
        *_, owner = walk(entity, self.into.get, lambda each: self.parted.get(each, NOBODY).get(pseudonym))
        return owner


NOBODY: Final[Mapping[str, Away]] = {}

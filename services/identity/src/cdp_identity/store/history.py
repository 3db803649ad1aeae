"""What a graph remembers of how it came about: enough to live it again under other rules."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from collections.abc import Set as AbstractSet
from dataclasses import dataclass
from uuid import UUID

from cdp_identity.domain.entities import Link
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


def followed(entity: UUID, into: Mapping[UUID, UUID]) -> UUID:
    """Where redirects lead. They lead to somebody older, so there is an end."""
    while entity in into:
        entity = into[entity]
    return entity

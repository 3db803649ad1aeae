"""What the identity service does with what it reads. Read this first."""

from __future__ import annotations

from typing import Any

from cdp_contracts.events_v1 import EventPermitted
from cdp_contracts.topics import EVENTS_PERMITTED, EVENTS_RESOLVED, IDENTITIES_MERGE_REFUSED, IDENTITIES_MERGED
from cdp_runtime.batch import Batch
from cdp_runtime.pseudonyms import Pseudonymizer
from cdp_runtime.stage import Stage

from cdp_identity.domain.facts import facts
from cdp_identity.domain.sightings import sighting_of
from cdp_identity.store import IdentityGraph


async def resolve_identities(
    batch: Batch[EventPermitted], graph: IdentityGraph, pseudonyms: Pseudonymizer
) -> None:
    """Say whose each event is, and which persons turned out to be one, or must not be. Safe twice."""
    resolutions = await graph.resolve([sighting_of(event, pseudonyms) for event in batch])
    for event, resolution in zip(batch, resolutions, strict=True):
        batch.emit(*facts(event, resolution), cause=event)


def stages(graph: IdentityGraph, pseudonyms: Pseudonymizer) -> list[Stage[Any]]:
    """The stages of the resolver."""
    return [
        Stage(
            resolve_identities,
            reads=EVENTS_PERMITTED,
            emits=[EVENTS_RESOLVED, IDENTITIES_MERGED, IDENTITIES_MERGE_REFUSED],
            uses=[graph, pseudonyms],
        )
    ]

"""What is said about a resolved event. The same event always says the same, under the same ids."""

from __future__ import annotations

from dataclasses import dataclass
from uuid import UUID

from cdp_contracts.envelope import Message, derived_id
from cdp_contracts.events_v1 import EventPermitted, EventResolved
from cdp_contracts.identities_v1 import (
    Evidence,
    IdentitiesMerged,
    IdentitiesMergeRefused,
    IdentitiesUnmerged,
    Parting,
    UnmergeRequested,
)
from cdp_contracts.matches_v1 import MatchDecided

from cdp_identity.domain.entities import Link, Merge, Refusal
from cdp_identity.domain.identifiers import Identifier
from cdp_identity.domain.splitting import Split, Unmerge


@dataclass(frozen=True, slots=True)
class Resolution:
    """Whose an event is now, by which identifier, and what became of the graph because of it.

    `blocked` are identifiers that it was the last straw for.
    """

    profile_id: UUID
    part: str
    merges: tuple[Merge, ...] = ()
    refusals: tuple[Refusal, ...] = ()
    blocked: tuple[Identifier, ...] = ()


def facts(event: EventPermitted, resolution: Resolution) -> list[Message]:
    """Merges and refusals that the event caused, then the event with its person."""
    return [
        *(merged(event, merge) for merge in resolution.merges),
        *(refused(event, refusal) for refusal in resolution.refusals),
        resolved(event, resolution),
    ]


def resolved(event: EventPermitted, resolution: Resolution) -> EventResolved:
    """The event with its person."""
    # The event was validated when it was decoded; validating its every field again costs more than all else here.
    fields = {
        **event.__dict__,
        "id": derived_id(event.id, "resolved"),
        "profile_id": resolution.profile_id,
        "part": resolution.part,
    }
    return EventResolved.model_construct(**fields)


def verdict_facts(decided: MatchDecided, resolution: Resolution) -> list[Message]:
    """Merges and refusals that a verdict caused."""
    return [
        *(merged(decided, merge) for merge in resolution.merges),
        *(refused(decided, refusal) for refusal in resolution.refusals),
    ]


def merged(event: EventPermitted | MatchDecided, merge: Merge) -> IdentitiesMerged:
    """A merge, known by the two entities: whoever tells it, it is the same fact."""
    return IdentitiesMerged(
        tenant=event.tenant,
        id=derived_id(f"{merge.absorbed}/{merge.survivor}", "merged"),
        message_id=event.message_id,
        occurred_at=event.occurred_at,
        received_at=event.received_at,
        profile_id=merge.survivor,
        absorbed=merge.absorbed,
        evidence=evidence(merge.link),
    )


def refused(event: EventPermitted | MatchDecided, refusal: Refusal) -> IdentitiesMergeRefused:
    """A refusal, known by the two identifiers and the limit: told once, by the event that came first."""
    return IdentitiesMergeRefused(
        tenant=event.tenant,
        id=derived_id(refusal.key, "merge-refused"),
        message_id=event.message_id,
        occurred_at=event.occurred_at,
        received_at=event.received_at,
        profile_id=refusal.profile_id,
        other=refusal.other,
        limit=refusal.limit,
        evidence=evidence(refusal.link),
    )


def evidence(link: Link) -> Evidence:
    """The link as others read it."""
    return Evidence(rule=link.rule, identifiers=(link.first, link.other), source=link.source)


def unmerge_of(request: UnmergeRequested) -> Unmerge:
    """What a request asks of the graph."""
    at = int(request.received_at.timestamp() * 1000)
    return Unmerge(request.id, request.tenant, request.profile_id, request.groups, at)


def unmerged(request: UnmergeRequested, done: Split) -> IdentitiesUnmerged:
    """What came of a request: the same each time it is told."""
    return IdentitiesUnmerged(
        tenant=request.tenant,
        id=derived_id(request.id, "unmerged"),
        message_id=request.message_id,
        occurred_at=request.occurred_at,
        received_at=request.received_at,
        profile_id=done.kept,
        version=done.epoch,
        partings=tuple(Parting(profile_id=entity, identifiers=names) for entity, names in done.partings),
        reason=request.reason,
    )

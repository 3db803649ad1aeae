"""What the matcher does with what it reads."""

from __future__ import annotations

from typing import Any

from cdp_contracts.events_v1 import EventResolved
from cdp_contracts.identities_v1 import IdentitiesMerged, IdentitiesUnmerged
from cdp_contracts.matches_v1 import MatchDecided
from cdp_contracts.topics import (
    EVENTS_RESOLVED,
    IDENTITIES_MERGED,
    IDENTITIES_UNMERGED,
    MATCHES_DECIDED,
    MATCHES_PROPOSED,
)
from cdp_runtime.batch import Batch
from cdp_runtime.stage import Stage

from cdp_identity.matcher.matcher import Matcher
from cdp_identity.matcher.regrouping import Regrouper


async def match_people(batch: Batch[EventResolved], matcher: Matcher) -> None:
    """Say who may be one person with whom, as far as the person's choice allows to compare. Safe twice."""
    for event, facts in zip(batch, await matcher.consider(list(batch), batch.now), strict=True):
        batch.emit(*facts, cause=event)
        batch.settle(event)


async def absorb_people(batch: Batch[IdentitiesMerged], groups: Regrouper) -> None:
    """Compare the traits of an absorbed profile as the survivor's from now on. Safe twice."""
    await groups.absorb(list(batch), batch.now)
    for merge in batch:
        batch.settle(merge)


async def part_people(batch: Batch[IdentitiesUnmerged], groups: Regrouper) -> None:
    """Compare what parted identifiers told as another person's, and never with whom it left. Safe twice."""
    await groups.part(list(batch), batch.now)
    for unmerge in batch:
        batch.settle(unmerge)


async def settle_pairs(batch: Batch[MatchDecided], matcher: Matcher) -> None:
    """Take decided pairs out of the review queue, for good. Safe twice."""
    await matcher.settle(list(batch), batch.now)
    for verdict in batch:
        batch.settle(verdict)


def stages(matcher: Matcher) -> list[Stage[Any]]:
    """The stages of the matcher."""
    return [
        Stage(
            match_people, reads=EVENTS_RESOLVED, emits=[MATCHES_PROPOSED, MATCHES_DECIDED], uses=[matcher],
        ),
        Stage(absorb_people, reads=IDENTITIES_MERGED, emits=[], uses=[matcher.groups]),
        Stage(part_people, reads=IDENTITIES_UNMERGED, emits=[], uses=[matcher.groups]),
        Stage(settle_pairs, reads=MATCHES_DECIDED, emits=[], uses=[matcher]),
    ]  # fmt: skip

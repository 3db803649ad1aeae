"""Identifiers that so many ask for that they are nobody's: a placeholder no list knows, a kiosk, a bomb."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Final
from uuid import UUID

from cdp_identity.domain.entities import Refusal
from cdp_identity.domain.identifiers import Identifier
from cdp_identity.domain.rules import DAY_MS
from cdp_identity.domain.sightings import Sighting
from cdp_identity.store.unions import Unions

WINDOW_MS: Final = DAY_MS


async def quarantine(
    unions: Unions, sightings: Sequence[Sighting], refusals: Sequence[Refusal]
) -> Mapping[UUID, tuple[Identifier, ...]]:
    """Block each identifier of new refusals that too many others asked for in 24 hours; which, by the event.

    Counted are those it was refused to, each once: who is given an identifier is held against the limits. One
    round trip a batch that refuses something new; a crash before it leaves the block to the next refusal.
    """
    if not refusals:
        return {}
    by_event = {sighting.event: sighting for sighting in sightings}
    newest = max(refusal.link.seen_at for refusal in refusals)
    asked = {name for refusal in refusals for name in (refusal.link.first, refusal.link.other)}
    counts = await unions.view.store.asked(asked, newest - WINDOW_MS)
    blocked: dict[UUID, tuple[Identifier, ...]] = {}
    done: set[Identifier] = set()
    for refusal in refusals:
        sighting = by_event[refusal.link.event]
        for identifier in sighting.identifiers:
            ends = (refusal.link.first, refusal.link.other)
            if identifier in done or identifier.pseudonym not in ends:
                continue
            if counts.get(identifier.pseudonym, 0) >= sighting.rules.fan_in:
                done.add(identifier)
                if await unions.block(identifier, newest):
                    blocked[sighting.event] = (*blocked.get(sighting.event, ()), identifier)
    return blocked

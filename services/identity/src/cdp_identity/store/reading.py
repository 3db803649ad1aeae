"""What of a sighting counts: under which pepper an identifier is known, and which are blocked."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from cdp_identity.domain.identifiers import Identifier, Sign
from cdp_identity.domain.rules import SUBJECT
from cdp_identity.domain.sightings import Sighting
from cdp_identity.store.view import View


async def readable(view: View, sightings: Sequence[Sighting]) -> list[Sighting]:
    """Load all that the sightings name; each with the identifiers by which the graph knows it.

    One that is known under a former pepper alone keeps that pseudonym. One that is blocked names nobody any more:
    if it is the strongest, the sighting belongs to the next one, or to its subject, and is evidence of nothing.
    """
    await view.load(identifier for sighting in sightings for identifier in names(sighting))
    if not view.marked and not any(sign.former for sighting in sightings for sign in sighting.signs):
        return list(sightings)
    read = [replace(sighting, signs=await _signs(view, sighting)) for sighting in sightings]
    await view.load(name for sighting in read if sighting.first.kind == SUBJECT for name in names(sighting))
    return [
        replace(sighting, signs=tuple(known(view, sign) for sign in sighting.signs))
        if sighting.first.kind == SUBJECT
        else sighting
        for sighting in read
    ]


def names(sighting: Sighting) -> list[Identifier]:
    """Everything that its identifiers may be known as."""
    return [
        *sighting.identifiers,
        *(Identifier(sign.identifier.kind, former) for sign in sighting.signs for former in sign.former),
    ]


async def _signs(view: View, sighting: Sighting) -> tuple[Sign, ...]:
    signs = [known(view, sign) for sign in sighting.signs]
    kept = tuple([sign for sign in signs if not await _blocked(view, sign.identifier, sighting.seen_at)])
    if kept:
        return kept if kept[0] == signs[0] else kept[:1]
    subject = Sign(Identifier(SUBJECT, sighting.subject), former=sighting.former_subjects)
    return (subject,) if sighting.subject else tuple(signs)


def known(view: View, sign: Sign) -> Sign:
    """Under the pseudonym by which the graph knows it; the current one if it knows none."""
    if view.pointer(sign.identifier) is None:
        for former in sign.former:
            identifier = Identifier(sign.identifier.kind, former)
            if view.pointer(identifier):
                return Sign(identifier, sign.rule)
    return Sign(sign.identifier, sign.rule)


async def _blocked(view: View, identifier: Identifier, seen_at: int) -> bool:
    person = await view.person(identifier)
    mark = person.marks.get(identifier.pseudonym) if person else None
    return mark is not None and mark.state == "blocked" and seen_at > mark.since

"""Devices that several users log in on: when one becomes shared, and whose the anonymous events on it are."""

from __future__ import annotations

from uuid import UUID

from cdp_identity.domain.entities import Entity
from cdp_identity.domain.identifiers import Identifier
from cdp_identity.domain.marks import Mark, device_profile
from cdp_identity.domain.rules import DEVICES, USER
from cdp_identity.domain.sightings import Sighting


def mark_due(sighting: Sighting, identifier: Identifier, home: Entity, owner: Entity) -> Mark | None:
    """The mark that a device is to get because of a sighting, if it lacks it.

    `home` is the person of the sighting, `owner` whose the device is.
    """
    policy = sighting.rules.shared_devices
    if policy == "first_owner" or identifier.kind not in DEVICES:
        return None
    mark = owner.marks.get(identifier.pseudonym)
    user = sighting.user
    if mark is None:
        if len(home.users | owner.users) < 2:
            return None
        mark = Mark("shared", sighting.seen_at)
        return mark.owned(sighting.seen_at, user) if user else mark
    if mark.state == "blocked" or policy != "last_authenticated" or user is None:
        return None
    newest = mark.owners[-1] if mark.owners else (0, "")
    due = newest[1] != user and (sighting.seen_at, user) > newest
    return mark.owned(sighting.seen_at, user) if due else None


def whose(sighting: Sighting, root: Entity) -> UUID | Identifier:
    """The person that a sighting is attributed to: by its first identifier's root, or the user to ask instead."""
    mark = root.marks.get(sighting.first.pseudonym) if root.marks else None
    policy = sighting.rules.shared_devices
    if mark is None or mark.state != "shared" or policy == "first_owner" or sighting.seen_at <= mark.since:
        return root.id
    if policy == "per_device":
        return device_profile(sighting.first.pseudonym)
    user = mark.last_owner(sighting.seen_at)
    return Identifier(USER, user) if user else root.id

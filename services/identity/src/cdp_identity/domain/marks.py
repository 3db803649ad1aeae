"""What is wrong with an identifier: users share it, or so many persons asked for it that it is nobody's."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Final, Literal
from uuid import UUID

from cdp_contracts.envelope import derived_id

KEPT_OWNERS: Final = 8


@dataclass(frozen=True, slots=True)
class Mark:
    """An identifier's state from a moment on (epoch ms); it never goes back.

    `owners` are the users who logged in on a shared device and when, the newest of them, oldest first.
    """

    state: Literal["shared", "blocked"]
    since: int
    owners: tuple[tuple[int, str], ...] = ()

    def owned(self, at: int, user: str) -> Mark:
        """It, when a user logs in."""
        return replace(self, owners=tuple(sorted({*self.owners, (at, user)})[-KEPT_OWNERS:]))

    def last_owner(self, before: int) -> str | None:
        """Who logged in last before a moment, as far as it is remembered."""
        found = [user for at, user in self.owners if at < before]
        return found[-1] if found else None


def joined(marks: Mapping[str, Mark], more: Mapping[str, Mark]) -> Mapping[str, Mark]:
    """Both, in any order the same: blocked outweighs shared, and the earlier moment holds."""
    if not more:
        return marks
    both = dict(marks)
    for pseudonym, mark in more.items():
        known = both.get(pseudonym)
        both[pseudonym] = _joined(known, mark) if known else mark
    return both


def _joined(one: Mark, two: Mark) -> Mark:
    owners = tuple(sorted({*one.owners, *two.owners})[-KEPT_OWNERS:])
    if one.state != two.state:
        return replace(one if one.state == "blocked" else two, owners=owners)
    return Mark(one.state, min(one.since, two.since), owners)


def device_profile(pseudonym: str) -> UUID:
    """The profile of the anonymous events on a shared device: always the same, and nobody else's."""
    return derived_id(pseudonym, "shared-device")

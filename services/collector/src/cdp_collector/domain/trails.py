"""Whose an event is by now: profiles become one, and are parted again.

A profile that is no more leads to the one that it became part of; one that was parted leads, for each identifier
that left it, to whom that is of. These signposts may be put up in any order.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final

from cdp_collector.domain.facts import Merged, Unmerged
from cdp_collector.domain.texts import Entry, stamp

INTO: Final = "i"
AWAY: Final = "a:"
DIGITS: Final = 13  # with them a text still has 64 bytes, up to which Redis keeps a hash compact


def short(identifier: str) -> str:
    """As much of an identifier's keyed hash as tells it from the others of its profile."""
    return identifier[:DIGITS]


def signposts(fact: Merged | Unmerged) -> Iterator[Entry]:
    """Where what was of a profile is to be looked for."""
    at = stamp(fact.received_at)
    match fact:
        case Merged():
            yield Entry("merged", fact.tenant, fact.absorbed, INTO, f"{at} {fact.profile_id}")
        case Unmerged():
            for parting in fact.partings:
                text = f"{fact.version:013d} {at} {parting.profile_id}"
                for identifier in parting.identifiers:
                    yield Entry("merged", fact.tenant, fact.profile_id, AWAY + short(identifier), text)


@dataclass(slots=True)
class Trail:
    """The way from the profile that an event was attributed to, by an identifier if that is known.

    What an identifier attributed goes where that was parted to; only ever to where it was parted later, for what
    was parted may have come back by a merge.
    """

    profile: str
    identifier: str = ""
    version: str = ""
    parted_at: str = ""

    @property
    def fields(self) -> list[str]:
        """What has to be known of the profile to go on."""
        return [INTO, AWAY + self.identifier] if self.identifier else [INTO]

    def follow(self, into: str | None, parted: str | None = None) -> bool:
        """Go one profile on, by what these fields say; whether there was any way to go."""
        version, at, taker = parted.split(" ") if parted else ("", "", "")
        if version > self.version:
            self.version, self.parted_at, self.profile = version, max(at, self.parted_at), taker
            return True
        if into:
            self.profile = into.split(" ")[1]
        return bool(into)

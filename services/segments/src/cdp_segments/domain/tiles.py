"""What a stretch of the log makes of each profile in it, poured into the people's records at once.

A tile is somebody who has seen those events and nothing else. Marks are sets, so it makes no difference whether
the record holds some already: by the live stream, by an earlier try, or because another segment asked for them.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterable
from typing import Final, TypeAlias

from cdp_contracts.profiles_v1 import ProfileUpdated
from cdp_runtime.redirects import chain_of

from cdp_segments.domain.catalog import Catalog
from cdp_segments.domain.engine import mark_of
from cdp_segments.domain.feeds import Bearers
from cdp_segments.domain.intake import take_event, take_traits
from cdp_segments.domain.joining import add, part_of, take
from cdp_segments.domain.moving import People, giver_on
from cdp_segments.domain.person import UNKNOWN, Person, person_id
from cdp_segments.domain.segments import Segment

Home: TypeAlias = Callable[[str], int]
"""The partition that messages about a profile come from."""

SEEDED: Final = "seeded"
"""The fingerprint of the definitions that somebody was held against who has only been counted so far."""


class Tiles:
    """The tiles of one tenant in one partition, while its log is read."""

    def __init__(self, bearers: Bearers) -> None:
        self.catalog = Catalog.counting(bearers.leaves)
        self.open = bearers.open
        self.people: dict[str, Person] = {}

    def add(self, update: ProfileUpdated) -> None:
        """Count what an update brings. Whoever counts for nothing leaves no tile, unless everybody is wanted."""
        id_ = person_id(update.tenant, update.profile_id)
        tile = self.people.get(id_) or Person(id_)
        if update.event is not None:
            take_event(tile, update.event, mark_of(update), self.catalog, 0, part=update.part or "")
        if update.traits:
            take_traits(tile, update.traits, update.revision, self.catalog)
        if tile.changed or self.open:
            self.people[id_] = tile


def pour(people: People, tiles: Iterable[Person], open_: Iterable[Segment], catalog: Catalog, home: Home) -> None:
    """Let each tile count for whom its identifiers are of now. Safe twice.

    Whoever is new gets a record, to be held against the definitions where the profile is at `home`.
    """
    for tile in tiles:
        for person, part in _pour_events(people, tile, catalog):
            _introduce(person, home)
            take(person, part, catalog)
        _pour_traits(people[tile.id], tile, home)
        stranger = people[tile.id]
        if not stranger.rev and not stranger.changed and any(s.truth(stranger, 0) for s in open_):
            _introduce(stranger, home)


def _pour_events(people: People, tile: Person, catalog: Catalog) -> list[tuple[Person, Person]]:
    """Who takes which part of a tile. What is on its way to somebody else goes the same way."""
    groups: dict[str, set[str]] = defaultdict(set)
    for part in tile.shares:
        *before, owner = chain_of(people, tile.id, part)
        if giver := giver_on(before, part):
            add(giver.leaving if part in giver.leaving else giver.shares, {part: tile.shares[part]}, catalog)
            giver.touch()
        else:
            groups[owner.id].add(part)
    return [(people[id_], part_of(tile, parts, catalog)) for id_, parts in sorted(groups.items())]


def _pour_traits(person: Person, tile: Person, home: Home) -> None:
    """Traits told of a profile that is part of another by now are old news."""
    if person.into is not None:
        return
    for path, fact in tile.facts.items():
        if fact.revision > person.facts.get(path, UNKNOWN).revision:
            _introduce(person, home)
            person.facts[path] = fact
            person.touch()


def _introduce(person: Person, home: Home) -> None:
    """Give somebody new a record that is to be held against the definitions."""
    if not person.definitions:
        person.definitions = SEEDED
        person.touch()
    if person.partition is None:
        person.partition = home(person.profile_id)
        person.touch()

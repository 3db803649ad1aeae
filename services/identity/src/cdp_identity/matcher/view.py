"""What a batch has loaded, as the index of matches sees it: records by person, found by keyed hashes."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Iterator, Mapping
from dataclasses import dataclass, field

from cdp_identity.matcher.entries import Block, Entry
from cdp_identity.matcher.store import survivor
from cdp_identity.matching.frequencies import Frequencies
from cdp_identity.matching.record import MatchRecord


@dataclass(slots=True)
class View:
    """A store of matches for reading. `hidden` are records that come later in the same batch.

    `fresh` are those that came before, and `seen` which of them were looked at. Whoever was parted from the person
    `looking` is not seen, nor is what saw it already (`behind`), before the batch was broken off.
    """

    entries: Mapping[str, Entry]
    blocks: Mapping[str, Block]
    block_of: Callable[[str], str]
    frequencies: Frequencies = field(default_factory=Frequencies)
    hidden: set[str] = field(default_factory=set)
    fresh: set[str] = field(default_factory=set)
    seen: set[str] = field(default_factory=set)
    behind: Collection[str] = ()
    looking: Entry | None = None
    _records: dict[str, dict[str, MatchRecord]] = field(default_factory=dict)

    def get(self, key: str) -> MatchRecord | None:
        """A record by its id, which is person and identifier."""
        person, _, part = key.rpartition("/")
        return self.of(person).get(part)

    def of(self, person: str) -> dict[str, MatchRecord]:
        """The records of a person, by identifier."""
        if person not in self._records:
            self._records[person] = self.entries[person].records() if person in self.entries else {}
        return self._records[person]

    def sharing(self, keys: Collection[str]) -> Iterator[str]:
        """See MatchStore."""
        people = dict.fromkeys(member for key in sorted(keys) for member in self._members(self.block_of(key)))
        roots = dict.fromkeys(survivor(self.entries, person).id for person in people if person in self.entries)
        return (key for person in roots if not self._is_apart(person) for key in self.members(person))

    def person(self, key: str) -> str:
        """See MatchStore."""
        return key.rpartition("/")[0]

    def members(self, person: str) -> Collection[str]:
        """See MatchStore."""
        keys = [f"{person}/{part}" for part in self.of(person)]
        self.seen |= self.fresh.intersection(keys)
        return [key for key in keys if key not in self.hidden and key not in self.behind]

    def put(self, record: MatchRecord, keys: Collection[str]) -> None:
        """Nothing: what a batch tells is kept before it is matched."""

    def join(self, person: str, other: str) -> str:
        """Nothing: whether persons become one is the resolver's to say."""
        return person

    def _is_apart(self, person: str) -> bool:
        return self.looking is not None and self.looking.is_apart(self.entries[person])

    def _members(self, block: str) -> Iterable[str]:
        return self.blocks[block].members if block in self.blocks else ()

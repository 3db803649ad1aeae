"""What the index needs of a store, and the store in memory."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Collection, Iterable
from dataclasses import dataclass, field
from typing import Protocol

from cdp_identity.matching.blocking import CAP
from cdp_identity.matching.frequencies import Frequencies
from cdp_identity.matching.record import MatchRecord


class MatchStore(Protocol):
    """Records by blocking key and by person."""

    frequencies: Frequencies

    def get(self, key: str) -> MatchRecord | None:
        """A record by its id."""
        ...

    def sharing(self, keys: Collection[str]) -> Iterable[str]:
        """Ids of the records that have one of these keys, each once; keys over the cap are left out."""
        ...

    def put(self, record: MatchRecord, keys: Collection[str]) -> None:
        """Keep a record under its keys, in place of the one of the same id."""
        ...

    def person(self, key: str) -> str:
        """The id of the person that a record is taken to be of."""
        ...

    def members(self, person: str) -> Collection[str]:
        """The records of a person."""
        ...

    def join(self, person: str, other: str) -> str:
        """Make two persons one; its id."""
        ...


@dataclass(slots=True)
class MemoryMatchStore:
    """In this process. `dropped` counts, by kind of key, those that went over the cap."""

    frequencies: Frequencies = field(default_factory=Frequencies)
    dropped: Counter[str] = field(default_factory=Counter)
    _records: dict[str, MatchRecord] = field(default_factory=dict)
    _keys: dict[str, frozenset[str]] = field(default_factory=dict)
    _blocks: dict[str, dict[str, None] | None] = field(default_factory=dict)
    _person: dict[str, str] = field(default_factory=dict)
    _members: defaultdict[str, dict[str, None]] = field(default_factory=lambda: defaultdict(dict))

    def get(self, key: str) -> MatchRecord | None:
        return self._records.get(key)

    def sharing(self, keys: Collection[str]) -> Iterable[str]:
        found: dict[str, None] = {}
        for key in keys:
            found.update(self._blocks.get(key) or {})
        return found

    def put(self, record: MatchRecord, keys: Collection[str]) -> None:
        for key in self._keys.get(record.id, frozenset()).difference(keys):
            if block := self._blocks.get(key):
                block.pop(record.id, None)
        for key in keys:
            self._block(key, record.id)
        self._keys[record.id] = frozenset(keys)
        self._records[record.id] = record
        self._members[self._person.setdefault(record.id, record.id)][record.id] = None

    def person(self, key: str) -> str:
        return self._person.get(key, key)

    def members(self, person: str) -> Collection[str]:
        return self._members.get(person, {})

    def join(self, person: str, other: str) -> str:
        if person != other:
            for key in (moved := self._members.pop(other, {})):
                self._person[key] = person
            self._members[person].update(moved)
        return person

    def _block(self, key: str, record: str) -> None:
        block = self._blocks.setdefault(key, {})
        if block is None:
            return
        block[record] = None
        if len(block) > CAP:
            self._blocks[key] = None
            self.dropped[key.split(":", 1)[0]] += 1

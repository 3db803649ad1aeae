"""Parts, and the profile as their join.

A part holds what one attributing identifier contributed while its events went to one record, its home.
Only that record ever adds to it, so of two copies of a part one is the other's past: taking the greater of
everything is a join (commutative, associative, idempotent). Parts of different homes share no event, so their
counters add up. This is the construction of a G-counter (Shapiro et al., "A comprehensive study of
convergent and commutative replicated data types", 2011), one replica a record.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from typing import Final, NamedTuple, TypeAlias, TypeVar

from pydantic import JsonValue

EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)
MICROSECOND: Final = timedelta(microseconds=1)
GONE: Final = "null"
ENCODER: Final = json.JSONEncoder(ensure_ascii=False, sort_keys=True, separators=(",", ":"))


def micros(instant: datetime) -> int:
    """Microseconds since 1970: exact, unlike BSON's dates, so that order survives the store."""
    return (instant - EPOCH) // MICROSECOND


def instant(at: int) -> datetime:
    """The inverse of `micros`, in UTC."""
    return EPOCH + at * MICROSECOND


def canonical(value: JsonValue) -> str:
    """The one JSON text of a value: what BSON cannot hold (deep, huge or oddly keyed) is text to it."""
    return ENCODER.encode(value)


class Trait(NamedTuple):
    """A trait's value and where it comes from. Of two, the greater counts: the newer, then by message id."""

    at: int
    message_id: str
    text: str
    source: str

    @property
    def value(self) -> JsonValue:
        """The value; None where the sender took the trait away."""
        value: JsonValue = json.loads(self.text)
        return value


class Allowed(NamedTuple):
    """What an event may be used for, as was decided when it came. Of two, the greater counts: the newer."""

    at: int
    message_id: str
    purposes: tuple[str, ...]


class Identifier(NamedTuple):
    """An identifier seen on an event: user_id, anonymous_id or email."""

    kind: str
    value: str


class PartKey(NamedTuple):
    """Which part: the record its events went to, the pseudonym of what attributed them, and since when.

    `era` is the version at which the identifier was last parted from that record: should it come back, the events
    that follow are another part.
    """

    home: str
    identifier: str
    era: int = 0


@dataclass(slots=True)
class Part:
    """What one identifier contributed on one record; an event by itself is one, too. Times in microseconds."""

    first_seen: int
    last_seen: int
    traits: dict[str, Trait] = field(default_factory=dict)
    counters: dict[str, int] = field(default_factory=dict)
    identifiers: set[Identifier] = field(default_factory=set)
    allowed: Allowed | None = None

    def merged(self, other: Part) -> Part:
        """The later of two copies of this part, field by field."""
        return Part(
            first_seen=min(self.first_seen, other.first_seen),
            last_seen=max(self.last_seen, other.last_seen),
            traits=greatest(self.traits, other.traits),
            counters=greatest(self.counters, other.counters),
            identifiers=self.identifiers | other.identifiers,
            allowed=newer(self.allowed, other.allowed),
        )

    def add(self, event: Part) -> None:
        """Take in an event that was not in it yet."""
        self.first_seen = min(self.first_seen, event.first_seen)
        self.last_seen = max(self.last_seen, event.last_seen)
        keep_greatest(self.traits, event.traits)
        keep_sum(self.counters, event.counters)
        self.identifiers |= event.identifiers
        self.allowed = newer(self.allowed, event.allowed)

    def less(self, name: str) -> Part:
        """This part with one event of a name counted less: it was counted elsewhere, too."""
        return replace(self, counters=self.counters | {name: self.counters[name] - 1})


def size_of(part: Part) -> int:
    """How many bytes its names, values and identifiers take."""
    traits = sum(len(name.encode()) + len(trait.text.encode()) for name, trait in part.traits.items())
    names = sum(len(name.encode()) for name in part.counters)
    return traits + names + sum(len(kind) + len(value.encode()) for kind, value in part.identifiers)


Parts: TypeAlias = dict[PartKey, Part]


def union(a: Parts, b: Parts) -> Parts:
    """The parts of both. Commutative, associative, idempotent."""
    return a | {key: a[key].merged(part) if key in a else part for key, part in b.items()}


@dataclass(slots=True)
class Joined:
    """The profile as all its parts together tell it."""

    first_seen: int | None = None
    last_seen: int | None = None
    traits: dict[str, Trait] = field(default_factory=dict)
    counters: dict[str, int] = field(default_factory=dict)
    identifiers: set[Identifier] = field(default_factory=set)
    allowed: Allowed | None = None

    def add(self, part: Part) -> None:
        """Take in a part, or an event, that was not in it yet."""
        self.first_seen = part.first_seen if self.first_seen is None else min(self.first_seen, part.first_seen)
        self.last_seen = part.last_seen if self.last_seen is None else max(self.last_seen, part.last_seen)
        keep_greatest(self.traits, part.traits)
        keep_sum(self.counters, part.counters)
        self.identifiers |= part.identifiers
        self.allowed = newer(self.allowed, part.allowed)

    def values(self, names: Iterable[str]) -> dict[str, JsonValue]:
        """The values of these traits; None for one that is gone."""
        return {name: self.traits[name].value if name in self.traits else None for name in names}


def join(parts: Iterable[Part]) -> Joined:
    """All parts together, in whatever order they come."""
    joined = Joined()
    for part in parts:
        joined.add(part)
    return joined


def changed_traits(before: Mapping[str, Trait], news: Mapping[str, Trait]) -> list[str]:
    """Which traits have another value once the news are joined in."""
    return [name for name, trait in news.items() if _changes(before.get(name), trait)]


def differing_traits(before: Mapping[str, Trait], after: Mapping[str, Trait]) -> list[str]:
    """Which traits have another value, or none any more."""
    gone = [name for name, trait in before.items() if name not in after and trait.text != GONE]
    return gone + [name for name, trait in after.items() if _text(before.get(name)) != trait.text]


def _text(trait: Trait | None) -> str:
    return GONE if trait is None else trait.text


def _changes(old: Trait | None, new: Trait) -> bool:
    return new.text != GONE if old is None else new > old and new.text != old.text


def newer(a: Allowed | None, b: Allowed | None) -> Allowed | None:
    """The greater of two, of which either may be missing."""
    if a is None or b is None:
        return a or b
    return max(a, b)


T = TypeVar("T", int, Trait)


def greatest(a: Mapping[str, T], b: Mapping[str, T]) -> dict[str, T]:
    """Name by name the greater of two."""
    kept = dict(a)
    keep_greatest(kept, b)
    return kept


def keep_greatest(kept: dict[str, T], news: Mapping[str, T]) -> None:
    """Let the greater of two stay under each name."""
    for name, value in news.items():
        old = kept.get(name)
        if old is None or value > old:
            kept[name] = value


def keep_sum(kept: dict[str, int], news: Mapping[str, int]) -> None:
    """Add up name by name."""
    for name, count in news.items():
        kept[name] = kept.get(name, 0) + count

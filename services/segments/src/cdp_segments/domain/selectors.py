"""What an event is counted by: a name and filters, addressed by content, so that equal selectors share state."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from hashlib import blake2b
from typing import Final, TypeAlias

from cdp_contracts.computed_v1 import Favourite
from cdp_contracts.conditions_v1 import (
    Absence,
    Aggregate,
    AggregateOf,
    Count,
    CountOf,
    First,
    Last,
    PropertyFilter,
    SessionCount,
)
from cdp_contracts.events_v1 import Event
from cdp_contracts.sequences_v1 import Interruption, SequenceStep
from pydantic import JsonValue

from cdp_segments.domain.comparing import COMPARISONS, check_operand, lookup, number
from cdp_segments.domain.marks import Mark, Ring
from cdp_segments.domain.words import LARGEST, Word, word_of

Counting: TypeAlias = Count | CountOf | SessionCount | Absence | First | Last | SequenceStep | Interruption
Valuing: TypeAlias = Aggregate | AggregateOf

ANY_EVENT: Final = "*"
BEHAVIOUR: Final = frozenset({"track", "page", "screen"})


def content_key(*parts: JsonValue) -> str:
    """The address of a value: the same for equal content, in every process and version."""
    canonical = json.dumps(parts, sort_keys=True, separators=(",", ":"))
    return blake2b(canonical.encode(), digest_size=8).hexdigest()


def is_behaviour(event: Event) -> bool:
    """Whether the person did something: what visits are made of and `*` counts."""
    return event.type in BEHAVIOUR


def names_of(event: Event) -> tuple[str, ...]:
    """What conditions may call the event: its name, the type unless it is a track, `*` if it is behaviour."""
    names = (event.name,) if event.type == "track" else tuple({event.name: None, event.type: None})
    return (*names, ANY_EVENT) if is_behaviour(event) else names


@dataclass(frozen=True, slots=True)
class Filter:
    """A property comparison with its path taken apart."""

    path: tuple[str, ...]
    op: str
    value: JsonValue

    def accepts(self, properties: Mapping[str, JsonValue]) -> bool:
        """Whether the properties compare like this."""
        return COMPARISONS[self.op](lookup(properties, self.path), self.value)

    @property
    def indexable(self) -> bool:
        """Whether an index by the property's value can find it."""
        return self.op == "==" and isinstance(self.value, str | int | float)


@dataclass(frozen=True, slots=True)
class Selector:
    """Events of a name whose properties pass every filter. Their marks carry the value of a property, if any."""

    key: str
    event: str
    filters: tuple[Filter, ...]
    value: tuple[str, ...] | None = None
    distinct: bool = False
    oldest: bool = False
    worded: bool = False

    @classmethod
    def of(cls, count: Counting) -> Selector:
        """The selector of a count; ValueError naming the property and the rule if a filter makes no sense."""
        filters, content = _filters(count)
        return cls(content_key("count", count.event, content), count.event, filters)

    @classmethod
    def first(cls, condition: Counting) -> Selector:
        """The selector of the first of these events ever: only the oldest mark is kept."""
        filters, content = _filters(condition)
        return cls(content_key("first", condition.event, content), condition.event, filters, oldest=True)

    @classmethod
    def valued(cls, aggregate: Valuing) -> Selector:
        """The selector of an aggregate."""
        return cls._valued(aggregate, aggregate.property, distinct=aggregate.function == "distinct")

    @classmethod
    def alike(cls, event: Counting, path: str | None) -> Selector:
        """The selector of an event that carries a property to be told apart by, if any."""
        return cls.of(event) if path is None else cls._valued(event, path, distinct=True)

    @classmethod
    def worded_by(cls, favourite: Favourite) -> Selector:
        """The selector of events with a value that is kept as it is, beside the number that stands for it."""
        filters, content = _filters(favourite)
        path = tuple(favourite.property.split("."))
        key = content_key("word", favourite.event, content, [*path])
        return cls(key, favourite.event, filters, path, distinct=True, worded=True)

    @classmethod
    def _valued(cls, event: Counting | Valuing, path: str, *, distinct: bool) -> Selector:
        (filters, content), names = _filters(event), path.split(".")
        key = content_key("value", event.event, content, [*names], distinct)
        return cls(key, event.event, filters, tuple(names), distinct)

    def accepts(self, event: Event) -> bool:
        """Whether the properties of an event of the name pass every filter."""
        return all(f.accepts(event.properties) for f in self.filters)

    def watched(self, ring: Ring) -> Ring:
        """The marks that the clock looks at."""
        return ring

    def mark(self, mark: Mark, event: Event) -> Mark | None:
        """The mark of an event; None if it has no value where it should have one."""
        if self.value is None:
            return mark
        found = self.word(event) if self.worded else lookup(event.properties, self.value)
        value = told_apart(found) if self.distinct else as_number(found)
        return None if value is None else (mark[0], mark[1], value)

    def word(self, event: Event) -> Word | None:
        """The value of an event as it is kept; None where there is none to keep."""
        return word_of(lookup(event.properties, self.value)) if self.worded and self.value else None


ANYTHING: Final = ""
FIRST_OF_ALL: Final = Selector(content_key("first", ANYTHING, []), ANYTHING, (), oldest=True)
"""The first event of any kind: how long somebody is known."""


def _filters(condition: Counting | Valuing | Favourite) -> tuple[tuple[Filter, ...], list[JsonValue]]:
    filters = tuple(sorted((_filter(rule) for rule in condition.where), key=repr))
    return filters, [[*f.path, f.op, f.value] for f in filters]


def _filter(rule: PropertyFilter) -> Filter:
    check_operand(rule.op, rule.value, f"property {rule.property}")
    return Filter(tuple(rule.property.split(".")), rule.op, rule.value)


def as_number(value: JsonValue) -> float | None:
    """A number that sums may be made of; None for anything else."""
    return float(value) if number(value) and abs(value) <= LARGEST else None  # type: ignore[arg-type]  # a number


def told_apart(value: JsonValue) -> float | None:
    """52 bits of a hash, equal for equal numbers, texts or booleans; None for anything else.

    That two of 512 values share them happens once in 30 billion times.
    """
    if not isinstance(value, str | int | float):
        return None
    small = as_number(value)
    content = content_key(value if small is None else small)
    return float(int(content[:13], 16))

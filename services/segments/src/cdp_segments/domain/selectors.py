"""What an event is counted by: a name and filters, addressed by content, so that equal selectors share state."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from hashlib import blake2b
from typing import Final

from cdp_contracts.conditions_v1 import Count, PropertyFilter, SessionCount
from cdp_contracts.events_v1 import Event
from pydantic import JsonValue

from cdp_segments.domain.comparing import COMPARISONS, check_operand, lookup

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
    """Events of a name whose properties pass every filter."""

    key: str
    event: str
    filters: tuple[Filter, ...]

    @classmethod
    def of(cls, count: Count | SessionCount) -> Selector:
        """The selector of a count; ValueError naming the property and the rule if a filter makes no sense."""
        filters = tuple(sorted((_filter(rule) for rule in count.where), key=repr))
        content: list[JsonValue] = [[*f.path, f.op, f.value] for f in filters]
        return cls(content_key("count", count.event, content), count.event, filters)

    def accepts(self, event: Event) -> bool:
        """Whether the event is one of these."""
        return self.event in names_of(event) and all(f.accepts(event.properties) for f in self.filters)


def _filter(rule: PropertyFilter) -> Filter:
    check_operand(rule.op, rule.value, f"property {rule.property}")
    return Filter(tuple(rule.property.split(".")), rule.op, rule.value)

"""The vocabulary of refusal: every rule by name, and a fault that never carries a value of the event."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Final

from pydantic import JsonValue

RULES: Final[Mapping[str, str]] = MappingProxyType(
    {
        "write-key": "The event names a source: by the edge's stamp, or by a write key of an enabled source.",
        "depth": "Objects and arrays nest no deeper than the limit.",
        "text": "No string or field name holds a NUL character.",
        "number": "Numbers are finite, and integers fit into 64 bits.",
        "size": "The event is no larger than the limit, as compact JSON.",
        "event-type": "The type is one of track, identify, page, screen, group, alias, consent.",
        "type": "Each field has the JSON type that the specification gives it.",
        "length": "Identifiers and names are no longer than their limit.",
        "identifier": "There is a user or device id, and it is not a placeholder such as null or [object Object].",
        "group-id": "A group event names its group.",
        "previous-id": "An alias event names both the id known before and the user id.",
        "event-name": "A track event is named.",
        "message-id": "The message id is a string of 1 to 100 characters.",
        "timestamp": "The time is ISO 8601 and, once corrected, neither absurdly old nor in the future.",
        "plan-event": "The tracking plan knows the event.",
        "plan-required": "A property or trait that the plan requires is there.",
        "plan-type": "A property or trait has the type that the plan gives it.",
        "plan-one-of": "A property or trait is one of the values that the plan lists.",
        "plan-range": "A number lies within the plan's minimum and maximum.",
        "plan-unknown": "The plan knows the property, where it says that it knows them all.",
    }
)


@dataclass(frozen=True, slots=True)
class Fault:
    """What is wrong with an event: the rule, where (a JSON pointer), what was expected, the type found."""

    rule: str
    pointer: str
    expected: str
    got: str


_TYPES: Final[Mapping[type, str]] = MappingProxyType(
    {
        type(None): "null",
        bool: "boolean",
        str: "string",
        int: "integer",
        float: "number",
        list: "array",
        dict: "object",
    }
)


def json_type(value: JsonValue) -> str:
    """The JSON type of a value, with integers told apart from other numbers."""
    return _TYPES[type(value)]


def pointer_to(*parts: str | int) -> str:
    """The JSON pointer (RFC 6901) of a path."""
    return "".join("/" + str(part).replace("~", "~0").replace("/", "~1") for part in parts)

"""What no message may carry, whatever it means: too much, too deep, NUL characters, numbers no store can hold."""

from __future__ import annotations

from collections.abc import Iterable
from math import isfinite
from typing import Final, TypeAlias, cast

from cdp_contracts.envelope import JsonObject
from cdp_contracts.events_v1 import EventReceived
from pydantic import JsonValue
from pydantic_core import PydanticSerializationError, to_json

from cdp_collector.domain.limits import Limits
from cdp_collector.domain.rules import Fault, json_type, pointer_to

Container: TypeAlias = dict[str, JsonValue] | list[JsonValue]

NUL: Final = "\x00"
INTEGER_MIN: Final = -(2**63)
INTEGER_MAX: Final = 2**63 - 1
BYTES_PER_CHAR: Final = 6
BYTES_PER_VALUE: Final = 26


def as_sent(event: EventReceived) -> JsonObject:
    """What the sender wrote, under the names it wrote: without the edge's stamp, the key and what is absent."""
    fields = {
        "type": event.type,
        "event": event.event,
        "name": event.name,
        "userId": event.user_id,
        "anonymousId": event.anonymous_id,
        "previousId": event.previous_id,
        "groupId": event.group_id,
        "messageId": event.message_id,
        "timestamp": event.timestamp,
        "originalTimestamp": event.original_timestamp,
        "sentAt": event.sent_at,
        "properties": event.properties,
        "traits": event.traits,
        "context": event.context,
    }
    return {name: value for name, value in fields.items() if value is not None}


def bounds_fault(event: JsonValue, limits: Limits) -> Fault | None:
    """The first bound that the event breaks. Never raises, however odd the event."""
    try:
        at_most = _most_bytes(event, limits.depth)
    except _Unsound as unsound:
        path, guilty = _located(event, limits.depth)
        return Fault(unsound.rule, pointer_to(*path), unsound.expected, json_type(guilty))
    return _size_fault(event, limits.event_bytes) if at_most > limits.event_bytes else None


class _Unsound(Exception):  # noqa: N818
    def __init__(self, rule: str, expected: str) -> None:
        super().__init__(rule)
        self.rule = rule
        self.expected = expected


def _most_bytes(value: JsonValue, levels: int) -> int:
    """An upper bound of the value's size as JSON; _Unsound if something in it is not allowed at all."""
    kind = type(value)
    if kind is str:
        return _text_bytes(cast("str", value))
    if kind is dict or kind is list:
        return _container_bytes(cast("Container", value), levels)
    if kind is float and not isfinite(cast("float", value)):
        raise _Unsound("number", "a finite number")
    if kind is int and not INTEGER_MIN <= cast("int", value) <= INTEGER_MAX:
        raise _Unsound("number", "an integer of 64 bits")
    return BYTES_PER_VALUE


def _text_bytes(text: str) -> int:
    if NUL in text:
        raise _Unsound("text", "text without NUL characters")
    return len(text) * BYTES_PER_CHAR + BYTES_PER_VALUE


def _container_bytes(value: Container, levels: int) -> int:
    if levels == 0:
        raise _Unsound("depth", "less deep nesting")
    total = BYTES_PER_VALUE * (len(value) + 1)
    if isinstance(value, dict):
        total += _text_bytes("".join(value))
        value = list(value.values())
    for item in value:
        total += _most_bytes(item, levels - 1)
    return total


def _located(value: JsonValue, levels: int) -> tuple[tuple[str | int, ...], JsonValue]:
    """Where the first unsound value stands: looked for only once it is known that there is one."""
    if levels > 0 and isinstance(value, dict | list):
        children: Iterable[tuple[str | int, JsonValue]] = (
            value.items() if isinstance(value, dict) else enumerate(value)
        )
        for name, child in children:
            try:
                _most_bytes(child, levels - 1)
            except _Unsound:
                path, guilty = _located(child, levels - 1)
                return (name, *path), guilty
    return (), value


def _size_fault(event: JsonValue, limit: int) -> Fault | None:
    """Measured only when the rough upper bound is over the limit."""
    try:
        size = len(to_json(event))
    except (PydanticSerializationError, ValueError):
        return Fault("text", "", "text that UTF-8 can hold", json_type(event))
    return Fault("size", "", f"at most {limit} bytes", json_type(event)) if size > limit else None

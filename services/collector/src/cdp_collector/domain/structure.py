"""The shape of the Segment specification: which fields an event of a type must carry, and of which type."""

from __future__ import annotations

from collections.abc import Callable
from typing import Final, TypeAlias, get_args

from cdp_contracts.events_v1 import EventReceived, EventType, subject_text
from pydantic import JsonValue

from cdp_collector.domain.bounds import NUL
from cdp_collector.domain.limits import Limits
from cdp_collector.domain.rules import Fault, json_type, pointer_to

Pseudonym: TypeAlias = Callable[[str, str, str], str]
"""A keyed hash of a value of a kind within a tenant."""

EVENT_TYPES: Final = frozenset(get_args(EventType))

PLACEHOLDERS: Final = frozenset(
    {
        "null", "(null)", "none", "nil", "undefined", "nan", "n/a", "true", "false", "[]", "{}", "[object object]",
        "unknown", "anonymous", "guest", "distinct_id", "distinctid", "not_authenticated", "-1",
    }
)  # fmt: skip
"""What clients send as an id when they have none. Taken for an id, each would make one person of thousands."""


def structure_fault(event: EventReceived, limits: Limits) -> Fault | None:
    """The first way in which the event is not one of the specification."""
    return (
        _type_fault(event)
        or _object_fault(event)
        or _identifier_fault(event, limits)
        or _name_fault(event, limits)
        or _message_id_fault(event, limits)
    )


def identifier(value: JsonValue) -> str | None:
    """An identifier as text without surrounding blanks: integers are ids too. None if there is none."""
    if isinstance(value, str):
        return value.strip() or None
    return str(value) if isinstance(value, int) and not isinstance(value, bool) else None


def is_placeholder(value: str) -> bool:
    """Whether an id is what a client sends when it has none: a word such as undefined, or nothing but zeros."""
    return value.lower() in PLACEHOLDERS or not value.strip("0-")


def own_message_id(event: EventReceived, limits: Limits) -> str | None:
    """The id that the sender gave the event, if it is one."""
    given = event.message_id
    if not isinstance(given, str) or not given.strip() or len(given) > limits.message_id_chars or NUL in given:
        return None
    return given


def subject_of(event: EventReceived) -> str | None:
    """Whose order is kept: the device, else the user. None if there is neither."""
    return subject_text(identifier(event.anonymous_id), identifier(event.user_id))


def _type_fault(event: EventReceived) -> Fault | None:
    if isinstance(event.type, str) and event.type in EVENT_TYPES:
        return None
    return Fault("event-type", "/type", f"one of {', '.join(sorted(EVENT_TYPES))}", json_type(event.type))


def _object_fault(event: EventReceived) -> Fault | None:
    for name, value in (("properties", event.properties), ("traits", event.traits), ("context", event.context)):
        if value is not None and not isinstance(value, dict):
            return Fault("type", pointer_to(name), "object", json_type(value))
    traits = event.context.get("traits") if isinstance(event.context, dict) else None
    if traits is None or isinstance(traits, dict):
        return None
    return Fault("type", "/context/traits", "object", json_type(traits))


def _identifier_fault(event: EventReceived, limits: Limits) -> Fault | None:
    given = (
        ("userId", event.user_id),
        ("anonymousId", event.anonymous_id),
        ("groupId", event.group_id),
        ("previousId", event.previous_id),
    )
    for name, value in given:
        fault = value is not None and _id_fault(name, value, limits)
        if fault:
            return fault
    return _missing_id_fault(event)


def _id_fault(name: str, value: JsonValue, limits: Limits) -> Fault | None:
    text = identifier(value)
    if text is None:
        return None if isinstance(value, str) else Fault("type", pointer_to(name), "string", json_type(value))
    if len(text) > limits.identifier_chars:
        return Fault("length", pointer_to(name), f"at most {limits.identifier_chars} characters", json_type(value))
    if is_placeholder(text):
        return Fault("identifier", pointer_to(name), "an id, not a placeholder for one", json_type(value))
    return None


def _missing_id_fault(event: EventReceived) -> Fault | None:
    if subject_of(event) is None:
        return Fault("identifier", "/userId", "a user id or an anonymous id", json_type(event.user_id))
    if event.type == "group" and identifier(event.group_id) is None:
        return Fault("group-id", "/groupId", "the id of the group", json_type(event.group_id))
    if event.type == "alias" and identifier(event.previous_id) is None:
        return Fault("previous-id", "/previousId", "the id known before", json_type(event.previous_id))
    if event.type == "alias" and identifier(event.user_id) is None:
        return Fault("previous-id", "/userId", "the user id that takes over", json_type(event.user_id))
    return None


def _name_fault(event: EventReceived, limits: Limits) -> Fault | None:
    for name, value in (("event", event.event), ("name", event.name)):
        if value is None:
            continue
        if not isinstance(value, str):
            return Fault("type", pointer_to(name), "string", json_type(value))
        if len(value) > limits.name_chars:
            return Fault("length", pointer_to(name), f"at most {limits.name_chars} characters", "string")
    if event.type == "track" and not (isinstance(event.event, str) and event.event.strip()):
        return Fault("event-name", "/event", "the name of what happened", json_type(event.event))
    return None


def _message_id_fault(event: EventReceived, limits: Limits) -> Fault | None:
    if event.message_id is None or own_message_id(event, limits) is not None:
        return None
    expected = f"a string of 1 to {limits.message_id_chars} characters"
    return Fault("message-id", "/messageId", expected, json_type(event.message_id))

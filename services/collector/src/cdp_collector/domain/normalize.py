"""An event of any dialect as one normalized event: what every later service reads."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from cdp_contracts.envelope import JsonObject
from cdp_contracts.events_v1 import Event, EventReceived, EventType
from pydantic import JsonValue

from cdp_collector.domain.structure import identifier

CONTEXT_VALUES: Final = ("groupId", "locale", "sessionId", "timezone", "userAgent")
CONTEXT_OBJECTS: Final[Mapping[str, tuple[str, ...]]] = {
    "app": ("name", "version", "build", "namespace"),
    "campaign": ("id", "name", "source", "medium", "term", "content"),
    "device": ("type",),
    "library": ("name", "version"),
    "os": ("name", "version"),
    "page": ("path", "referrer", "search", "title", "url"),
    "referrer": ("id", "type"),
}
"""All that is kept of the context. Addresses, exact places, device and advertising ids are not among it."""


def normalized(event: EventReceived, kind: EventType) -> Event:
    """The event in the words of the contracts. Its structure has been checked.

    Traits are the person's, from `traits` and `context.traits` (the former win). What a group event says of
    its group stands in `properties`, so that it is never taken for the person's.
    """
    context = _object(event.context)
    own, about_person = _object(event.traits), _object(context.get("traits"))
    properties = _object(event.properties)
    if kind == "group":
        own, properties = {}, {**properties, **own}
    return Event(
        type=kind,
        name=_name(event, kind),
        user_id=identifier(event.user_id),
        anonymous_id=identifier(event.anonymous_id),
        previous_id=identifier(event.previous_id) if kind == "alias" else None,
        group_id=identifier(event.group_id),
        properties=properties,
        traits={**about_person, **own},
        context=allowed_context(context),
    )


def allowed_context(context: JsonObject) -> JsonObject:
    """The context without all that is not on the list."""
    kept: JsonObject = {}
    for name in context:
        value = context[name]
        if name in CONTEXT_VALUES and _is_scalar(value):
            kept[name] = value
        elif name in CONTEXT_OBJECTS and isinstance(value, dict):
            kept[name] = {part: value[part] for part in CONTEXT_OBJECTS[name] if _is_scalar(value.get(part))}
    return kept


def _is_scalar(value: JsonValue) -> bool:
    return isinstance(value, str | int | float)


def _name(event: EventReceived, kind: EventType) -> str:
    """What was tracked; the page or screen; else the type."""
    given = event.event if kind in ("track", "consent") else event.name if kind in ("page", "screen") else None
    return (given.strip() if isinstance(given, str) else "") or kind


def _object(value: JsonValue) -> JsonObject:
    return value if isinstance(value, dict) else {}

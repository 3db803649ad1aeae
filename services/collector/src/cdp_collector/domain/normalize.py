"""An event of any dialect as one normalized event: what every later service reads."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Final

from cdp_contracts.envelope import JsonObject
from cdp_contracts.events_v1 import Event, EventReceived, EventType
from pydantic import JsonValue

from cdp_collector.domain.browsers import LONGEST, UNKNOWN, Browser, claims_first_party
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
"""All that is kept of the context, beside `externalIds` and what is known of the `Browser`. Addresses, exact
places, device and advertising ids are not among it."""
EXTERNAL_ID: Final = ("id", "type", "collection", "encoding")
MOST_EXTERNAL_IDS: Final = 50
DEVICES: Final = ("android.", "ios.")


def normalized(event: EventReceived, kind: EventType, browser: Browser = UNKNOWN) -> Event:
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
        first_party_id=browser.first_party_id,
        properties=properties,
        traits={**about_person, **own},
        context=allowed_context(context, browser),
    )


def allowed_context(context: JsonObject, browser: Browser = UNKNOWN) -> JsonObject:
    """The context without all that is not on the list, and with what is known of the browser."""
    kept: JsonObject = {}
    for name in context:
        value = context[name]
        if name in CONTEXT_VALUES and _is_scalar(value):
            kept[name] = value
        elif name in CONTEXT_OBJECTS and isinstance(value, dict):
            kept[name] = {part: value[part] for part in CONTEXT_OBJECTS[name] if _is_scalar(value.get(part))}
    if external := list(_external_ids(context.get("externalIds"))):
        kept["externalIds"] = external
    if browser.visit:
        kept["sessionId"] = browser.visit
    if browser.fingerprint:
        kept["device"] = {**_object(kept.get("device")), "fingerprint": browser.fingerprint}
    return kept


def _external_ids(given: JsonValue) -> Iterator[JsonValue]:
    """Ids of the person in other systems. Devices' are left out, and what reads like an id that the edge gives."""
    for each in given[:MOST_EXTERNAL_IDS] if isinstance(given, list) else ():
        if not isinstance(each, dict) or str(each.get("type")).startswith(DEVICES):
            continue
        value = identifier(each.get("id"))
        if value and len(value) <= LONGEST and not claims_first_party(value):
            yield {**{part: each[part] for part in EXTERNAL_ID if _is_scalar(each.get(part))}, "id": value}


def _is_scalar(value: JsonValue) -> bool:
    return isinstance(value, str | int | float)


def _name(event: EventReceived, kind: EventType) -> str:
    """What was tracked; the page or screen; else the type."""
    given = event.event if kind in ("track", "consent") else event.name if kind in ("page", "screen") else None
    return (given.strip() if isinstance(given, str) else "") or kind


def _object(value: JsonValue) -> JsonObject:
    return value if isinstance(value, dict) else {}

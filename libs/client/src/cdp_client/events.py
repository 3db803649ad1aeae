"""The shape of an event as a sender writes it (the Segment specification's)."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Final, TypeAlias, TypedDict, Unpack
from uuid import uuid4

from pydantic import JsonValue

Properties: TypeAlias = dict[str, JsonValue]

CONSENT_EVENT: Final = "Segment Consent Preference Updated"


class About(TypedDict, total=False):
    """Whose event it is and when it happened. One of the two ids is needed.

    `message_id` makes it idempotent: give the same one when you send the same event again. `timestamp` needs a
    time zone; without one the event happens now.
    """

    user_id: str
    anonymous_id: str
    message_id: str
    timestamp: datetime
    context: Properties


def track(name: str, properties: Properties | None, **about: Unpack[About]) -> Properties:
    """Something that happened."""
    return event("track", {"event": name, "properties": properties or {}}, about)


def identify(traits: Properties | None, **about: Unpack[About]) -> Properties:
    """Who somebody is."""
    return event("identify", {"traits": traits or {}}, about)


def consent(choices: Mapping[str, bool], **about: Unpack[About]) -> Properties:
    """A person's choices by category, as Segment's consent wrappers send them."""
    preferences: Properties = {"categoryPreferences": {**choices}}
    context: Properties = {**about.get("context", {}), "consent": preferences}
    return event("track", {"event": CONSENT_EVENT}, About(**{**about, "context": context}))


def event(type: str, fields: Properties, about: About) -> Properties:  # noqa: A002  # the field's name
    """One event. ValueError without any id, or with a timestamp that has no time zone."""
    if not about.get("user_id") and not about.get("anonymous_id"):
        raise ValueError("user_id or anonymous_id is required")
    moment = about.get("timestamp") or datetime.now(UTC)
    if moment.tzinfo is None:
        raise ValueError("timestamp must have a time zone")
    filled: Properties = {
        "type": type,
        "messageId": about.get("message_id") or str(uuid4()),
        "timestamp": moment.isoformat(),
        "userId": about.get("user_id"),
        "anonymousId": about.get("anonymous_id"),
        "context": about.get("context"),
        **fields,
    }
    return {name: value for name, value in filled.items() if value is not None}

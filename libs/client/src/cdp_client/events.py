"""The shape of an event as a sender writes it (the Segment specification's)."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TypeAlias
from uuid import uuid4

from pydantic import JsonValue

Properties: TypeAlias = dict[str, JsonValue]


def event(
    type: str,  # noqa: A002  # the field's name
    *,
    user_id: str | None,
    anonymous_id: str | None,
    message_id: str | None = None,
    timestamp: datetime | None = None,
    **fields: JsonValue,
) -> Properties:
    """One event. `message_id` makes it idempotent: give the same one when you send the same event again.

    Raises ValueError without any id, or with a timestamp that has no time zone.
    """
    if not user_id and not anonymous_id:
        raise ValueError("user_id or anonymous_id is required")
    moment = timestamp or datetime.now(UTC)
    if moment.tzinfo is None:
        raise ValueError("timestamp must have a time zone")
    filled: Properties = {
        "type": type,
        "messageId": message_id or str(uuid4()),
        "timestamp": moment.isoformat(),
        "userId": user_id,
        "anonymousId": anonymous_id,
        **fields,
    }
    return {name: value for name, value in filled.items() if value is not None}

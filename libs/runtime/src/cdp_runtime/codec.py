"""Messages as bytes and headers. The seam where sealing by subject key takes its place."""

from __future__ import annotations

from datetime import datetime
from typing import TypeVar

from cdp_contracts.envelope import Contract, Message
from cdp_contracts.topics import Topic

from cdp_runtime.transport import Headers, Outgoing

M = TypeVar("M", bound=Contract)

LONGEST_ID = 128
TRACE_HEADERS = ("traceparent", "tracestate")


def decode(topic: Topic[M], value: bytes) -> M:
    """The message in a record's value; pydantic's ValidationError if it is not one of this topic."""
    return topic.model.model_validate_json(value)


def encode(topic: Topic[M], message: M, *, source: str, now: datetime, trace: Headers = ()) -> Outgoing:
    """The record of a message: JSON value, CloudEvents binary-mode headers, plain trace headers."""
    key = topic.key_of(message)
    moment = message.occurred_at if isinstance(message, Message) else now
    headers = (
        ("ce_specversion", b"1.0"),
        ("ce_id", _id_of(message).encode()),
        ("ce_type", topic.name.encode()),
        ("ce_source", source.encode()),
        ("ce_time", moment.isoformat().encode()),
        ("content-type", b"application/json"),
        *trace,
    )
    return Outgoing(
        topic=topic.name,
        key=None if key is None else key.encode(),
        value=message.model_dump_json(exclude_defaults=False).encode(),
        headers=headers,
    )


def _id_of(message: Contract) -> str:
    """The message's own id; an event as it was sent has at most an id of its sender's, which may be anything."""
    own = getattr(message, "id", None)
    if own is not None:
        return str(own)
    given = getattr(message, "message_id", None)
    return given if isinstance(given, str) and len(given) <= LONGEST_ID else ""


def trace_of(headers: Headers) -> Headers:
    """Only the trace headers."""
    return tuple(header for header in headers if header[0] in TRACE_HEADERS)

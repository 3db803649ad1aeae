"""Messages as bytes and headers. The seam where sealing by subject key takes its place."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime
from functools import cache
from typing import TypeVar
from uuid import uuid4

from cdp_contracts.envelope import Contract, Message, derived_id
from cdp_contracts.topics import Topic
from pydantic import TypeAdapter

from cdp_runtime.transport import Headers, Outgoing

M = TypeVar("M", bound=Contract)

TRACE_HEADERS = ("traceparent", "tracestate")


def decode(topic: Topic[M], value: bytes) -> M:
    """The message in a record's value; pydantic's ValidationError if it is not one of this topic."""
    return topic.model.model_validate_json(value)


def encode(topic: Topic[M], message: M, *, source: str, now: datetime, trace: Headers = ()) -> Outgoing:
    """The record of a message: JSON value, CloudEvents binary-mode headers, plain trace headers."""
    key = topic.key_of(message)
    moment = message.occurred_at if isinstance(message, Message) else now
    headers = (
        *_constant_headers(topic.name, source),
        ("ce_id", _id_of(message).encode()),
        ("ce_time", moment.isoformat().encode()),
        *trace,
    )
    return Outgoing(
        topic=topic.name,
        key=None if key is None else key.encode(),
        value=_writer_of(type(message))(message) if topic.keeps(message) else None,
        headers=headers,
    )


def _id_of(message: Contract) -> str:
    """The message's own id. A sender's id may be anything, an address even: it goes into the header as a hash."""
    if _has_id(type(message)):
        return str(getattr(message, "id"))  # noqa: B009  # not every contract has one
    given = getattr(message, "message_id", None)
    return str(derived_id(given, "received") if isinstance(given, str) else uuid4())


@cache
def _has_id(model: type[Contract]) -> bool:
    return "id" in model.model_fields


@cache
def _writer_of(model: type[Contract]) -> Callable[[Contract], bytes]:
    """Writes bytes at once, where a model's own method would make a text of them first."""
    return TypeAdapter(model).dump_json


@cache
def _constant_headers(topic: str, source: str) -> Headers:
    return (
        ("ce_specversion", b"1.0"),
        ("ce_type", topic.encode()),
        ("ce_source", source.encode()),
        ("content-type", b"application/json"),
    )


def trace_of(headers: Headers) -> Headers:
    """Only the trace headers."""
    return tuple([header for header in headers if header[0] in TRACE_HEADERS]) if headers else ()

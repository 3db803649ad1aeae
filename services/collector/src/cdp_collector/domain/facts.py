"""What the platform says became of an event, read from its messages: only the fields that a receipt needs.

Every model names fields of the topic's own contract, so that a message costs a few microseconds to read.
"""

from __future__ import annotations

import json
import re
from contextlib import suppress
from datetime import datetime
from typing import Final, Literal

from cdp_contracts import failures_v1
from cdp_contracts.envelope import Contract

UNKNOWN: Final = "unknown"
TRACEPARENT: Final = re.compile(r"[0-9a-f]{2}-([0-9a-f]{32})-")


class Fact(Contract):
    """Something that became of the event of this tenant and message id."""

    tenant: str
    message_id: str
    received_at: datetime


class Rejected(Fact):
    """The sender's mistake."""

    source: str
    rule: str
    pointer: str
    expected: str
    got: str


class Withheld(Fact):
    """The person's choice."""

    source: str
    purposes: tuple[str, ...]
    reason: str


class Resolved(Fact):
    """It belongs to this person."""

    source: str
    profile_id: str
    part: str


class Merged(Fact):
    """A person became part of another one."""

    profile_id: str
    absorbed: str


class Parting(Contract):
    """Identifiers that are another person's from then on."""

    profile_id: str
    identifiers: tuple[str, ...]


class Unmerged(Fact):
    """A person was found to be several."""

    profile_id: str
    version: int
    partings: tuple[Parting, ...]


class Change(Contract):
    """A person entered or left a segment."""

    segment: str
    segment_version: int
    member: bool
    cause: Literal["event", "timer", "merge", "definition"]
    effective_at: datetime


class Moved(Fact):
    """Memberships that changed."""

    version: int
    changes: tuple[Change, ...]


class SetAside(Contract):
    """A dead letter. Whose it is can be told only if its bytes can be read; `message_id` is empty otherwise."""

    tenant: str = ""
    message_id: str = ""
    topic: str
    service: str
    stage: str
    reason: str
    failed_at: datetime
    place: str


def set_aside(topic: str, headers: dict[str, str], value: bytes | None, written_at: datetime) -> SetAside:
    """The dead letter in a record. Never raises, whatever the bytes are: they were set aside for a reason."""
    tenant, message_id = whose(value or b"")
    headers = {name: " ".join(text.split()) or UNKNOWN for name, text in headers.items()}
    return SetAside(
        tenant=tenant,
        message_id=message_id,
        topic=topic,
        service=headers.get(failures_v1.SERVICE, UNKNOWN),
        stage=headers.get(failures_v1.STAGE, UNKNOWN),
        reason=headers.get(failures_v1.REASON, UNKNOWN),
        failed_at=moment(headers.get(failures_v1.FAILED_AT, ""), written_at),
        place=f"{headers.get(failures_v1.SOURCE_PARTITION, '?')}:{headers.get(failures_v1.SOURCE_OFFSET, '?')}",
    )


def whose(value: bytes) -> tuple[str, str]:
    """Tenant and message id of a message, also of one as it was sent; empty where they cannot be read."""
    with suppress(ValueError, RecursionError):
        said = json.loads(value)
        if isinstance(said, dict):
            edge = said.get("edge")
            tenant = edge.get("tenant") if isinstance(edge, dict) else said.get("tenant")
            message_id = said.get("messageId") if isinstance(edge, dict) else said.get("message_id")
            if isinstance(tenant, str) and isinstance(message_id, str):
                return tenant, message_id
    return "", ""


def moment(text: str, otherwise: datetime) -> datetime:
    """A time that a header tells."""
    try:
        found = datetime.fromisoformat(text)
    except ValueError:
        return otherwise
    return found if found.tzinfo else otherwise


def trace_id(traceparent: str) -> str:
    """The trace that a W3C `traceparent` names; empty if it names none. Senders may write anything there."""
    found = TRACEPARENT.match(traceparent)
    return found[1] if found else ""

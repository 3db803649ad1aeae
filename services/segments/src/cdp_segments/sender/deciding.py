"""What follows from a flip, and from what a destination answers. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from typing import Final

from cdp_contracts.definitions_v1 import DestinationDefined
from cdp_contracts.deliveries_v1 import DeliveryRequested, FlipData, SegmentFlipped, destination_id
from cdp_contracts.envelope import derived_id
from cdp_contracts.segments_v1 import MembershipChange, MembershipChanged

TRY_AGAIN: Final = (408, 425, 429)
LONGEST_REST: Final = 3600.0


def deliveries(
    message: MembershipChanged, destinations: Iterable[DestinationDefined]
) -> Iterator[DeliveryRequested]:
    """A request for each flip and each destination that wants it. Ids follow from the message: safe twice.

    What was told before a destination's `effective_at` is not for it.
    """
    for destination in destinations:
        if destination.effective_at and message.computed_at < destination.effective_at:
            continue
        for number, change in enumerate(message.changes):
            if change.segment in destination.segments and said(change) in destination.flips:
                yield request(message, number, change, destination)


def request(
    message: MembershipChanged, number: int, change: MembershipChange, destination: DestinationDefined
) -> DeliveryRequested:
    """One flip for one destination."""
    data = FlipData(
        tenant=message.tenant, destination=destination.name, profile_id=message.profile_id,
        version=message.version, **dict(change),
    )  # fmt: skip
    return DeliveryRequested(
        tenant=message.tenant,
        id=derived_id(message.id, f"delivery/{destination.name}", number),
        message_id=message.message_id,
        occurred_at=message.occurred_at,
        received_at=message.received_at,
        destination_id=destination_id(destination.tenant, destination.name),
        computed_at=message.computed_at,
        flip=SegmentFlipped(
            type="segment.entered" if change.member else "segment.left", timestamp=change.effective_at, data=data
        ),
    )


def said(change: MembershipChange) -> str:
    """Which of the two flips it is, in a definition's words."""
    return "entered" if change.member else "left"


@dataclass(frozen=True, slots=True)
class Answer:
    """What became of one try: a status, or why there is none; a code without address, secret or body."""

    status: int | None = None
    failure: str = ""
    retry_after: str = ""


@dataclass(frozen=True, slots=True)
class Delivered:
    """The destination has it."""


@dataclass(frozen=True, slots=True)
class Refused:
    """The destination will never take it."""

    reason: str


@dataclass(frozen=True, slots=True)
class Again:
    """It is worth another try; the destination wants to be left alone for so many seconds."""

    reason: str
    rest: float = 0.0


def judge(answer: Answer, now: datetime) -> Delivered | Refused | Again:
    """2xx: delivered. No answer, 408, 425, 429 and 5xx: again. Everything else, redirects included: refused."""
    if answer.status is None:
        return Again(answer.failure)
    if 200 <= answer.status < 300:
        return Delivered()
    reason = f"http-{answer.status}"
    if answer.status in TRY_AGAIN or 500 <= answer.status < 600:
        return Again(reason, seconds_of(answer.retry_after, now))
    return Refused(reason)


def seconds_of(retry_after: str, now: datetime) -> float:
    """Retry-After (RFC 9110, 10.2.3): seconds or a date; what cannot be read is none, an hour is the most."""
    text = retry_after.strip()
    if text.isascii() and text.isdigit():
        return min(LONGEST_REST, float(text[:9]))
    try:
        until = parsedate_to_datetime(text)
    except ValueError:
        return 0.0
    until = until if until.tzinfo else until.replace(tzinfo=UTC)
    return min(LONGEST_REST, max(0.0, (until - now).total_seconds()))

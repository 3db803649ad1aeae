"""When it happened: the sender's clock, corrected by ours."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Final

from cdp_contracts.events_v1 import EventReceived
from pydantic import JsonValue

from cdp_collector.domain.limits import Limits
from cdp_collector.domain.rules import Fault, json_type

LONGEST_TIMESTAMP: Final = 64
ISO: Final = "a time in ISO 8601, such as 2026-01-05T12:00:00Z"


@dataclass(frozen=True, slots=True)
class Moment:
    """When the event happened, in UTC, never after it was received; `flags` say what was done about it."""

    at: datetime
    flags: tuple[str, ...] = ()

    def marked(self, flag: str) -> Moment:
        """The same with one more flag."""
        return Moment(self.at, (*self.flags, flag))


def moment_of(event: EventReceived, received_at: datetime, limits: Limits) -> Moment | Fault:
    """The time of the event by Segment's formula, receivedAt - (sentAt - originalTimestamp).

    A difference between receivedAt and sentAt within the tolerance is the way the event took, not a wrong
    clock, and is left alone: correcting it would shuffle events that lie close together. Without a time the
    event happened when it was sent, without that when it was received.
    """
    name, given = _given(event)
    sent_at = _sent_at(event)
    if given is None:
        return Moment(received_at)
    original = parsed_time(given)
    if original is None:
        return Fault("timestamp", name, ISO, json_type(given))
    skew = received_at - sent_at if sent_at else timedelta()
    corrected = abs(skew) > limits.clock_tolerance
    try:
        at = original + skew if corrected else original
    except OverflowError:
        return Fault("timestamp", name, "a year that exists", json_type(given))
    return _judged(at, received_at, name, corrected, limits)


def parsed_time(value: JsonValue) -> datetime | None:
    """A time in ISO 8601 as UTC; without an offset it is taken for UTC. None if it is none."""
    if not isinstance(value, str) or len(value) > LONGEST_TIMESTAMP:
        return None
    try:
        moment = datetime.fromisoformat(value.strip())
        return moment.replace(tzinfo=UTC) if moment.tzinfo is None else moment.astimezone(UTC)
    except (ValueError, OverflowError):
        return None


def _given(event: EventReceived) -> tuple[str, JsonValue]:
    if event.original_timestamp is not None:
        return "/originalTimestamp", event.original_timestamp
    return "/timestamp", event.timestamp


def _sent_at(event: EventReceived) -> datetime | None:
    own = parsed_time(event.sent_at)
    return own or (event.edge.sent_at if event.edge else None)


def _judged(at: datetime, received_at: datetime, name: str, corrected: bool, limits: Limits) -> Moment | Fault:
    moment = Moment(min(at, received_at), ("clock-corrected",) if corrected else ())
    if at < limits.earliest:
        return Fault("timestamp", name, f"not before {limits.earliest:%Y-%m-%d}", "string")
    if at - received_at > limits.future_tolerance:
        return Fault("timestamp", name, "not in the future", "string")
    if at - received_at > limits.clock_tolerance:
        return moment.marked("clock-clamped")
    return moment.marked("old") if received_at - at > limits.old_after else moment

"""What is sent: events in lanes. A lane is one sender's path, each event sent after the last was stored.

A story has two acts. Between them, when all is quiet, people are parted.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any, Final, Literal, TypeAlias

Json: TypeAlias = dict[str, Any]  # an event as its sender writes it
Id: TypeAlias = tuple[str, str]  # kind and value

EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)
BROKEN: Final = "broken"
ACCEPTED: Final[Mapping[str, bool]] = {"Analytics": True, "Functional": True, "Advertising": True}


@dataclass(frozen=True, slots=True, kw_only=True)
class Event:
    """One event. Times in milliseconds from the beginning of the story; `wrong` is the rule that it breaks."""

    message_id: str
    occurred: int
    type: str = "track"
    name: str = ""
    user: str | None = None
    device: str | None = None
    previous: str | None = None
    traits: Mapping[str, str | int | None] = field(default_factory=dict)
    properties: Mapping[str, str | float] = field(default_factory=dict)
    choices: Mapping[str, bool] | Literal["broken"] | None = None
    place: Literal["EU", "US-CA"] = "EU"
    wrong: str | None = None

    @property
    def ids(self) -> tuple[Id, ...]:
        """Whom the event names, in the words of the consent and identity pages."""
        named = (("user_id", self.user), ("anonymous_id", self.device))
        return tuple((kind, value) for kind, value in named if value)

    def body(self, begun: datetime) -> Json:
        """As the sender writes it."""
        context: Json = {}
        if self.choices is not None:
            said = {"categoryPreferences": dict(self.choices) if self.choices != BROKEN else "yes"}
            context["consent"] = said
        if self.place == "US-CA":
            context["location"] = {"country": "US", "region": "CA"}
        fields = {
            "type": self.type, "messageId": self.message_id, "userId": self.user, "anonymousId": self.device,
            "previousId": self.previous, "traits": dict(self.traits), "properties": dict(self.properties),
            "context": context, ("event" if self.type == "track" else "name"): self.name,
            "timestamp": (begun + timedelta(milliseconds=self.occurred)).isoformat(timespec="milliseconds"),
        }  # fmt: skip
        return {name: value for name, value in fields.items() if value not in (None, {}, "")}


@dataclass(frozen=True, slots=True)
class Sending:
    """Events that go out together, not before so many milliseconds."""

    at: int
    events: tuple[Event, ...]


@dataclass(frozen=True, slots=True)
class Lane:
    """One sender's ordered path: through the edge, or straight onto the broker under one key."""

    name: str
    path: Literal["http", "broker"]
    sendings: tuple[Sending, ...]

    def events(self) -> Iterator[Event]:
        """Everything in its order, copies included."""
        for sending in self.sendings:
            yield from sending.events


@dataclass(frozen=True, slots=True)
class Unmerge:
    """Somebody wants devices to be persons of their own, a group each: no more part of the person of a user."""

    message_id: str
    user: str
    groups: tuple[tuple[str, ...], ...]


@dataclass(frozen=True, slots=True)
class Story:
    """Everything that one seed sends. `later` are the lanes of the second act, which begins at `turn`."""

    prefix: str
    lanes: tuple[Lane, ...]
    unmerges: tuple[Unmerge, ...] = ()
    later: tuple[Lane, ...] = ()
    turn: int = 0

    @property
    def events(self) -> dict[str, Event]:
        """Every event once, by message id."""
        return {event.message_id: event for lane in (*self.lanes, *self.later) for event in lane.events()}

    @property
    def sent(self) -> int:
        """How often an event is sent, copies included."""
        return sum(len(sending.events) for lane in (*self.lanes, *self.later) for sending in lane.sendings)


def by_time(lanes: tuple[Lane, ...]) -> list[Event]:
    """One of the orders in which everything may arrive: each lane in its own order."""
    at = [
        (sending.at, n, m, event)
        for n, lane in enumerate(lanes)
        for m, sending in enumerate(lane.sendings)
        for event in sending.events
    ]
    return [event for *_, event in sorted(at, key=lambda item: item[:3])]

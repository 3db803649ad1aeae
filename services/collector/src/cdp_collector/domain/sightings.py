"""Copies: the same message id at another place of the topic. At the same place it is a redelivery."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Final

from cdp_contracts.events_v1 import EventRejected, EventValidated

MOST_COPIES: Final = 100
"""Of how many copies the places are remembered."""


@dataclass(frozen=True, slots=True)
class Arrival:
    """Where and when a record came in: the same on every redelivery, and no other record's."""

    topic: str
    partition: int
    offset: int
    at: datetime

    @property
    def place(self) -> str:
        """Its place within the topic."""
        return f"{self.partition}:{self.offset}"

    @property
    def identity(self) -> str:
        """What tells it from any record of any topic, one that was deleted and made anew included."""
        return f"{self.topic}/{self.partition}/{self.offset}/{self.at.isoformat()}"


@dataclass(frozen=True, slots=True)
class Sighting:
    """A valid event was seen there."""

    tenant: str
    message_id: str
    place: str


def sighting_of(message: EventValidated | EventRejected, arrival: Arrival) -> Sighting | None:
    """What to remember of a decided event. A rejected one leaves its id free for a better try."""
    if isinstance(message, EventRejected):
        return None
    return Sighting(message.tenant, message.message_id, arrival.place)

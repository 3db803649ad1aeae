"""Where every event ended, told by the topics themselves.

Counted by message id: a role that was killed may have written a message twice, and that is allowed.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property

from cdp_cli.records import read_to_end
from cdp_contracts.topics import (
    EVENTS_RECEIVED,
    EVENTS_REJECTED,
    EVENTS_RESOLVED,
    EVENTS_WITHHELD,
    PROFILES_UPDATED,
    dead_letter_topics,
)
from cdp_runtime.settings import KafkaSettings

from cdp_devstack.offsets import topic_counts


@dataclass(frozen=True)
class Exits:
    """Message ids by the place where they were found."""

    received: frozenset[str]
    rejected: frozenset[str]
    withheld: frozenset[str]
    resolved: frozenset[str]
    updated: frozenset[str]
    dead_lettered: int

    @cached_property
    def in_flight(self) -> frozenset[str]:
        """What came in and has not come out yet."""
        return self.received - self.rejected - self.withheld - (self.resolved & self.updated)

    @cached_property
    def by_two(self) -> frozenset[str]:
        """What left by more than one exit."""
        return (self.rejected & self.withheld) | (self.rejected & self.resolved) | (self.withheld & self.resolved)


async def read_exits(bootstrap: str) -> Exits:
    """Read the topics from their beginnings to where they end now."""
    topics = (EVENTS_RECEIVED, EVENTS_REJECTED, EVENTS_WITHHELD, EVENTS_RESOLVED, PROFILES_UPDATED)
    received, rejected, withheld, resolved, updated = [await ids(bootstrap, topic.name) for topic in topics]
    counts = await topic_counts(bootstrap, dead_letter_topics())
    return Exits(received, rejected, withheld, resolved, updated, dead_lettered=sum(counts.values()))


async def ids(bootstrap: str, topic: str) -> frozenset[str]:
    """The message ids in a topic."""
    records = read_to_end(KafkaSettings(bootstrap=bootstrap), [topic])
    return frozenset([id_of(json.loads(record.value or b"{}")) async for record in records])


def id_of(message: Mapping[str, str]) -> str:
    """What the sender called the event; events as sent are in camel case."""
    return message.get("messageId") or message["message_id"]

"""What the broker must know of every topic: how it is cut, kept and limited. From the registry alone."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from cdp_contracts.envelope import Contract
from cdp_contracts.topics import DEAD_LETTER_HOURS, TOPICS, Topic, dead_letter_topics

HOUR_MS: Final = 3_600_000
MAX_MESSAGE_BYTES: Final = 1_048_576
DEAD_LETTER_HEADROOM: Final = 65_536
TOMBSTONE_HOURS: Final = 14 * 24


@dataclass(frozen=True, slots=True)
class TopicSettings:
    """One topic as the broker sees it. `config` holds Kafka's own names; replication is the environment's."""

    name: str
    partitions: int
    config: tuple[tuple[str, str], ...]


def topic_settings() -> tuple[TopicSettings, ...]:
    """Every topic of the registry and every dead-letter topic, in the registry's order."""
    registered = tuple(TopicSettings(topic.name, topic.partitions, config_of(topic)) for topic in TOPICS)
    letters = tuple(TopicSettings(name, 1, DEAD_LETTER_CONFIG) for name in dead_letter_topics())
    return registered + letters


def config_of(topic: Topic[Contract]) -> tuple[tuple[str, str], ...]:
    """Kafka's configuration of a topic.

    Where outsiders write, the broker stamps the time: a sender's clock must not decide how long its event is
    kept, nor when we received it.
    """
    stamped = "LogAppendTime" if topic.open else "CreateTime"
    size = {"max.message.bytes": str(MAX_MESSAGE_BYTES), "message.timestamp.type": stamped}
    return tuple(sorted((cleanup(topic) | size).items()))


def cleanup(topic: Topic[Contract]) -> dict[str, str]:
    """How old messages go: by age, or by being replaced."""
    if not topic.compacted:
        return {"cleanup.policy": "delete", "retention.ms": str((topic.retention_hours or 0) * HOUR_MS)}
    return {
        "cleanup.policy": "compact",
        "min.compaction.lag.ms": str(topic.min_compaction_lag_hours * HOUR_MS),
        "delete.retention.ms": str(TOMBSTONE_HOURS * HOUR_MS),
    }


DEAD_LETTER_CONFIG: Final = (
    ("cleanup.policy", "delete"),
    ("max.message.bytes", str(MAX_MESSAGE_BYTES + DEAD_LETTER_HEADROOM)),
    ("message.timestamp.type", "CreateTime"),
    ("retention.ms", str(DEAD_LETTER_HOURS * HOUR_MS)),
)

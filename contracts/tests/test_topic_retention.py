"""Keeping: a topic goes by age or by being replaced, never both, and long enough for those who read it."""

from __future__ import annotations

import pytest
from cdp_contracts.definitions_v1 import Definition
from cdp_contracts.envelope import Contract
from cdp_contracts.topic_settings import topic_settings
from cdp_contracts.topics import DAY, OUTSIDERS, TOPICS, Topic

SETTINGS = {settings.name: settings for settings in topic_settings()}
every_topic = pytest.mark.parametrize("topic", TOPICS, ids=lambda topic: topic.name)


def config(topic: Topic[Contract]) -> dict[str, str]:
    return dict(SETTINGS[topic.name].config)


@every_topic
def test_a_topic_is_compacted_or_has_an_age(topic: Topic[Contract]) -> None:
    assert topic.compacted == (topic.retention_hours is None)
    assert topic.retention_hours is None or topic.retention_hours >= 3 * DAY
    assert topic.compacted or topic.min_compaction_lag_hours == 0


@every_topic
def test_the_broker_is_told_what_the_registry_says(topic: Topic[Contract]) -> None:
    said = config(topic)
    if topic.compacted:
        assert said["cleanup.policy"] == "compact"
        assert int(said["min.compaction.lag.ms"]) == topic.min_compaction_lag_hours * 3_600_000
        assert "retention.ms" not in said
    else:
        assert said["cleanup.policy"] == "delete"
        assert int(said["retention.ms"]) == (topic.retention_hours or 0) * 3_600_000


@every_topic
def test_a_compacted_topic_has_a_key_that_stays_the_same(topic: Topic[Contract]) -> None:
    assert not topic.compacted or topic.key


@every_topic
def test_a_changelog_that_outsiders_read_keeps_every_change_for_a_fortnight(topic: Topic[Contract]) -> None:
    outside = any(reader in OUTSIDERS for reader in topic.consumers)
    assert not (topic.compacted and outside) or topic.min_compaction_lag_hours >= 14 * DAY


@every_topic
def test_a_tombstone_outlives_a_reader_who_is_away_for_a_week(topic: Topic[Contract]) -> None:
    assert not topic.compacted or int(config(topic)["delete.retention.ms"]) >= 7 * 86_400_000


@every_topic
def test_definitions_are_small_tables_read_to_the_end(topic: Topic[Contract]) -> None:
    if issubclass(topic.model, Definition):
        assert topic.compacted
        assert topic.partitions == 1
        assert topic.key == "id"


@every_topic
def test_a_senders_clock_does_not_decide_how_long_its_event_is_kept(topic: Topic[Contract]) -> None:
    assert config(topic)["message.timestamp.type"] == ("LogAppendTime" if topic.open else "CreateTime")


@every_topic
def test_what_stops_a_stream_is_kept_until_somebody_has_mended_it(topic: Topic[Contract]) -> None:
    assert topic.on_poison != "halt" or topic.compacted or (topic.retention_hours or 0) >= 14 * DAY

"""Dead letters: one topic for each source and service, big enough, kept longer than it takes to mend a fault."""

from __future__ import annotations

import pytest
from cdp_contracts.envelope import Contract
from cdp_contracts.failures_v1 import DEAD_LETTER_HEADERS, dead_letter_topic
from cdp_contracts.topic_settings import TopicSettings, topic_settings
from cdp_contracts.topics import (
    DEAD_LETTER_READERS,
    TOPICS,
    Topic,
    dead_letter_streams,
    dead_letter_topics,
    roles_reading,
)

SETTINGS = {settings.name: settings for settings in topic_settings()}
STREAMS_OF_OURS = [topic for topic in TOPICS if roles_reading(topic) and not topic.table]
every_stream = pytest.mark.parametrize("topic", STREAMS_OF_OURS, ids=lambda topic: topic.name)


def of(settings: TopicSettings, word: str) -> int:
    return int(dict(settings.config)[word])


@every_stream
def test_every_service_that_reads_a_stream_has_a_place_for_what_it_cannot_handle(topic: Topic[Contract]) -> None:
    for role in roles_reading(topic):
        assert topic.dead_letters(role.split("-")[0]) in dead_letter_topics()


def test_there_are_no_others_and_none_twice() -> None:
    wanted = {topic.dead_letters(role.split("-")[0]) for topic in STREAMS_OF_OURS for role in roles_reading(topic)}
    assert set(dead_letter_topics()) == wanted
    assert len(dead_letter_topics()) == len(wanted)


@every_stream
def test_the_untouched_bytes_fit_with_the_headers_that_are_added(topic: Topic[Contract]) -> None:
    for role in roles_reading(topic):
        letters = SETTINGS[topic.dead_letters(role.split("-")[0])]
        assert of(letters, "max.message.bytes") > of(SETTINGS[topic.name], "max.message.bytes")


def test_they_are_kept_for_a_fortnight_and_never_compacted() -> None:
    for name in dead_letter_topics():
        assert dict(SETTINGS[name].config)["cleanup.policy"] == "delete"
        assert of(SETTINGS[name], "retention.ms") == 14 * 24 * 3_600_000


def test_each_says_who_fills_it_who_reads_it_and_how_long_it_is_kept() -> None:
    for stream in dead_letter_streams():
        assert {role.split("-")[0] for role in stream.producers} == {stream.owner} == {stream.name.split(".")[-2]}
        assert stream.consumers == DEAD_LETTER_READERS
        assert stream.on_poison == "dead_letter"
        assert dict(SETTINGS[stream.name].config)["retention.ms"] == str((stream.retention_hours or 0) * 3_600_000)


def test_the_name_says_whose_and_of_what() -> None:
    assert dead_letter_topic("cdp.events.resolved.v1", "profiles") == "cdp.events.resolved.v1.profiles.dlq"


def test_headers_are_named_alike_and_apart_from_the_events_own() -> None:
    assert len(set(DEAD_LETTER_HEADERS)) == len(DEAD_LETTER_HEADERS)
    assert all(name.startswith("cdp_") for name in DEAD_LETTER_HEADERS)

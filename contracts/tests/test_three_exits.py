"""An event leaves the stream by one of three doors, each with its own owner: ADR 0002."""

from __future__ import annotations

import pytest
from cdp_contracts.envelope import Contract
from cdp_contracts.events_v1 import EventRejected, EventValidated, EventWithheld
from cdp_contracts.topics import EVENTS_REJECTED, EVENTS_WITHHELD, TOPICS, Topic, dead_letter_topics

exits = pytest.mark.parametrize("topic", [EVENTS_REJECTED, EVENTS_WITHHELD], ids=lambda topic: topic.name)


@exits
def test_what_left_can_be_found_again_by_its_message_id_and_source(topic: Topic[Contract]) -> None:
    assert {"message_id", "source", "received_at"} <= topic.model.model_fields.keys()


@exits
def test_the_owner_of_the_source_reads_why(topic: Topic[Contract]) -> None:
    assert "source-owners" in topic.consumers
    assert not topic.personal


def test_a_rejection_says_what_is_wrong_and_never_with_which_value() -> None:
    own = EventRejected.model_fields.keys() - EventWithheld.model_fields.keys()
    assert own == {"rule", "pointer", "expected", "got", "owner"}


def test_a_withheld_event_keeps_nothing_of_the_event() -> None:
    assert "event" in EventValidated.model_fields
    assert EventWithheld.model_fields.keys().isdisjoint({"event", "signals"})


def test_the_sender_the_person_and_we_each_have_one_door() -> None:
    assert EVENTS_REJECTED.owner == "collector"
    assert EVENTS_WITHHELD.owner == "consent"
    assert {name.split(".")[-2] for name in dead_letter_topics()} == {topic.owner for topic in TOPICS}

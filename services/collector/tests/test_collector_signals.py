"""What an event says of the person's choices. Whatever cannot be read is unparsable, never silence."""

from __future__ import annotations

import pytest
from cdp_contracts.events_v1 import ConsentSignals, EventValidated
from collector_builders import ARRIVAL, sent, source, stamp, validator


def decided(*definitions, **changes) -> EventValidated:
    message = validator(*definitions).decide(sent(**changes), ARRIVAL)
    assert isinstance(message, EventValidated)
    return message


def consent(value):
    return {"context": {"consent": value}}


def test_choices_travel_under_the_senders_own_names():
    signals = decided(**consent({"categoryPreferences": {"Advertising": True, "c0002": False}})).signals
    assert signals == ConsentSignals(choices={"Advertising": True, "c0002": False})


@pytest.mark.parametrize("context", [None, {}, {"consent": None}])
def test_an_event_may_say_nothing(context):
    assert decided(context=context).signals == ConsentSignals()


def test_an_empty_object_of_preferences_allows_nothing():
    assert decided(**consent({"categoryPreferences": {}})).signals == ConsentSignals(choices={})


@pytest.mark.parametrize(
    "value",
    [
        {},
        {"categoryPreferences": None},
        {"categoryPreferences": []},
        {"categoryPreferences": "all"},
        {"categoryPreferences": {"Advertising": "true"}},
        {"categoryPreferences": {"Advertising": True, "Analytics": 1}},
        {"categoryPreferences": {"": True}},
        {"categoryPreferences": {"x" * 101: True}},
        {"categoryPreferences": {str(n): True for n in range(101)}},
        [True],
        "granted",
        False,
        0,
        "",
    ],
)
def test_a_broken_consent_object_is_unparsable_and_the_event_goes_on(value):
    assert decided(**consent(value)).signals == ConsentSignals(unparsable=True)


def test_of_a_choice_that_is_legible_in_part_only_the_refusals_count():
    half = {"Advertising": False, "Analytics": True, "Functional": "maybe"}
    signals = decided(**consent({"categoryPreferences": half})).signals
    assert signals == ConsentSignals(choices={"Advertising": False}, unparsable=True)


@pytest.mark.parametrize("name", ["Segment Consent Preference", "segment consent preference updated "])
def test_the_preference_event_becomes_a_consent_event(name):
    message = decided(event=name, **consent({"categoryPreferences": {"Analytics": False}}))
    assert message.event.type == "consent"
    assert message.signals.choices == {"Analytics": False}


@pytest.mark.parametrize("changes", [{"event": "Segment Consent Preference Updated"}, {"type": "consent"}])
def test_a_consent_event_that_says_nothing_is_unparsable(changes):
    assert decided(**changes).signals == ConsentSignals(unparsable=True)


def test_gpc_is_the_edges_word():
    assert decided(edge=stamp(gpc=True)).signals.gpc is True
    assert decided(context={"gpc": True}).signals.gpc is False


@pytest.mark.parametrize(
    ("location", "place"),
    [
        (None, "GB"),
        ({"city": "Leeds"}, "GB"),
        ({"country": ""}, "GB"),
        ({"country": "de"}, "DE"),
        ({"country": "US", "region": "CA"}, "US-CA"),
        ({"country": "US", "region": "us-ca"}, "US-CA"),
        ({"country": "US", "region": "California"}, None),
        ({"country": "Germany"}, None),
        ({"country": 49}, None),
        ({"country": "US", "region": ["CA"]}, None),
    ],
)
def test_the_place_is_the_events_else_the_sources_and_unknown_when_unreadable(location, place):
    message = decided(source(jurisdiction="GB"), context={"location": location})
    assert message.signals.jurisdiction == place


def test_the_edge_knows_the_place_best():
    message = decided(edge=stamp(jurisdiction="US-CA"), context={"location": {"country": "DE"}})
    assert message.signals.jurisdiction == "US-CA"

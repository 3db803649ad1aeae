"""When an event happened: Segment's formula, and what is done about clocks that cannot be right."""

from __future__ import annotations

from datetime import timedelta

import pytest
from cdp_collector.domain.clock import Moment, moment_of, parsed_time
from cdp_collector.domain.rules import Fault
from collector_builders import LIMITS, NOON, at, sent, stamp
from hypothesis import given
from hypothesis import strategies as st


def moment(**changes):
    return moment_of(sent(**changes), NOON, LIMITS)


def test_a_wrong_clock_is_corrected_by_what_it_said_when_it_sent():
    ahead = stamp(sent_at=at(3600))
    assert moment(edge=ahead, timestamp="2026-01-05T12:50:00Z") == Moment(at(-600), ("clock-corrected",))


def test_the_original_time_is_what_is_corrected():
    behind = stamp(sent_at=at(-7200))
    assert moment(
        edge=behind, timestamp="2026-01-05T11:59:00Z", originalTimestamp="2026-01-05T09:59:30Z"
    ) == Moment(at(-30), ("clock-corrected",))


def test_an_events_own_sent_at_counts_more_than_the_batchs():
    edge = stamp(sent_at=at(0))
    assert moment(edge=edge, sentAt="2026-01-05T11:00:00Z", timestamp="2026-01-05T10:59:00Z") == Moment(
        at(-60), ("clock-corrected",)
    )


def test_the_time_that_the_way_took_is_no_wrong_clock():
    assert moment(edge=stamp(sent_at=at(-4.9)), timestamp="2026-01-05T11:59:00Z") == Moment(at(-60))


def test_without_a_time_it_happened_when_it_was_received():
    assert moment(timestamp=None) == Moment(NOON)


def test_an_unreadable_sent_at_corrects_nothing():
    assert moment(sentAt="soon", timestamp="2026-01-05T11:59:00Z") == Moment(at(-60))


@pytest.mark.parametrize(("seconds", "flags"), [(4, ()), (6, ("clock-clamped",)), (86400, ("clock-clamped",))])
def test_a_little_in_the_future_is_now(seconds, flags):
    assert moment(timestamp=at(seconds).isoformat()) == Moment(NOON, flags)


def test_far_in_the_future_is_no_time():
    assert isinstance(moment(timestamp=at(86401).isoformat()), Fault)


def test_a_device_that_lives_in_9999_is_corrected_like_any_other():
    wild = moment(sentAt="9999-01-01T00:01:00Z", timestamp="9999-01-01T00:00:00Z")
    assert wild == Moment(at(-60), ("clock-corrected",))


def test_history_may_be_replayed_and_is_marked():
    assert moment(timestamp="1997-01-01T00:00:00Z") == Moment(
        NOON.replace(year=1997, month=1, day=1, hour=0), ("old",)
    )
    assert isinstance(moment(timestamp="1970-01-01T00:00:00Z"), Fault)


@pytest.mark.parametrize(
    "text",
    ["2026-01-05T13:00:00+01:00", "2026-01-05 12:00:00", "2026-01-05T12:00Z", "2026-01-05T12:00:00.000000000Z"],
)
def test_the_usual_ways_to_write_a_time_are_read_as_utc(text):
    assert parsed_time(text) == NOON


@given(
    timestamp=st.datetimes(timezones=st.timezones()).map(lambda moment: moment.isoformat()),
    sent_at=st.datetimes(timezones=st.timezones()).map(lambda moment: moment.isoformat()),
)
def test_no_pair_of_times_makes_it_stumble_or_end_in_the_future(timestamp, sent_at):
    found = moment(timestamp=timestamp, sentAt=sent_at)
    if isinstance(found, Moment):
        assert LIMITS.earliest <= found.at <= NOON
        assert found.at.utcoffset() == timedelta(0)

"""Which events a window holds, and when one comes in or falls out by the clock."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest
from cdp_contracts.conditions_v1 import Between, Calendar, Lifetime, Sliding
from cdp_segments.domain.quantities import MARKS_KEPT
from cdp_segments.domain.reasons import CAPPED
from cdp_segments.domain.reference import units_ago
from cdp_segments.domain.segments import compile_segment
from cdp_segments.domain.telling import milliseconds_of, moment_of
from cdp_segments.domain.windows import FOREVER, held, next_change, reach_of
from hypothesis import example, given
from hypothesis import strategies as st
from stories import Story, between, calendar, count

ZONES = ["UTC", "Europe/Berlin", "America/New_York", "America/Sao_Paulo", "Asia/Kathmandu", "Australia/Lord_Howe"]
YEARS = (int(datetime(1999, 1, 1, tzinfo=UTC).timestamp()), int(datetime(2029, 1, 1, tzinfo=UTC).timestamp()))

instants = st.one_of(
    st.integers(*YEARS).map(lambda second: second * 1000),
    st.integers(YEARS[0] // 3600, YEARS[1] // 3600).map(lambda hour: hour * 3_600_000),
)
calendar_windows = st.builds(
    Calendar,
    unit=st.sampled_from(["day", "week", "month"]),
    n=st.integers(1, 40),
    full=st.booleans(),
    time_zone=st.sampled_from(ZONES),
)
seconds = st.integers(1, 90 * 86400)
betweens = st.builds(
    lambda young, more: Between(from_seconds=young, to_seconds=None if more is None else young + more),
    seconds,
    st.one_of(st.none(), seconds),
)
windows = st.one_of(calendar_windows, betweens, st.builds(Sliding, seconds=seconds), st.just(Lifetime()))


@given(window=windows, at=instants, now=instants)
def test_a_mark_is_in_the_window_from_when_it_enters_until_it_leaves(window, at, now):
    reach = reach_of(window)
    inside = bool(held(reach, [(at, 1)], now))
    if reach.delayed:
        assert inside is (reach.enters(at) <= now < reach.leaves(at))
    else:
        assert inside is (now < reach.leaves(at))
    change = next_change(reach, [(at, 1)], now)
    if change < FOREVER:
        assert change > now
        assert bool(held(reach, [(at, 1)], change - 1)) is inside
        assert bool(held(reach, [(at, 1)], change)) is not inside


@given(where=calendar_windows, at=instants, now=instants)
@example(
    where=Calendar(unit="day", n=1, full=True, time_zone="Europe/Berlin"),
    at=milliseconds_of(datetime(2026, 3, 28, 23, tzinfo=UTC)),
    now=milliseconds_of(datetime(2026, 3, 29, 22, tzinfo=UTC)),
)
def test_a_calendar_counts_as_people_on_the_spot_do(where, at, now):
    at, now = min(at, now), max(at, now)
    ago = units_ago(where, at, now) - where.full
    assert bool(held(reach_of(where), [(at, 1)], now)) is (0 <= ago < where.n)


@pytest.mark.parametrize(
    ("zone", "day", "begins", "hours"),
    [
        ("Europe/Berlin", (2026, 3, 29), "2026-03-28T23:00:00+00:00", 23),
        ("Europe/Berlin", (2026, 10, 25), "2026-10-24T22:00:00+00:00", 25),
        ("America/Sao_Paulo", (2018, 11, 4), "2018-11-04T03:00:00+00:00", 23),  # begins at one o'clock
        ("America/Havana", (2025, 11, 2), "2025-11-02T04:00:00+00:00", 25),  # has midnight twice
        ("America/St_Johns", (2010, 11, 7), "2010-11-07T02:30:00+00:00", 25),  # the day before comes back
        ("Asia/Kathmandu", (2026, 1, 1), "2025-12-31T18:15:00+00:00", 24),
    ],
)
def test_a_day_begins_at_midnight_on_the_spot(zone, day, begins, hours):
    noon = milliseconds_of(datetime(*day, 17, tzinfo=UTC))
    reach = reach_of(Calendar(unit="day", time_zone=zone))
    begin, end = reach.after(noon) + 1, reach.leaves(noon)
    assert moment_of(begin).isoformat() == begins
    assert (end - begin) / 3_600_000 == hours
    assert {reach.leaves(at) for at in range(begin, end, 60_000)} == {end}


def test_a_week_begins_on_monday():
    reach = reach_of(Calendar(unit="week", n=2))
    thursday = milliseconds_of(datetime(2026, 12, 3, tzinfo=UTC))
    assert moment_of(reach.after(thursday) + 1) == datetime(2026, 11, 23, tzinfo=UTC)
    assert moment_of(reach.leaves(thursday)) == datetime(2026, 12, 14, tzinfo=UTC)


@pytest.mark.parametrize(
    ("window", "rule"),
    [
        ({"kind": "between", "from_seconds": 9, "to_seconds": 9}, "to_seconds must be greater than from_seconds"),
        ({"kind": "calendar", "unit": "day", "time_zone": "Europe/Berlim"}, "no time zone 'Europe/Berlim'"),
        ({"kind": "calendar", "unit": "day", "time_zone": "Europe"}, "no time zone 'Europe'"),
    ],
)
def test_a_window_that_makes_no_sense_is_refused(make, window, rule):
    with pytest.raises(ValueError, match=rule):
        compile_segment(make.segment("s", kind="count", event="buy", window=window))


def test_events_come_into_a_window_late_and_fall_out_by_the_clock(make, noon):
    story = Story(make, make.segment("lapsing", **count("buy", **between(5, 9))))
    story.happens(make.event(1, "ann", "buy", at=0))
    (message,) = story.passes(noon.replace(second=20))
    assert [(c.member, c.effective_at.second, c.cause) for c in message.changes] == [
        (True, 5, "timer"),
        (False, 9, "timer"),
    ]
    assert message.changes[0].expires_at == noon.replace(second=9)


def test_yesterday_ends_at_midnight_on_the_spot(make, noon):
    when = count("buy", **calendar("day", full=True, time_zone="Europe/Berlin"))
    story = Story(make, make.segment("yesterday", **when))
    story.happens(make.event(1, "ann", "buy", at=0))
    assert story.segments() == set()
    (message,) = story.passes(noon.replace(day=9))
    assert [(c.member, c.effective_at.isoformat()) for c in message.changes] == [
        (True, "2026-01-05T23:00:00+00:00"),
        (False, "2026-01-06T23:00:00+00:00"),
    ]


def test_more_events_than_are_kept_are_said_to_be_left_out(make, noon):
    story = Story(make, make.segment("s", **count("buy", n=2, **between(10, 3600))))
    story.happens(*(make.event(n, "ann", "buy", at=n / 1000) for n in range(MARKS_KEPT - 1)))
    (message,) = story.passes(noon.replace(second=30))
    (change,) = message.changes
    assert change.reasons[0].note is None
    story.happens(make.event(999, "ann", "buy", at=31))
    why = story.explained().why
    assert (why.value, why.note) == (MARKS_KEPT - 1, CAPPED)

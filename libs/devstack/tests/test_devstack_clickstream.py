"""The demo's data set and its story."""

from __future__ import annotations

from collections import Counter
from datetime import UTC, datetime

import polars as pl
import pytest
from cdp_devstack.clickstream import Clickstream
from cdp_devstack.expected import events, sessions, sizes
from cdp_devstack.replay import CONSENT_EVENT, story

NOW = datetime(2026, 6, 1, 12, 0, tzinfo=UTC)


@pytest.fixture(scope="module")
def stream() -> Clickstream:
    return Clickstream(NOW)


def test_it_is_the_whole_file_and_ends_now(stream: Clickstream) -> None:
    assert len(stream) == 31_106
    assert len(stream.devices) == 600
    assert stream.clicks[-1].at == NOW
    assert [c.at for c in stream.clicks] == sorted(c.at for c in stream.clicks)


def test_a_tenth_of_the_users_is_a_shop_of_its_own(stream: Clickstream) -> None:
    tenth = Clickstream(NOW, every=10)
    assert set(tenth.devices) == set(sorted(stream.devices)[::10])
    assert [c.row for c in tenth.clicks] == [c.row for c in stream.clicks if c.user in tenth.devices]
    assert tenth.clicks[-1].at == NOW
    assert tenth.silent
    assert tenth.withdrawal_rows
    assert all(size > 0 for size in sizes(tenth, NOW).values())


def test_thirty_minutes_without_an_event_end_a_visit_just_as_the_file_has_it(stream: Clickstream) -> None:
    frame = pl.DataFrame([(c.user, c.at) for c in stream.clicks], schema=["person", "at"], orient="row")
    visits = sessions(frame).select("person", "visit").unique()
    assert len(visits) == len({c.session for c in stream.clicks}) == 3_605


def test_one_in_seven_never_answers_and_a_few_withdraw(stream: Clickstream) -> None:
    assert len(stream.silent) == 86
    assert 5 <= len(stream.withdrawing) <= 12
    assert not stream.withdrawing & stream.silent
    assert all(len(stream.devices[user]) == 1 for user in stream.withdrawing)


def test_the_story_asks_once_a_device_and_logs_in_once_a_device(stream: Clickstream) -> None:
    calls = list(story(stream, "run"))
    assert len({call.message_id for call in calls}) == len(calls)
    answers = Counter(c.arguments["anonymous_id"] for c in calls if "-consent-" in c.message_id)
    logins = Counter(c.arguments["anonymous_id"] for c in calls if c.method == "identify")
    assert set(answers.values()) == set(logins.values()) == {1}
    assert sum(c.arguments.get("event") == CONSENT_EVENT for c in calls) == len(answers) + len(
        stream.withdrawal_rows
    )


def test_silent_users_are_nobody_and_withdrawn_ones_end_half_way(stream: Clickstream) -> None:
    permitted = events(stream)
    assert not set(permitted["user"]) & stream.silent
    for user in stream.withdrawing:
        total = sum(c.user == user for c in stream.clicks)
        kept = permitted.filter(pl.col("user") == user).height
        assert kept == min(total, total // 2 + 1)


def test_the_sizes_are_figures_of_the_file_and_not_of_the_moment(stream: Clickstream) -> None:
    later = Clickstream(datetime(2026, 9, 1, tzinfo=UTC))
    assert sizes(stream, NOW) == sizes(later, later.clicks[-1].at)
    assert all(size > 0 for size in sizes(stream, NOW).values())

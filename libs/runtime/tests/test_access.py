"""Tokens and how often their holders may ask."""

from __future__ import annotations

import pytest
from cdp_runtime.access import Tokens
from cdp_runtime.rates import MOST_NAMES, Rates
from pydantic import SecretStr

TOKENS = Tokens([(SecretStr("token-of-ann"), "ann"), (SecretStr(""), "anybody")])


@pytest.mark.parametrize("token", [None, "", "token-of-an", "token-of-ann ", "TOKEN-OF-ANN", "\udc80"])
def test_only_the_whole_token_opens_and_never_none_at_all(token: str | None) -> None:
    assert TOKENS.of(token) is None


def test_a_token_opens_what_it_was_given_for_and_is_not_named_by_itself() -> None:
    holder = TOKENS.of("token-of-ann")
    assert holder is not None
    assert holder.grant == "ann"
    assert holder.name not in "token-of-ann"


class Seconds:
    """A monotonic clock that is moved by hand."""

    def __init__(self) -> None:
        self.now = 1000.0

    def __call__(self) -> float:
        return self.now


def test_a_burst_is_taken_and_then_the_rate() -> None:
    seconds = Seconds()
    rates = Rates(10, 2, seconds)
    assert [rates.wait("ann") for _ in range(20)] == [0] * 20
    assert rates.wait("ann") == 1
    assert rates.wait("bob") == 0
    seconds.now += 0.1
    assert rates.wait("ann") == 0
    assert rates.wait("ann") == 1
    seconds.now += 3600
    assert [rates.wait("ann") for _ in range(21)] == [0] * 20 + [1]


def test_the_wait_is_long_enough_and_in_whole_seconds() -> None:
    seconds = Seconds()
    rates = Rates(0.2, 1, seconds)
    assert rates.wait("ann") == 0
    wait = rates.wait("ann")
    assert (wait, type(wait)) == (5, int)
    seconds.now += wait
    assert rates.wait("ann") == 0


def test_a_refused_request_does_not_count() -> None:
    seconds = Seconds()
    rates = Rates(1, 1, seconds)
    assert [rates.wait("ann") for _ in range(100)] == [0] + [1] * 99
    seconds.now += 1
    assert rates.wait("ann") == 0


def test_no_bound_and_no_memory_without_a_rate() -> None:
    rates = Rates(0, 2)
    assert {rates.wait(str(n)) for n in range(100)} == {0}
    assert not rates._due


def test_many_names_do_not_fill_the_memory() -> None:
    seconds = Seconds()
    rates = Rates(1000, 1, seconds)
    for n in range(MOST_NAMES * 2):
        seconds.now += 1
        assert rates.wait(str(n)) == 0
    assert len(rates._due) <= MOST_NAMES

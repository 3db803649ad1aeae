"""What is said of a failure."""

from __future__ import annotations

import pytest
from cdp_runtime.failures import is_away, place_of, reason_of
from pymongo.errors import DuplicateKeyError, OperationFailure
from redis.exceptions import AuthenticationError, NoPermissionError


def driver() -> None:
    raise ValueError("duplicate key: jane@example.com")


def test_a_failure_is_told_by_its_kind_and_place_without_its_text() -> None:
    try:
        driver()
    except ValueError as error:
        told = place_of(error)

    assert told.startswith("ValueError at test_failures.py:")
    assert "driver < test_failures.py:" in told
    assert "jane" not in told


def test_a_failure_that_was_never_raised_has_no_place() -> None:
    assert place_of(ValueError("jane@example.com")) == "ValueError"


REFUSALS = [
    OperationFailure("Authentication failed.", 18),
    OperationFailure("not authorized on cdp_profiles", 13),
    AuthenticationError("WRONGPASS"),
    NoPermissionError("no permissions"),
]


@pytest.mark.parametrize("error", REFUSALS, ids=lambda error: str(error)[:12])
async def test_credentials_that_are_refused_are_no_fault_of_a_message(error: Exception) -> None:
    assert await is_away(error, ())
    assert "PASSWORD" in reason_of(error)
    assert str(error) not in reason_of(error)


async def test_what_a_server_does_not_take_for_what_it_holds_is() -> None:
    assert not await is_away(OperationFailure("bad value", 2), ())
    assert not await is_away(DuplicateKeyError("E11000", 11000), ())

"""What is said of a failure."""

from __future__ import annotations

from cdp_runtime.failures import place_of


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

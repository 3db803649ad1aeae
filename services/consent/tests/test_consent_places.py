"""Which rules a place falls under."""

from __future__ import annotations

import pytest
from cdp_consent.domain.places import DEFAULT, EU_MEMBERS, HOLDERS, STRICTEST, place_among, places_of
from hypothesis import given
from hypothesis import strategies as st

LISTED = {"EU", "US-CA", "CA", DEFAULT}


@pytest.mark.parametrize(
    ("code", "place"),
    [
        ("EU", "EU"),
        ("EEA", "EU"),
        ("DE", "EU"),
        ("de", "EU"),
        ("DE-BY", "EU"),
        ("NO", "EU"),
        ("CH", "EU"),
        ("GB", "EU"),
        ("UK", "EU"),
        ("GB-SCT", "EU"),
        ("RE", "EU"),
        ("US-CA", "US-CA"),
        ("us_ca", "US-CA"),
        (" US-CA ", "US-CA"),
        ("CA", "CA"),
        ("CA-ON", "CA"),
        ("US-TX", DEFAULT),
        ("BR", DEFAULT),
    ],
)
def test_the_nearest_listed_place_holds(code: str, place: str) -> None:
    assert place_among(code, LISTED) == place


@pytest.mark.parametrize(
    "code", [None, "", " ", "XX", "ZZ", "T1", "EUR", "California", "US-", "US-CALI", "-CA", "Ü"]
)
def test_what_names_no_place_is_an_unknown_one(code: str | None) -> None:
    assert places_of(code) == ()
    assert place_among(code, LISTED) == STRICTEST


@pytest.mark.parametrize(
    ("code", "listed"), [("US", {"US-CA", DEFAULT}), ("EU", {"DE", DEFAULT}), ("GB", {"GB-SCT", DEFAULT})]
)
def test_a_place_too_wide_to_tell_is_an_unknown_one(code: str, listed: set[str]) -> None:
    assert place_among(code, listed) == STRICTEST


def test_a_listed_country_holds_for_its_states() -> None:
    assert place_among("US-NV", {"US", "US-CA", DEFAULT}) == "US"
    assert place_among("US", {"US", "US-CA", DEFAULT}) == "US"


def test_a_policy_without_a_default_is_strict_everywhere_else() -> None:
    assert place_among("BR", {"EU"}) == STRICTEST


def test_the_tables_hold_what_they_should() -> None:
    members = EU_MEMBERS.split()
    assert len(HOLDERS) == 249
    assert len(set(members)) == len(members) == 27 + 7
    assert sum("EEA" in holders for holders in HOLDERS.values()) == 27 + 7 + 3


@given(st.text(max_size=12))
def test_no_text_is_too_odd(code: str) -> None:
    assert place_among(code, LISTED) in LISTED | {STRICTEST}

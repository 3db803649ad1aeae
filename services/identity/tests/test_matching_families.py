"""People of one house share name, address, telephone: they are never joined unasked."""

from __future__ import annotations

from typing import Any

import pytest
from cdp_identity.matching import Band, MatchIndex, record_of
from cdp_identity.matching.blocking import CAP

HOME = {"street": "12 Elm Street", "city": "Leeds", "postcode": "LS1 4AB"}
ADA = {"first_name": "Ada", "last_name": "Byron", "dob": "1990-05-17"}


def bands(*told: dict[str, Any]) -> list[Band]:
    """What is thought of the first and the last when records come one after the other."""
    index = MatchIndex()
    for n, fields in enumerate(told):
        index.add(record_of(f"r{n}", {**HOME, **fields}, region="GB"))
    last = f"r{len(told) - 1}"
    return [index.explain(last, "r0").band]


@pytest.mark.parametrize(
    "other",
    [
        {**ADA, "first_name": "Emma"},
        {**ADA, "first_name": "Emma", "phone": "0113 496 0000"},
        {**ADA, "dob": "1961-07-30"},
        {"first_name": "Ada", "last_name": "Byron"},
        {"first_name": "Adam", "last_name": "Byron"},
        {"last_name": "Byron"},
        {**ADA, "last_name": "Byron Jr", "dob": ""},
    ],
    ids=["twin", "twin-with-phone", "parent", "no-date", "like-name", "no-name", "junior"],
)
def test_who_may_be_family_is_never_joined_unasked(other: dict[str, Any]) -> None:
    first = {**ADA, "phone": "0113 496 0000"}
    if other.get("last_name") == "Byron Jr":
        first["last_name"] = "Byron Sr"
    assert bands(first, other) != ["auto"]


def test_two_common_names_are_no_typing_error() -> None:
    assert bands({**ADA, "first_name": "Daniel"}, {**ADA, "first_name": "Danielle"}) != ["auto"]
    assert bands({**ADA, "first_name": "Daniel"}, {**ADA, "first_name": "Danjel"}) == ["auto"]


@pytest.mark.parametrize("other", ["Zoe", "Marlea"])
def test_a_few_edits_of_a_given_name_are_asked_about_and_never_taken_for_the_same(other: str) -> None:
    one = {"Zoe": "Soe", "Marlea": "Malrlee"}[other]
    assert bands({**ADA, "first_name": one}, {**ADA, "first_name": other}) == ["review"]


def test_twins_are_not_even_asked_about() -> None:
    assert bands(ADA, {**ADA, "first_name": "Emma"}) == ["none"]


@pytest.mark.parametrize(
    "other",
    [
        ADA,
        {**ADA, "dob": "1990-05-71"},
        {**ADA, "first_name": "ADA", "street": "9 Oak Road", "postcode": "M1 1AA"},
    ],
)
def test_one_person_is_joined_though_a_field_differs(other: dict[str, Any]) -> None:
    assert bands(ADA, other) == ["auto"]


def test_two_user_ids_are_never_one() -> None:
    index = MatchIndex()
    index.add(record_of("r1", {**HOME, **ADA}, user_ids={"u1"}))
    assert index.add(record_of("r2", {**HOME, **ADA}, user_ids={"u2"})) == []
    assert [match.band for match in index.add(record_of("r3", {**HOME, **ADA}))] == ["auto", "review"]


def test_what_contradicts_a_record_of_a_person_is_not_joined_to_it_unasked() -> None:
    index = MatchIndex()
    index.add(record_of("r1", {**HOME, **ADA, "middle_name": "Kate"}))
    index.add(record_of("r2", {**HOME, **ADA, "email": "ada@byron.org"}))
    (first, *_) = index.add(record_of("r3", {**HOME, **ADA, "middle_name": "Lucy", "email": "ada@byron.org"}))
    assert first.band == "review"
    assert first.held == "another record of the person: middle"


def test_a_match_is_explained_field_by_field() -> None:
    index = MatchIndex()
    index.add(record_of("r1", {**HOME, **ADA}))
    (match,) = index.add(record_of("r2", {**HOME, **ADA}))
    assert {field.field: field.level for field in match.fields} == {
        "given": "exact", "family": "exact", "birth": "exact", "address": "same house, same postcode",
    }  # fmt: skip
    assert match.score > 5
    assert index.explain("r1", "r2").score == pytest.approx(index.explain("r2", "r1").score)
    with pytest.raises(KeyError):
        index.explain("r1", "r9")


def test_a_record_told_anew_takes_the_place_of_the_old_one() -> None:
    index = MatchIndex()
    index.add(record_of("r1", ADA))
    index.add(record_of("r1", {**ADA, "first_name": "Grace", "last_name": "Hopper"}))
    assert index.add(record_of("r2", ADA)) == []
    assert index.frequencies.people == 2


def test_a_key_that_too_many_share_is_dropped_and_counted() -> None:
    index = MatchIndex()
    for n in range(CAP + 2):
        index.add(record_of(f"r{n}", {"dob": "1990-05-17"}))
    assert index.store.dropped == {"birth": 1}  # type: ignore[attr-defined]

"""What is counted decides how much an agreement is worth: how common names are, how many people there are."""

from __future__ import annotations

from dataclasses import replace
from math import exp, log

import pytest
from cdp_identity.matching import MatchIndex, record_of
from cdp_identity.matching.compare import birth_level
from cdp_identity.matching.compare_names import compare_names, misspelled
from cdp_identity.matching.frequencies import Frequencies
from cdp_identity.matching.names import name_of
from hypothesis import given
from hypothesis import strategies as st

ADA = {"first_name": "Ada", "last_name": "Byron", "dob": "1990-05-17"}
shares = st.floats(2e-5, 0.2)
names = st.sampled_from(["anna", "otto", "meyer", "meier", "martin", "zoe", "daniel", "danielle"])


def counted(people: int, **families: int) -> Frequencies:
    met = Frequencies(people=people)
    met.counts.update({("family", name): count for name, count in families.items()})
    return met


def weight(met: Frequencies, one: str, other: str) -> float:
    evidence = compare_names(name_of(family=one), name_of(family=other), met)
    return sum(field.stranger for field in evidence)


def test_two_common_names_that_are_alike_are_not_taken_for_one() -> None:
    met = counted(10_000, meyer=200, meier=150, meyxr=1)
    assert weight(met, "Meyer", "Meier") < 0 < weight(met, "Meyer", "Meyxr")
    assert weight(counted(10), "Meyer", "Meier") > 0


def test_once_met_is_no_proof_that_a_name_exists() -> None:
    assert weight(counted(10_000, meyer=200, meyxr=1), "Meyer", "Meyxr") == pytest.approx(
        weight(counted(10_000, meyer=200), "Meyer", "Meyxr")
    )


@given(shares, shares, st.floats(1e-5, 0.01))
def test_a_slip_says_no_more_than_the_same_name_would(one: float, other: float, slip: float) -> None:
    assert misspelled(slip, one, other) == misspelled(slip, other, one)
    assert exp(misspelled(slip, one, other)) <= (1 + slip) / max(one, other) * 1.000001


@given(st.tuples(names, names), st.tuples(names, names))
def test_names_say_the_same_in_either_order(one: tuple[str, str], other: tuple[str, str]) -> None:
    met = counted(100, meyer=9, otto=4)
    met.counts["given", "otto"] = 7
    a, b = (name_of(first, family=last) for first, last in (one, other))
    sums = [[sum(f.stranger for f in found), sum(f.family for f in found)] for found in (
        list(compare_names(a, b, met)), list(compare_names(b, a, met)))]  # fmt: skip
    assert sums[0] == pytest.approx(sums[1])


def test_who_is_called_so_is_nobody_near_certain_among_many() -> None:
    one = {"first_name": "Peter", "last_name": "Mueller", "dob": "1960-01-05"}

    def band(people: int) -> str:
        index = MatchIndex()
        met = index.frequencies
        met.people, met.again = people, people // 2
        met.counts.update({("given", "peter"): people // 40, ("family", "mueller"): people // 50})
        index.add(record_of("r1", one))
        return "".join(match.band for match in index.add(record_of("r2", {**one, "dob": "1960-01-06"})))

    assert [band(people) for people in (2_000, 20_000, 2_000_000)] == ["review", "review", ""]


def test_the_fewer_come_again_the_less_likely_anybody_is() -> None:
    met = Frequencies(people=1_000)
    assert met.known < replace(met, again=500).known == pytest.approx(log(510 / 1530))
    assert Frequencies().known == pytest.approx(log(1 / 3))
    index = MatchIndex()
    for n in range(3):
        index.add(record_of(f"r{n}", {**ADA, "email": "ada@byron.org"}))
    assert index.frequencies.again == 2


@pytest.mark.parametrize(
    ("one", "other", "level"),
    [
        ("19900517", "19900517", "exact"),
        ("19900517", "19900511", "one edit"),
        ("19900507", "19900705", "one edit"),
        ("19590407", "20080407", "one part"),
        ("19900517", "19900528", "one part"),
        ("19900517", "19910518", "two edits"),
        ("19900517", "19410806", "other"),
        ("19900000", "19900517", "year"),
    ],
)
def test_dates_differ_in_a_part_or_by_edits(one: str, other: str, level: str) -> None:
    assert birth_level(one, other) == birth_level(other, one) == level


def test_who_matches_one_record_of_a_person_matches_all() -> None:
    index = MatchIndex()
    index.add(record_of("r1", {**ADA, "email": "ada@byron.org", "phone": "+442079460958"}))
    index.add(record_of("r2", {**ADA, "email": "ada@byron.org"}))
    matches = index.add(record_of("r3", {"first_name": "Ada", "dob": "1990-05-17", "phone": "+442079460958"}))
    assert [match.other for match in matches] == ["r1", "r2"]
    assert len({match.band for match in matches}) == 1
    assert matches[0].score > matches[1].score

"""Policies: compiled, refused, chosen."""

from __future__ import annotations

import re
from typing import Any

import pytest
from cdp_consent.domain.policy import PolicyBook, PolicyError, compile_policy
from cdp_contracts.definitions_v1 import PurposeRule
from consent_builders import CLOSED, NOON, OPT_OUT, at, book, policy, policy_defined


def test_senders_words_become_purposes_whatever_their_case() -> None:
    said = {" analytics": True, "ADVERTISING": False, "Weather": True}
    assert policy().translate(said) == {"analytics": True, "marketing": False}


def test_of_two_words_for_one_purpose_the_no_holds() -> None:
    assert policy().translate({"C0002": False, "Analytics": True}) == {"analytics": False}
    assert policy().translate({"C0002": True, "Analytics": False}) == {"analytics": False}


def test_gaps_are_filled_from_strictest_and_then_closed() -> None:
    made = policy(
        requires=("a",),
        jurisdictions={"EU": {"a": OPT_OUT}, "US-CA": {"b": OPT_OUT, "c": OPT_OUT}},
        strictest={"b": PurposeRule(default="granted", gpc_denies=True)},
        categories={},
    )
    assert made.purposes == ("a", "b", "c")
    assert made.rules["EU"] == {"a": OPT_OUT, "b": PurposeRule(default="granted", gpc_denies=True), "c": CLOSED}
    assert made.rules["strictest"]["a"] == CLOSED


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"requires": ("analytcs",)}, "requires: no jurisdiction, nor `strictest`, has a rule for 'analytcs'"),
        ({"categories": {"Ads": "adverts"}}, "categories.Ads: no jurisdiction, nor `strictest`, has 'adverts'"),
        ({"categories": {"Ads": "analytics", "ads": "marketing"}}, "categories.ads: also stands for 'analytics'"),
        ({"categories": {"Marketing": "analytics"}}, "categories.Marketing: also stands for 'marketing'"),
        ({"jurisdictions": {"California": {"analytics": OPT_OUT}}}, "jurisdictions.California: not an ISO 3166"),
        ({"jurisdictions": {"UK": {"analytics": OPT_OUT}, "gb": {"analytics": CLOSED}}}, "name the same place"),
        ({"jurisdictions": {"strictest": {"analytics": OPT_OUT}}}, "name the same place"),
    ],
)
def test_a_policy_that_contradicts_itself_is_refused_by_field_and_rule(
    changes: dict[str, Any], message: str
) -> None:
    with pytest.raises(PolicyError, match=re.escape(message)):
        compile_policy(policy_defined(**changes))


def test_the_tenants_policy_is_the_one_named_default_else_the_only_one() -> None:
    main, other = policy(), policy(name="other")
    assert book(other, main).in_force("demo", NOON) is main
    assert book(other).in_force("demo", NOON) is other
    assert book(other, policy(name="third")).in_force("demo", NOON) is None
    assert book(main).in_force("elsewhere", NOON) is None


def test_a_removed_policy_is_gone() -> None:
    made = book()
    made.learn("demo/default", None)
    assert made.in_force("demo", NOON) is None


def test_a_later_policy_holds_for_what_is_received_from_its_time_on() -> None:
    old, new = policy(), policy(version=2, effective_at=at(60))
    made = book(old, new)
    assert made.in_force("demo", at(59)) is old
    assert made.in_force("demo", at(60)) is new


def test_before_its_time_and_with_nothing_before_it_every_place_is_unknown() -> None:
    early = book(policy(effective_at=at(60))).in_force("demo", NOON)
    assert early is not None
    assert {early.place(code) for code in ("US-CA", "BR", "DE", None)} == {"strictest"}


def test_a_policy_without_a_time_replaces_what_came_before_at_once() -> None:
    made = book(policy(effective_at=at(60)), policy(version=2))
    in_force = made.in_force("demo", NOON)
    assert in_force is not None
    assert in_force.version == 2


def test_a_corrected_announcement_replaces_nothing_that_holds_already() -> None:
    made = PolicyBook()
    for version, seconds in ((1, 0), (2, 60), (3, 90)):
        made.learn("demo/default", policy(version=version, effective_at=at(seconds)))
    versions = [made.in_force("demo", at(seconds)) for seconds in (0, 60, 90)]
    assert [found.version for found in versions if found] == [1, 2, 3]

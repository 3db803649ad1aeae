"""A device's fingerprint is weak evidence: beside other it may get two people asked about, and no more."""

from __future__ import annotations

from dataclasses import replace
from typing import Any, Final

import pytest
from cdp_contracts.topics import EVENTS_RESOLVED, MATCHES_DECIDED, MATCHES_PROPOSED
from cdp_identity.domain.identifiers import signs_of
from cdp_identity.matcher.entries import Told
from cdp_identity.matcher.store import memory_store
from cdp_identity.matching import MatchIndex, record_of
from cdp_identity.matching.blocking import CAP, keys_of
from cdp_identity.matching.compare import evidence
from cdp_identity.matching.frequencies import Frequencies, terms_of
from cdp_identity.matching.judge import BY_DEVICE, independent, judge
from cdp_identity.matching.record import FINGERPRINT, MatchRecord
from cdp_testkit import LocalBus
from hypothesis import given
from hypothesis import strategies as st
from identity_builders import PSEUDONYMS
from matcher_builders import ADA, identified, matching_bus

PRINT: Final = "a" * 32
FIELDS: Final = {
    "firstName": st.sampled_from(["Ada", "Adah", "Emma", "Augusta"]),
    "lastName": st.sampled_from(["Byron", "Biron", "King"]),
    "birthday": st.sampled_from(["1990-05-17", "1990-05-18", "1961-07-30"]),
    "email": st.sampled_from(["ada@example.com", "emma@example.com"]),
    "phone": st.sampled_from(["+441134960000", "+441134960001"]),
    "ssn": st.sampled_from(["123456789", "987654321"]),
    "gender": st.sampled_from(["f", "m"]),
    "address": st.sampled_from([ADA["address"], {"street": "9 Oak Road", "city": "York"}]),
}
TOLD: Final = st.fixed_dictionaries({}, optional=FIELDS)


def behind(record: MatchRecord, *fingerprints: str) -> MatchRecord:
    return replace(record, fingerprints=fingerprints or (PRINT,))


@given(TOLD, TOLD)
def test_it_is_in_no_score_and_makes_nothing_certain(one: dict[str, Any], other: dict[str, Any]) -> None:
    a, b, met = record_of("a", one, region="GB"), record_of("b", other, region="GB"), Frequencies()
    without, with_it = judge(a, b, met), judge(behind(a), behind(b), met)
    assert with_it.score == without.score
    if with_it.band == without.band:
        assert independent(with_it.fields) == independent(without.fields)
        assert (with_it.held, with_it.vetoes) == (without.held, without.vetoes)
    else:
        assert (without.band, with_it.band, with_it.held) == ("none", "review", BY_DEVICE)
        assert any(field.agrees for field in without.fields)
        assert not without.vetoes


def test_two_persons_are_no_more_alike_by_it() -> None:
    """A third record joins one of both, as it would without: only that record connects them."""
    ada = {"firstName": "Ada", "occupation": "printer"}
    one, other = {"email": "ada@example.com", "dob": "1990-05-17"}, {"phone": "0113 496 0000", "ssn": "123456789"}
    told = [{**ada, **one}, {**ada, **other}, {**one, **other}]
    found = []
    for wrap in (lambda record: record, behind):
        index = MatchIndex()
        index.frequencies.people, index.frequencies.again = 10_000, 5_000
        index.frequencies.counts.update({("given", "ada"): 100, ("occupation", "printer"): 300})
        for n, fields in enumerate(told):
            matches = index.add(wrap(record_of(f"r{n}", fields, region="GB")))
        found.append([(match.band, match.held) for match in matches])
        asked = index.explain("r0", "r1")
    assert asked.held == BY_DEVICE
    assert found[0] == found[1] == [("auto", ""), ("review", "only this record connects two persons")]


@given(TOLD, TOLD)
def test_other_devices_say_nothing(one: dict[str, Any], other: dict[str, Any]) -> None:
    a, b, met = record_of("a", one, region="GB"), record_of("b", other, region="GB"), Frequencies()
    assert judge(behind(a, "x"), behind(b, "y"), met) == judge(a, b, met)


def test_beside_a_name_it_gets_two_records_looked_at() -> None:
    ada = {"firstName": "Ada", "gender": "f"}
    a, b = record_of("a", ada), record_of("b", ada)
    assert judge(a, b, Frequencies()).band == "none"
    judged = judge(behind(a), behind(b), Frequencies())
    assert (judged.band, judged.held) == ("review", BY_DEVICE)


def test_a_fingerprint_that_many_have_weighs_nothing() -> None:
    met = Frequencies()
    record = behind(record_of("a", {"firstName": "Ada", "gender": "f"}))
    for n in range(1000):
        met.add([*terms_of(record)] if n % 2 else [], new_person=True)
    weights = {f.field: f.stranger for f in evidence(record, record, met)}
    assert weights["fingerprint"] == 0


def test_a_key_of_more_than_the_cap_finds_nobody() -> None:
    index = MatchIndex()
    for n in range(CAP + 1):
        index.add(behind(record_of(f"r{n}", {"gender": "f"})))
    assert f"device:{PRINT}" in set(keys_of(behind(record_of("x", {}))))
    assert list(index.store.sharing([f"device:{PRINT}"])) == []


async def played(*events: Any) -> LocalBus:
    bus = matching_bus(memory_store())
    for event in events:
        await bus.publish(EVENTS_RESOLVED, event)
        await bus.drain()
    assert not bus.halted()
    return bus


@pytest.mark.parametrize(
    "other",
    [
        {"firstName": "Bob", "lastName": "Stone", "email": "bob@example.com"},
        {"firstName": "Bob"},
        {"gender": "m"},
        {"email": "bob@example.com", "city": "Leeds"},
    ],
)
async def test_two_people_behind_one_fingerprint_are_not_even_proposed(other: dict[str, Any]) -> None:
    bus = await played(
        identified(1, "phone", ADA, fingerprint=PRINT), identified(2, "laptop", other, fingerprint=PRINT)
    )
    assert bus.messages(MATCHES_PROPOSED) == []


async def test_a_proposal_that_it_helped_to_waits_for_a_person() -> None:
    told = {"firstName": "Ada", "occupation": "printer"}
    apart = await played(identified(1, "phone", told), identified(2, "laptop", told))
    assert apart.messages(MATCHES_PROPOSED) == []
    bus = await played(
        identified(1, "phone", told, fingerprint=PRINT), identified(2, "laptop", told, fingerprint=PRINT)
    )
    (proposed,) = bus.messages(MATCHES_PROPOSED)
    assert (proposed.band, proposed.held) == ("review", BY_DEVICE)
    assert {field.field for field in proposed.fields} == {"given", "occupation", "fingerprint"}
    assert bus.messages(MATCHES_DECIDED) == []


async def test_nobody_is_compared_by_it_without_the_purpose_or_by_a_trait_of_its_name() -> None:
    told = {"firstName": "Ada", "gender": "f", "fingerprint": PRINT, "device": {"fingerprint": PRINT}}
    bus = await played(identified(1, "phone", told), identified(2, "laptop", told))
    assert bus.messages(MATCHES_PROPOSED) == []
    refused = [
        identified(n, who, told, fingerprint=PRINT, purposes=("analytics",)) for n, who in ((1, "a"), (2, "b"))
    ]
    assert (await played(*refused)).messages(MATCHES_PROPOSED) == []


async def test_a_fingerprint_that_is_told_no_more_is_forgotten() -> None:
    """Its consent may have been taken back, and then it does not come with the traits any more."""
    told = {"firstName": "Ada", "occupation": "printer"}
    bus = await played(
        identified(1, "phone", told, fingerprint=PRINT),
        identified(2, "phone", told),
        identified(3, "laptop", told, fingerprint=PRINT),
    )
    assert bus.messages(MATCHES_PROPOSED) == []


@pytest.mark.parametrize("first", [0, 1])
def test_the_later_word_on_a_fingerprint_stands_in_any_order(first: int) -> None:
    one = Told({"given": ["Ada"], FINGERPRINT: [PRINT]}, at=1)
    later = Told({"family": ["Byron"]}, at=2)
    both = [one, later][first].with_newer([one, later][1 - first])
    assert both.fields == {"given": ["Ada"], "family": ["Byron"]}


def test_the_graph_does_not_know_it() -> None:
    event = identified(1, "phone", {}, fingerprint=PRINT)
    assert [sign.identifier.kind for sign in signs_of(event, PSEUDONYMS)] == ["anonymous_id"]

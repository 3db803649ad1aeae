"""The chain: whatever is done to it afterwards is found."""

from __future__ import annotations

import json
from dataclasses import replace
from hashlib import sha256
from random import Random

import pytest
from cdp_consent.domain.choices import Signal
from cdp_consent.domain.ledger import GENESIS, Break, Entry, Provenance, Subject, canonical, verify
from consent_builders import after, at, signal
from hypothesis import assume, given
from hypothesis import strategies as st

PROVENANCE = Provenance("consent-event", "default", 1, "EU", at(0))
SUBJECT = "0123456789abcdef0123456789abcdef"


def heard(*signals: Signal, subject: str = SUBJECT) -> Subject:
    """A subject that heard these."""
    made = Subject(subject)
    for each in signals:
        made = made.heard("demo", each, PROVENANCE)
    return made


def chain_of(length: int) -> Subject:
    """A subject with so many entries."""
    return heard(*(signal(f"m{n}", n, analytics=n % 2 == 0) for n in range(length)))


def test_a_chain_starts_at_nothing_and_each_entry_seals_the_one_before() -> None:
    subject = chain_of(3)
    first, second, third = subject.appended
    assert [entry.seq for entry in subject.appended] == [1, 2, 3]
    assert (first.prev_hash, second.prev_hash, third.prev_hash) == (GENESIS, first.hash, second.hash)
    assert subject.head == third.hash
    assert first.hash == sha256(bytes(32) + canonical(first)).hexdigest()


def test_the_canonical_form_is_sorted_json_of_everything_but_the_hashes() -> None:
    content = json.loads(canonical(chain_of(1).appended[0]))
    assert content == {
        "channel": "consent-event", "jurisdiction": "EU", "message_id": "m0",
        "occurred_at": "2026-01-05T12:00:00.000000+00:00", "policy": "default", "policy_version": 1,
        "received_at": "2026-01-05T12:00:00.000000+00:00", "recorded_at": "2026-01-05T12:00:00.000000+00:00",
        "seq": 1, "states": {"analytics": "granted"}, "subject": SUBJECT, "tenant": "demo",
    }  # fmt: skip
    assert list(content) == sorted(content)


def test_what_changes_nothing_is_no_entry() -> None:
    once = heard(signal("1", analytics=True))
    assert once.heard("demo", signal("1", analytics=True), PROVENANCE) is once
    confirmed = heard(*(signal(str(n), n, analytics=False, deliberate=False) for n in (0, 90)))
    assert confirmed.seq == 1
    assert confirmed.choices != heard(signal("0", analytics=False, deliberate=False)).choices


def test_a_consent_event_that_confirms_is_an_entry() -> None:
    assert heard(signal("1", 1, analytics=True), signal("2", 2, analytics=True)).seq == 2


@given(st.integers(0, 6))
def test_a_whole_chain_holds(length: int) -> None:
    subject = chain_of(length)
    assert verify(subject.appended, subject) is None


FIELDS = {
    "subject": "f" * 32, "tenant": "other", "seq": 9, "states": {"analytics": "denied", "marketing": "granted"},
    "channel": "gpc", "policy": "lax", "policy_version": 2, "jurisdiction": "US-CA", "message_id": "other",
    "occurred_at": at(99), "received_at": at(99), "recorded_at": at(99), "prev_hash": "1" * 64, "hash": "2" * 64,
}  # fmt: skip


@pytest.mark.parametrize("field", FIELDS)
@given(st.integers(0, 4))
def test_an_edited_entry_is_found(field: str, position: int) -> None:
    subject = chain_of(5)
    entries = list(subject.appended)
    entries[position] = replace(entries[position], **{field: FIELDS[field]})
    found = verify(entries, subject)
    assert found is not None
    assert found.seq == position + 1 or (field == "hash" and found.seq == position + 2)


@pytest.mark.parametrize("position", range(5))
def test_an_edited_entry_that_was_sealed_anew_is_found(position: int) -> None:
    subject = chain_of(5)
    entries = list(subject.appended)
    entries[position] = replace(entries[position], jurisdiction="US-CA").sealed()
    assert verify(entries, subject) is not None


@given(st.sets(st.integers(0, 5), min_size=1))
def test_a_dropped_entry_is_found(dropped: set[int]) -> None:
    subject = chain_of(6)
    found = verify([e for n, e in enumerate(subject.appended) if n not in dropped], subject)
    assert found is not None
    assert found.seq <= min(dropped) + 1


@given(st.integers(0, 5))
def test_a_cut_off_end_is_found(length: int) -> None:
    subject = chain_of(6)
    assert verify(subject.appended[:length], subject) == Break(length + 1, "truncated")


@given(st.randoms(use_true_random=False))
def test_reordered_entries_are_found(random: Random) -> None:
    subject = chain_of(5)
    entries: list[Entry] = list(subject.appended)
    random.shuffle(entries)
    assume(entries != list(subject.appended))
    assert verify(entries, subject) is not None


@given(st.integers(0, 5), st.integers(0, 4))
def test_an_inserted_or_doubled_entry_is_found(place: int, which: int) -> None:
    subject = chain_of(5)
    entries = list(subject.appended)
    entries.insert(place, entries[which])
    assert verify(entries, subject) is not None


def test_an_entry_of_somebody_else_is_found() -> None:
    other = heard(signal("m0", 0, analytics=True), subject="f" * 32)
    assert verify(other.appended, replace(other, id=SUBJECT)) == Break(1, "foreign")


def test_an_entry_beyond_the_head_is_found() -> None:
    subject = chain_of(3)
    assert verify(chain_of(4).appended, subject) == Break(5, "head-differs")


def test_a_state_that_its_last_entry_does_not_say_is_found() -> None:
    subject = replace(chain_of(2), choices=after(signal("x", 9, analytics=True)))
    assert verify(subject.appended, subject) == Break(2, "state-differs")

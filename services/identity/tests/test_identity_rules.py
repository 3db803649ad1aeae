"""What a definition of rules says, which one is in force, and what the limits of a window mean."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest
from cdp_identity.domain.identifiers import signs_of
from cdp_identity.domain.rules import SHIPPED, RuleBook, RulesError
from cdp_identity.handlers import book_of, rules_table
from cdp_identity.store import GraphStore, MemoryGraphStore
from identity_builders import PSEUDONYMS, Sightings, ident, permitted, resolve, ruled
from pydantic import ValidationError

NOON = datetime(2026, 1, 5, 12, tzinfo=UTC)


@pytest.mark.parametrize(
    ("kind", "limit"),
    [
        ("user_id", "user_id:1"), ("email", "email:5/365d"), ("phone", "phone:5/365d"),
        ("device_id", "device_id:10/365d"), ("anonymous_id", "anonymous_id:20/30d"),
        ("external.loyalty", "external.loyalty:5/365d"),
    ],
)  # fmt: skip
def test_what_ships_holds_without_any_definition(kind: str, limit: str) -> None:
    rules = RuleBook().in_force("acme", NOON)
    assert rules is SHIPPED
    assert rules.bounds.limit(kind).called(kind) == limit


@pytest.mark.parametrize("limit", [{"count": 2}, {"count": 1, "days": 30}])
def test_no_rule_gives_a_person_two_users(limit: dict[str, int]) -> None:
    with pytest.raises(RulesError, match=r"kinds\.user_id\.limit"):
        ruled(kinds={"user_id": {"limit": limit}})


@pytest.mark.parametrize(
    "said",
    [
        {"kinds": {"email": {"limit": {"count": 51}}}}, {"identifiers_per_person": 1001},
        {"merges_per_person": 101}, {"identifiers_per_event": 21}, {"sources": {"web": {"region": "germany"}}},
    ],
)  # fmt: skip
def test_the_hard_caps_cannot_be_raised(said: dict[str, object]) -> None:
    with pytest.raises(ValidationError):
        ruled(**said)


def test_a_later_version_holds_from_its_effective_at_on() -> None:
    book, first = RuleBook(), ruled(version=1)
    later = ruled(version=2, effective_at=NOON)
    book.learn("acme/default", first)
    book.learn("acme/default", later)
    assert book.in_force("acme", NOON - timedelta(seconds=1)) is first
    assert book.in_force("acme", NOON) is later
    assert book.in_force("umbrella", NOON) is SHIPPED
    book.learn("acme/default", None)
    assert book.in_force("acme", NOON) is SHIPPED


def test_whoever_never_read_the_earlier_version_holds_to_the_oldest_it_knows() -> None:
    book, later = RuleBook(), ruled(version=2, effective_at=NOON)
    book.learn("acme/default", later)
    assert book.in_force("acme", NOON - timedelta(days=1)) is later


def test_the_book_follows_the_table() -> None:
    table = rules_table()
    book = book_of(table)
    table.apply("acme/default", b'{"tenant": "acme", "name": "default", "version": 3}')
    assert book.in_force("acme", NOON).bounds.version == 3
    table.apply(
        "acme/default", b'{"tenant": "acme", "name": "default", "kinds": {"user_id": {"limit": {"count": 2}}}}'
    )
    assert book.in_force("acme", NOON).bounds.version == 3, "a bad definition leaves the good one in force"
    table.caught_up = True
    assert rules_table().ready is False
    assert table.ready


async def test_a_window_lets_go_of_what_was_taken_long_ago(store: GraphStore) -> None:
    see = Sightings(ruled(kinds={"email": {"limit": {"count": 2, "days": 30}}}))
    *_, third = await resolve(store, see("u1", "e1"), see("u1", "e2"), see("u1", "e3", day=29))
    assert [refusal.limit for refusal in third.refusals] == ["email:2/30d"]
    (later,) = await resolve(store, see("u1", "e4", day=31))
    assert not later.refusals
    (mail,) = await resolve(store, see("e4", day=31))
    assert mail.profile_id == later.profile_id


async def test_what_a_window_refused_another_event_may_merge_later(store: GraphStore) -> None:
    see = Sightings(ruled(kinds={"email": {"limit": {"count": 1, "days": 30}}}))
    first, refused, again, late = (
        see("u1", "e1"),
        see("u1", "e2"),
        see("u1", "e2", day=10),
        see("u1", "e2", day=40),
    )
    ada, told, silent, merged = await resolve(store, first, refused, again, late)
    assert ([r.limit for r in told.refusals], silent.refusals) == (["email:1/30d"], ())
    (merge,) = merged.merges
    assert (merge.survivor, merge.link.event) == (ada.profile_id, late.event)
    redelivered, same = await resolve(store, late, see("e2", day=41))
    assert (redelivered.merges, same.profile_id) == ((merge,), ada.profile_id)


async def test_a_late_event_is_not_given_what_a_punctual_one_was_not() -> None:
    """It counts what came after it too: the order of events does not decide what fits into a window."""
    see = Sightings(ruled(kinds={"email": {"limit": {"count": 1, "days": 30}}}))
    *_, late = await resolve(MemoryGraphStore(), see("u1", "e1", day=10), see("u1", "e2"))
    assert [refusal.limit for refusal in late.refusals] == ["email:1/30d"]


async def test_a_source_that_only_attaches_joins_nobody_and_another_may(store: GraphStore) -> None:
    see = Sightings(ruled(sources={"page": {"merges": False}}))
    new, _, page = await resolve(store, see("u1", "d1", source="page"), see("d2"), see("u1", "d2", source="page"))
    assert [refusal.limit for refusal in page.refusals] == ["source"]
    crm, phone = await resolve(store, see("u1", "d2", source="crm"), see("d2"))
    assert len(crm.merges) == 1
    assert new.profile_id == crm.profile_id == phone.profile_id


def test_a_source_asserts_only_what_it_may() -> None:
    event = permitted(user_id="ada", anonymous_id="phone")
    rules = ruled(sources={"web": {"asserts": ["anonymous_id"]}})
    assert [sign.identifier.kind for sign in signs_of(event, PSEUDONYMS, rules)] == ["anonymous_id"]
    nothing = ruled(sources={"web": {"asserts": ["phone"]}})
    assert [sign.identifier.kind for sign in signs_of(event, PSEUDONYMS, nothing)] == ["subject"]


async def test_the_weakest_identifier_gives_way(store: GraphStore) -> None:
    """Ada's address on Bob's login: the address breaks the limit, the new device does not."""
    see = Sightings()
    ada, bob = await resolve(store, see("u1", "e1"), see("u2", "e1", "d2"))
    assert [(refusal.link.other, refusal.limit) for refusal in bob.refusals] == [
        (ident("e1").pseudonym, "user_id:1")
    ]
    mail, device = await resolve(store, see("e1"), see("d2"))
    assert (mail.profile_id, device.profile_id) == (ada.profile_id, bob.profile_id)


async def test_priorities_say_which_identifier_attributes_the_event() -> None:
    event = permitted(anonymous_id="phone", traits={"email": "ada@lovelace.org"})
    rules = ruled(kinds={"anonymous_id": {"priority": 1}})
    assert [sign.identifier.kind for sign in signs_of(event, PSEUDONYMS, rules)] == ["anonymous_id", "email"]


async def test_workers_with_other_rules_finish_what_was_begun_by_its_own(store: GraphStore) -> None:
    """Frozen under rules that allow it, finished by a worker that knows only tighter ones: it stays done."""
    loose = Sightings()
    ada, mail = await resolve(store, loose("u1", "e1"), loose("e2"))
    link = loose("u1", "e2").links()[0][1]
    both = await store.entities([ada.profile_id, mail.profile_id])
    frozen = both[mail.profile_id].frozen(both[ada.profile_id], link, SHIPPED.bounds)
    assert await store.swap(frozen)
    tight = ruled(kinds={"email": {"limit": {"count": 1}}})
    (found,) = await resolve(store, loose("e2", rules=tight))
    assert found.profile_id == ada.profile_id

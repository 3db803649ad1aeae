"""A person's choice turns against matching: what was told is not compared, proposed or kept any more."""

from __future__ import annotations

from typing import Any

import pytest
from cdp_contracts.events_v1 import EventResolved
from cdp_contracts.topics import EVENTS_RESOLVED, IDENTITIES_MERGED, MATCHES_PROPOSED
from cdp_identity.matcher.entries import Entry
from cdp_identity.matcher.matcher import Matcher
from cdp_identity.matcher.pairs import pair_id
from cdp_identity.matcher.store import MatcherStore, memory_store
from cdp_identity.matcher.telling import Rules, heard_at
from cdp_testkit import LocalBus
from identity_builders import PSEUDONYMS
from matcher_builders import ADA, RULES, START, identified, identifier, matching_bus, merged, profile
from matcher_scheduler import stopped, switching_store

NO_DATE = {name: value for name, value in ADA.items() if name != "birthday"}
PHONE = {"phone": "0113 496 0000"}


@pytest.fixture
def store() -> MatcherStore:
    return memory_store()


def refused(number: int, who: str, *, part: str = "", seen: str = "page") -> EventResolved:
    """The n-th event: somebody whose choice is against matching by now does something."""
    event = identified(number, who, {}, part=part, purposes=("analytics",))
    return event.model_copy(update={"event": event.event.model_copy(update={"type": seen, "name": seen})})


async def played(store: MatcherStore, *messages: Any, rules: Rules = RULES) -> LocalBus:
    """Each message in a batch of its own."""
    bus = matching_bus(store, rules)
    for message in messages:
        await bus.publish(EVENTS_RESOLVED if hasattr(message, "event") else IDENTITIES_MERGED, message)
        await bus.drain()
    assert not bus.halted()
    return bus


async def entry(store: MatcherStore, name: str) -> Entry:
    key = f"acme/{profile(name)}"
    return (await store.entries.load([key]))[key]


def counted(store: MatcherStore) -> list[int]:
    """How often each term, and how many people."""
    numbers = (d["numbers"] for d in store.counters.documents.values())  # type: ignore[attr-defined]
    return sorted(number["people"] for number in numbers if number.get("people"))


def held(store: MatcherStore) -> str:
    """All that is stored, to look for what must not be there."""
    kept = (store.entries, store.blocks, store.counters, store.pairs)
    return repr([records.documents for records in kept]).lower()  # type: ignore[attr-defined]


@pytest.mark.parametrize("seen", ["page", "identify", "consent"])
async def test_what_was_told_is_dropped_and_found_by_nobody(store: MatcherStore, seen: str) -> None:
    await played(store, identified(1, "laptop", {"firstName": "Grace", "lastName": "Hopper"}))
    before = counted(store)
    await played(store, identified(2, "phone", ADA), refused(3, "phone", seen=seen))
    assert counted(store) == before
    phone = await entry(store, "phone")
    assert (phone.told, phone.keys, phone.terms, phone.pending, phone.counted) == ({}, set(), set(), set(), None)
    for trace in ("byron", "1990-05-17", "elm street"):
        assert trace not in held(store)
    bus = await played(store, identified(4, "tablet", ADA))
    assert bus.messages(MATCHES_PROPOSED) == []


async def test_nobody_is_asked_about_it_any_more_and_a_verdict_stays(store: MatcherStore) -> None:
    await played(store, *(identified(n, who, NO_DATE) for n, who in enumerate(("phone", "laptop", "tv"))))
    assert len(await store.pairs.waiting("acme", 9)) == 3
    await played(store, refused(5, "phone"))
    key = pair_id("acme", str(profile("laptop")), str(profile("tv")))
    assert [pair.id for pair in await store.pairs.waiting("acme", 9)] == [key]


async def test_what_is_told_again_with_leave_is_compared_and_what_was_told_before_is_not(
    store: MatcherStore,
) -> None:
    bus = await played(
        store, identified(1, "phone", ADA | PHONE), refused(2, "phone"), identified(3, "phone", ADA),
        identified(4, "laptop", ADA),
    )  # fmt: skip
    assert [message.other for message in bus.messages(MATCHES_PROPOSED)] == [profile("phone")]
    assert "phone" not in (await entry(store, "phone")).told[identifier("phone")].fields


async def test_only_what_was_told_under_that_identifier_is_dropped(store: MatcherStore) -> None:
    await played(
        store, identified(1, "one", ADA, part="a"), identified(2, "one", ADA | PHONE, part="b"),
        refused(3, "one", part="b"),
    )  # fmt: skip
    assert (await entry(store, "one")).told.keys() == {identifier("a")}
    assert set(counted(store)) == {1}


async def test_a_refusal_holds_for_what_comes_late_and_for_what_a_merge_brings(store: MatcherStore) -> None:
    old = identified(1, "phone", ADA)
    await played(store, identified(0, "phone", NO_DATE), refused(3, "phone"), old)
    assert (await entry(store, "phone")).told == {}
    await played(
        store, identified(4, "two", ADA, part="c"), identified(5, "old", NO_DATE, part="d"),
        refused(6, "old", part="c"), merged(7, "old", "two"),
    )  # fmt: skip
    assert (await entry(store, "old")).told.keys() == {identifier("d")}


@pytest.mark.parametrize("turned", [False, True])
async def test_in_one_batch_what_was_told_before_a_refusal_is_not_compared(
    store: MatcherStore, turned: bool
) -> None:
    bus = matching_bus(store)
    events = [identified(1, "phone", ADA), refused(2, "phone"), identified(3, "laptop", ADA)]
    await bus.publish(EVENTS_RESOLVED, *(events[::-1] if turned else events))
    await bus.drain()
    assert bus.messages(MATCHES_PROPOSED) == []
    assert (await entry(store, "phone")).told == {}


async def test_where_nothing_is_matched_nothing_is_looked_up(store: MatcherStore) -> None:
    await played(store, refused(1, "phone"), rules=Rules())
    await played(store, refused(2, "phone"))
    assert store.entries.documents == {}  # type: ignore[attr-defined]


async def test_a_refusal_that_comes_again_does_nothing_to_what_was_told_since(store: MatcherStore) -> None:
    bus = await played(store, identified(1, "phone", NO_DATE), refused(2, "phone"))
    await played(store, identified(3, "phone", NO_DATE), identified(4, "laptop", NO_DATE))
    numbers = counted(store)
    bus.redeliver()
    await bus.drain()
    assert len(await store.pairs.waiting("acme", 9)) == 1
    assert (await entry(store, "phone")).told.keys() == {identifier("phone")}
    assert counted(store) == numbers


async def test_killed_anywhere_and_begun_again_it_is_dropped_once() -> None:
    events = [identified(1, "laptop", NO_DATE), identified(2, "phone", NO_DATE)]
    steps, going_on = 0, True
    while going_on:
        kept, seen = switching_store()
        again = Matcher(kept, RULES, PSEUDONYMS)
        await again.consider(events[:1], START)
        before = counted(kept)
        await again.consider(events[1:], START)
        going_on = stopped(Matcher(seen, RULES, PSEUDONYMS).consider([refused(3, "phone")], START), steps)
        await again.consider([refused(3, "phone")], START)
        assert await kept.pairs.waiting("acme", 9) == [], steps
        assert counted(kept) == before, steps
        assert all(f"acme/{profile('phone')}" not in d["members"] for d in kept.blocks.documents.values()), steps  # type: ignore[attr-defined]
        steps += 1
    assert steps > 20


async def test_an_entry_without_refusals_can_be_read_by_who_knows_none() -> None:
    one = Entry("acme/one")
    assert one.written_as == 1
    assert not one.refuse("a", heard_at(refused(1, "one")))
    assert one.written_as == 3
    assert Entry.from_state("acme/one", one.to_state()).refused == one.refused

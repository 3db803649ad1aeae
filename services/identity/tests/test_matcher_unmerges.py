"""A profile is found to be several people: what the matcher says of them from then on."""

from __future__ import annotations

from typing import Any
from uuid import uuid5

import pytest
from cdp_contracts.envelope import NAMESPACE
from cdp_contracts.matches_v1 import MatchDecided
from cdp_contracts.topics import (
    EVENTS_RESOLVED,
    IDENTITIES_MERGED,
    IDENTITIES_UNMERGED,
    MATCHES_DECIDED,
    MATCHES_PROPOSED,
)
from cdp_identity.matcher.entries import Away, Entry
from cdp_identity.matcher.matcher import Matcher
from cdp_identity.matcher.pairs import Pair, pair_id
from cdp_identity.matcher.store import MatcherStore, memory_store
from cdp_testkit import LocalBus
from identity_builders import PSEUDONYMS
from matcher_builders import ADA, RULES, START, identified, identifier, matching_bus, merged, profile, unmerged

NO_DATE = {name: value for name, value in ADA.items() if name != "birthday"}
GRACE = {"firstName": "Grace", "lastName": "Hopper", "birthday": "1906-12-09"}
TOPICS = {
    "event": EVENTS_RESOLVED, "absorbed": IDENTITIES_MERGED, "partings": IDENTITIES_UNMERGED,
    "verdict": MATCHES_DECIDED,
}  # fmt: skip


@pytest.fixture
def store() -> MatcherStore:
    return memory_store()


async def played(store: MatcherStore, *messages: Any) -> LocalBus:
    """Each message in a batch of its own."""
    bus = matching_bus(store)
    for message in messages:
        (topic,) = (topic for name, topic in TOPICS.items() if hasattr(message, name))
        await bus.publish(topic, message)
        await bus.drain()
    assert not bus.halted()
    return bus


def proposed(bus: LocalBus) -> list[frozenset[str]]:
    names = {profile(name): name for name in ("one", "two", "three", "four", "old", "laptop", "tv")}
    return [frozenset((names[m.profile_id], names[m.other])) for m in bus.messages(MATCHES_PROPOSED)]


async def pair(store: MatcherStore, one: str, other: str) -> Pair:
    key = pair_id("acme", str(profile(one)), str(profile(other)))
    return (await store.pairs.load([key]))[key]


async def entry(store: MatcherStore, name: str) -> Entry:
    key = f"acme/{profile(name)}"
    return (await store.entries.load([key]))[key]


async def test_what_was_told_is_compared_as_whose_it_is_and_so_is_what_comes_later(store: MatcherStore) -> None:
    bus = await played(
        store, identified(1, "one", GRACE, part="a"), identified(2, "one", ADA, part="b"),
        unmerged(3, "one", two=["b"]), identified(4, "laptop", ADA),
        identified(5, "one", {**ADA, "email": "ada@byron.org"}, part="b"), identified(6, "tv", GRACE),
    )  # fmt: skip
    assert proposed(bus) == [{"laptop", "two"}, {"tv", "one"}]
    assert (await entry(store, "one")).told.keys() == {identifier("a")}
    assert (await entry(store, "two")).told[identifier("b")].fields["email"] == ["ada@byron.org"]


async def test_who_was_parted_is_not_proposed_again_whatever_they_become_part_of(store: MatcherStore) -> None:
    bus = await played(
        store, identified(1, "one", ADA, part="a"), unmerged(2, "one", two=["b"], three=["c"]),
        identified(3, "two", ADA, part="b"), identified(4, "three", ADA, part="c"),
    )  # fmt: skip
    assert proposed(bus) == []
    bus = await played(
        store, merged(5, "old", "one"), merged(6, "four", "two"), identified(7, "old", ADA, part="d"),
        identified(8, "four", ADA, part="e"), identified(9, "three", {**ADA, "phone": "0113 496 0000"}, part="c"),
    )  # fmt: skip
    assert proposed(bus) == []
    assert proposed(await played(store, identified(10, "tv", ADA))) != []


async def test_what_nobody_parted_is_proposed_though_it_was_parted_from_the_same(store: MatcherStore) -> None:
    bus = await played(
        store, unmerged(1, "one", two=["b"]), unmerged(2, "one", 2, three=["c"]),
        identified(3, "two", ADA, part="b"), identified(4, "three", ADA, part="c"),
    )  # fmt: skip
    assert proposed(bus) == [{"two", "three"}]


async def test_what_waits_is_about_whose_the_part_is_by_now(store: MatcherStore) -> None:
    await played(
        store, identified(1, "one", NO_DATE, part="a"), identified(2, "laptop", NO_DATE),
        identified(3, "one", NO_DATE, part="b"), unmerged(4, "one", two=["a"]),
    )  # fmt: skip
    (waiting,) = await store.pairs.waiting("acme", 9)
    assert waiting.id == (await pair(store, "two", "laptop")).id
    assert {waiting.proposal["profile"], waiting.proposal["other"]} == {str(profile(n)) for n in ("two", "laptop")}
    assert (await pair(store, "one", "laptop")).proposal == {}
    bus = await played(store, identified(5, "one", NO_DATE, part="b"))
    assert proposed(bus) == [{"one", "laptop"}]


async def test_what_a_merge_brings_of_somebody_else_waits_as_theirs(store: MatcherStore) -> None:
    await played(
        store, unmerged(1, "old", two=["a"]), identified(2, "one", NO_DATE, part="a"),
        identified(3, "laptop", NO_DATE), merged(4, "old", "one"),
    )  # fmt: skip
    assert [p.id for p in await store.pairs.waiting("acme", 9)] == [(await pair(store, "two", "laptop")).id]


@pytest.mark.parametrize("verdict_first", [True, False])
async def test_a_verdict_is_about_whose_the_parts_are(store: MatcherStore, verdict_first: bool) -> None:
    await played(store, identified(1, "one", NO_DATE, part="a"), identified(2, "laptop", NO_DATE))
    verdict = MatchDecided(
        tenant="acme", id=uuid5(NAMESPACE, "verdict"), message_id="verdict", occurred_at=START, received_at=START,
        profile_id=profile("laptop"), other=profile("one"), identifiers=(identifier("laptop"), identifier("a")),
        verdict="different", by="token-of-a-steward",
    )  # fmt: skip
    parted = unmerged(3, "one", two=["a"])
    await played(store, *((verdict, parted) if verdict_first else (parted, verdict)))
    assert await store.pairs.waiting("acme", 9) == []
    assert {(await pair(store, name, "laptop")).status for name in ("one", "two")} == {"different"}


async def test_who_holds_nothing_any_more_is_not_found_by_it(store: MatcherStore) -> None:
    async def found() -> dict[str, set[str]]:
        blocks: dict[str, set[str]] = {name: set() for name in ("one", "two", "three")}
        for key, block in store.blocks.documents.items():  # type: ignore[attr-defined]
            for name, keys in blocks.items():
                if f"acme/{profile(name)}" in block["members"]:
                    keys.add(key)
        assert all([(await entry(store, name)).keys == keys for name, keys in blocks.items()])
        return blocks

    await played(store, identified(1, "one", ADA, part="a"), identified(2, "two", GRACE, part="b"))
    before = await found()
    await played(store, merged(3, "one", "two"))
    assert await found() == {"one": before["one"] | before["two"], "two": set(), "three": set()}
    await played(store, unmerged(4, "one", three=["b"]))
    assert await found() == {"one": before["one"], "two": set(), "three": before["two"]}


async def test_people_are_counted_as_many_as_they_are(store: MatcherStore) -> None:
    async def counted() -> tuple[int, set[int]]:
        numbers = {i: d["numbers"].get("people", 0) for i, d in store.counters.documents.items()}  # type: ignore[attr-defined]
        people = sum(number for i, number in numbers.items() if "population" in i)
        return people, {number for i, number in numbers.items() if "population" not in i}

    await played(store, identified(1, "one", ADA, part="a"), identified(2, "one", ADA, part="b"))
    assert await counted() == (1, {1})
    bus = await played(store, unmerged(3, "one", two=["b"]))
    bus.redeliver()
    await bus.drain()
    assert await counted() == (2, {2})
    await played(store, merged(4, "one", "two"))
    assert await counted() == (1, {1})
    await played(store, unmerged(5, "one", 2, three=["a", "b"]))
    assert await counted() == (1, {1})


@pytest.mark.parametrize("turned", [False, True])
async def test_merges_of_one_batch_lose_nothing_in_either_order(store: MatcherStore, turned: bool) -> None:
    await played(store, identified(1, "three", ADA), identified(2, "two", GRACE))
    merges = [merged(3, "two", "three"), merged(4, "one", "two")]
    await Matcher(store, RULES, PSEUDONYMS).groups.absorb(merges[::-1] if turned else merges, START)
    assert (await entry(store, "one")).told.keys() == {identifier("two"), identifier("three")}


def test_what_a_profile_takes_in_brings_whose_its_identifiers_are() -> None:
    kept, gone = Entry("acme/one"), Entry("acme/two")
    kept.note(["a", "b"], Away(2, "old"))
    gone.note(["a"], Away(1, "new"))
    gone.note(["b"], Away(3, "new"))
    kept.take(gone)
    assert kept.parted == {"a": Away(2, "old"), "b": Away(3, "new")}


def test_an_entry_of_before_is_read_and_one_that_knows_no_partings_can_be_read_by_who_knows_none() -> None:
    one = Entry("acme/one")
    old = {name: value for name, value in one.to_state().items() if name not in ("parted", "apart", "absorbed")}
    assert Entry.from_state("acme/one", old).to_state() == one.to_state()
    assert one.written_as == 1
    one.keep_apart(["two"])
    assert one.written_as == 2

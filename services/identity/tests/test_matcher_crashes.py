"""The matcher is killed between any two documents that it reads or writes, and what it did comes again."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import count

from cdp_identity.matcher.entries import Entry
from cdp_identity.matcher.matcher import Matcher
from cdp_identity.matcher.pairs import pair_id
from cdp_identity.matcher.store import MatcherStore
from identity_builders import PSEUDONYMS
from matcher_builders import ADA, RULES, START, identified, identifier, profile, unmerged
from matcher_scheduler import stopped, switching_store

GRACE = {"firstName": "Grace", "lastName": "Hopper", "birthday": "1906-12-09"}


def stores() -> Iterator[tuple[MatcherStore, Matcher, Matcher, int]]:
    """A store, a matcher on it that can be killed and one that cannot, and after how many documents to kill it."""
    for steps in count():
        kept, seen = switching_store()
        yield kept, Matcher(seen, RULES, PSEUDONYMS), Matcher(kept, RULES, PSEUDONYMS), steps


async def test_two_who_are_one_find_each_other_though_a_batch_comes_again_in_another_order() -> None:
    phone, laptop = identified(1, "phone", ADA), identified(2, "laptop", ADA)
    pair = pair_id("acme", str(profile("phone")), str(profile("laptop")))
    for kept, killed, again, steps in stores():
        going_on = stopped(killed.consider([phone, laptop], START), steps)
        told = await again.consider([laptop, phone], START)
        assert sum(map(len, told)) > 0, steps
        assert (await kept.pairs.load([pair]))[pair].status == "open", steps
        if not going_on:
            break
    assert steps > 40


async def test_what_was_parted_is_found_as_whose_it_is_wherever_the_matcher_was_killed() -> None:
    parted = unmerged(3, "one", two=["b"])
    for kept, killed, again, steps in stores():
        await again.consider([identified(1, "one", GRACE, part="a"), identified(2, "one", ADA, part="b")], START)
        going_on = stopped(killed.groups.part([parted], START), steps)
        await again.groups.part([parted], START)
        ids = {name: f"acme/{profile(name)}" for name in ("one", "two")}
        entries: dict[str, Entry] = await kept.entries.load(ids.values())
        assert entries[ids["one"]].told.keys() == {identifier("a")}, steps
        assert entries[ids["two"]].told.keys() == {identifier("b")}, steps
        for entry in entries.values():
            blocks = await kept.blocks.load(entry.keys)
            assert entry.keys, steps
            assert all(entry.id in block.members for block in blocks.values()), steps
        found = await again.consider([identified(4, "laptop", ADA)], START)
        assert {fact.other for fact in found[0]} == {profile("two")}, steps
        if not going_on:
            break
    assert steps > 40

"""Unmerges on either store: who is parted, what stays, and that it is the same when it comes again."""

from __future__ import annotations

from uuid import UUID, uuid5

import pytest
from cdp_contracts.envelope import NAMESPACE
from cdp_identity.domain.splitting import Split, Unmerge
from cdp_identity.domain.verdicts import Verdict
from cdp_identity.store import GraphStore, IdentityGraph
from cdp_identity.store.partings import NothingToPart, part
from cdp_identity.store.portrait import portrait_of
from cdp_identity.store.verdicts import link
from identity_builders import Sightings, ident, resolve

LATER = 10**13


@pytest.fixture
def see() -> Sightings:
    return Sightings()


def unmerge(of: UUID, *groups: str, number: int = 0, at: int = LATER) -> Unmerge:
    names = tuple(tuple(ident(name).pseudonym for name in group.split()) for group in groups)
    return Unmerge(uuid5(NAMESPACE, f"unmerge {number}"), "acme", of, names, at)


async def apart(store: GraphStore, wanted: Unmerge) -> Split:
    return await part(IdentityGraph(store), wanted)


async def test_who_is_parted_is_a_new_person_and_the_rest_keeps_its_id(store: GraphStore, see: Sightings) -> None:
    (ada, _) = await resolve(store, see("u1", "e1", "d1"), see("u1", "d2"))
    done = await apart(store, unmerge(ada.profile_id, "d1", "d2"))
    assert (done.kept, done.epoch, len(done.partings)) == (ada.profile_id, 1, 2)
    parts = [whose.profile_id for whose in await resolve(store, see("u1"), see("e1"), see("d1"), see("d2"))]
    assert parts == [ada.profile_id, ada.profile_id, done.partings[0][0], done.partings[1][0]]
    assert len(set(parts)) == 3


async def test_it_tells_the_same_when_it_comes_again(store: GraphStore, see: Sightings) -> None:
    (ada,) = await resolve(store, see("u1", "d1"))
    done = await apart(store, unmerge(ada.profile_id, "d1"))
    assert await apart(store, unmerge(ada.profile_id, "d1")) == done
    assert len(await store.entities([ada.profile_id, done.partings[0][0]])) == 2


async def test_no_event_joins_again_who_was_parted(store: GraphStore, see: Sightings) -> None:
    (ada,) = await resolve(store, see("u1", "d1"))
    done = await apart(store, unmerge(ada.profile_id, "d1"))
    login, after = await resolve(store, see("u1", "d1"), see("d1"))
    assert [refusal.limit for refusal in login.refusals] == ["do-not-link"]
    assert (login.profile_id, after.profile_id) == (ada.profile_id, done.partings[0][0])


async def test_newcomers_go_with_whom_they_are_seen_with(store: GraphStore, see: Sightings) -> None:
    (ada,) = await resolve(store, see("u1", "d1"))
    done = await apart(store, unmerge(ada.profile_id, "d1"))
    told = await resolve(store, see("u2", "d1"), see("d1", "d3"), see("u1", "d4"), see("d4"))
    assert [each.profile_id for each in told] == [done.partings[0][0]] * 2 + [ada.profile_id] * 2


async def test_a_stale_cache_leads_to_the_right_person(store: GraphStore, see: Sightings) -> None:
    worker = IdentityGraph(store)
    (ada,) = await worker.resolve([see("u1", "d1")])
    done = await apart(store, unmerge(ada.profile_id, "d1"))
    (device,) = await worker.resolve([see("d1")])
    assert device.profile_id == done.partings[0][0]


async def test_a_later_verdict_joins_again_and_an_earlier_one_does_not(store: GraphStore, see: Sightings) -> None:
    (ada,) = await resolve(store, see("u1", "d1"))
    done = await apart(store, unmerge(ada.profile_id, "d1"))
    said = [Verdict(uuid5(NAMESPACE, f"v{at}"), "acme", ident("u1"), ident("d1"), "link", "steward", at)
            for at in (LATER - 1, LATER + 1)]  # fmt: skip
    assert [refusal.limit for refusal in (await link(IdentityGraph(store), said[0])).refusals] == ["do-not-link"]
    (merge,) = (await link(IdentityGraph(store), said[1])).merges
    assert (merge.survivor, merge.absorbed) == (ada.profile_id, done.partings[0][0])
    again = await apart(store, unmerge(ada.profile_id, "d1", number=1, at=LATER + 2))
    assert again.kept == ada.profile_id
    assert again.epoch > done.epoch
    assert (await link(IdentityGraph(store), said[1])).merges == (merge,), "told again, done no more"
    (device,) = await resolve(store, see("d1"))
    assert device.profile_id == again.partings[0][0] != done.partings[0][0]


async def test_what_joins_the_parts_later_stands_though_the_unmerge_comes_again(
    store: GraphStore, see: Sightings
) -> None:
    (ada,) = await resolve(store, see("u1", "d1"))
    await apart(store, unmerge(ada.profile_id, "d1"))
    same = Verdict(uuid5(NAMESPACE, "v"), "acme", ident("u1"), ident("d1"), "link", "steward", LATER + 1)
    await link(IdentityGraph(store), same)
    await apart(store, unmerge(ada.profile_id, "d1"))
    portrait = await portrait_of(store, "acme", ident("d1").pseudonym)
    assert [(each.rule, each.by) for each in portrait.evidence] == [("match", "steward")]


async def test_the_matcher_takes_no_unmerge_back(store: GraphStore, see: Sightings) -> None:
    (ada,) = await resolve(store, see("u1", "d1"))
    await apart(store, unmerge(ada.profile_id, "d1"))
    verdict = Verdict(uuid5(NAMESPACE, "v"), "acme", ident("u1"), ident("d1"), "link", "matcher", LATER + 1)
    assert [refusal.limit for refusal in (await link(IdentityGraph(store), verdict)).refusals] == ["do-not-link"]


async def test_a_merge_that_was_never_told_is_told_after_an_unmerge(store: GraphStore, see: Sightings) -> None:
    ada, device = await resolve(store, see("u1"), see("d1"))
    login = see("u1", "d1")
    (told,) = await resolve(store, login)
    await apart(store, unmerge(ada.profile_id, "d1"))
    (again,) = await resolve(store, login)
    assert again.merges == told.merges
    assert [merge.absorbed for merge in told.merges] == [device.profile_id]


async def test_what_is_somebody_elses_is_left_there(store: GraphStore, see: Sightings) -> None:
    ada, bob = await resolve(store, see("u1", "d1"), see("u2", "d2"))
    done = await apart(store, unmerge(ada.profile_id, "d1 d2"))
    assert [names for _, names in done.partings] == [(ident("d1").pseudonym,)]
    (device,) = await resolve(store, see("d2"))
    assert device.profile_id == bob.profile_id


async def test_one_identifier_stays_and_nothing_is_parted_from_nobody(store: GraphStore, see: Sightings) -> None:
    ada, bob = await resolve(store, see("u1", "d1"), see("u2"))
    done = await apart(store, unmerge(ada.profile_id, "u1", "d1"))
    assert [names for _, names in done.partings] == [(ident("u1").pseudonym,)]
    for wanted in (unmerge(bob.profile_id, "u2", number=1), unmerge(bob.profile_id, "d9", number=2),
                   unmerge(UUID(int=7), "u2", number=3)):  # fmt: skip
        with pytest.raises(NothingToPart):
            await apart(store, wanted)


async def test_another_tenants_person_is_nobody(store: GraphStore, see: Sightings) -> None:
    (theirs,) = await resolve(store, see("u1", "d1", tenant="other"))
    with pytest.raises(NothingToPart):
        await apart(store, unmerge(theirs.profile_id, "d1"))


async def test_evidence_across_the_parts_counts_no_more_and_is_kept(store: GraphStore, see: Sightings) -> None:
    (ada,) = await resolve(store, see("u1", "e1", "d1"))
    done = await apart(store, unmerge(ada.profile_id, "d1"))
    portrait = await portrait_of(store, "acme", ident("u1").pseudonym)
    assert {i.pseudonym for i in portrait.members} == {ident("u1").pseudonym, ident("e1").pseudonym}
    reverted = [each for each in portrait.links if each.reverted_by]
    assert [(each.other, each.reverted_by) for each in reverted] == [(ident("d1").pseudonym, str(done.unmerge))]
    assert [each.other for each in portrait.evidence] == [ident("e1").pseudonym]


async def test_marks_and_limits_go_with_whom_they_are_of(store: GraphStore, see: Sightings) -> None:
    ada, _ = await resolve(store, see("u1", "d1"), see("u2", "d1"))
    done = await apart(store, unmerge(ada.profile_id, "d1"))
    kept, parted = (await store.entities([ada.profile_id, done.partings[0][0]])).values()
    if kept.id != ada.profile_id:
        kept, parted = parted, kept
    assert (kept.marks, kept.size, set(kept.claims)) == ({}, 1, {ident("u1")})
    assert (set(parted.marks), parted.size, set(parted.claims)) == ({ident("d1").pseudonym}, 1, {ident("d1")})


async def test_a_person_of_hundreds_of_identifiers_is_parted(store: GraphStore, see: Sightings) -> None:
    names = [f"d{number}" for number in range(18)]
    (ada,) = await resolve(store, see("u1", *names))
    done = await apart(store, unmerge(ada.profile_id, " ".join(names[:9])))
    roots = {each.profile_id for each in await resolve(store, *(see(name) for name in names[:9]))}
    assert roots == {done.partings[0][0]}
    stayed = {each.profile_id for each in await resolve(store, *(see(name) for name in names[9:]))}
    assert stayed == {ada.profile_id}

"""What somebody decided about two identifiers, and that no event undoes it."""

from __future__ import annotations

import itertools
import random
from uuid import uuid5

import pytest
from cdp_contracts.envelope import NAMESPACE
from cdp_identity.domain.entities import Entity
from cdp_identity.domain.verdicts import Verdict
from cdp_identity.store import GraphStore, IdentityGraph
from cdp_identity.store.verdicts import UnknownIdentifier, forbid, link
from cdp_runtime.failures import Conflict
from identity_builders import Sightings, ident, resolve
from identity_simulator import SwitchingStore, finish


@pytest.fixture
def see() -> Sightings:
    return Sightings()


def verdict(first: str, other: str, says: str = "link") -> Verdict:
    name = uuid5(NAMESPACE, f"{first}{other}")
    return Verdict(name, "acme", ident(first), ident(other), says, "reviewer-7", 10**13)  # type: ignore[arg-type]


async def test_a_match_is_a_link_with_who_decided_it(store: GraphStore, see: Sightings) -> None:
    ada, _ = await resolve(store, see("u1"), see("e1"))
    told = await link(IdentityGraph(store), verdict("u1", "e1"))
    (merge,) = told.merges
    assert (merge.survivor, merge.link.rule, merge.link.by) == (ada.profile_id, "match", "reviewer-7")
    assert (await link(IdentityGraph(store), verdict("u1", "e1"))).merges == told.merges


async def test_no_verdict_joins_two_users(store: GraphStore, see: Sightings) -> None:
    await resolve(store, see("u1"), see("u2"))
    told = await link(IdentityGraph(store), verdict("u1", "u2"))
    assert [refusal.limit for refusal in told.refusals] == ["user_id:1"]


async def test_a_veto_keeps_two_apart_whatever_is_seen_later(store: GraphStore, see: Sightings) -> None:
    await resolve(store, see("d1"), see("e1"), see("d2"))
    assert await forbid(IdentityGraph(store), verdict("d1", "e1", "do-not-link"))
    direct, one, two = await resolve(store, see("e1", "d1"), see("d1", "d2"), see("e1", "d2"))
    assert [refusal.limit for refusal in direct.refusals] == ["do-not-link"]
    assert [refusal.limit for refusal in two.refusals] == ["do-not-link"]
    assert one.profile_id != two.profile_id


async def test_a_veto_splits_nobody_and_says_so(store: GraphStore, see: Sightings) -> None:
    await resolve(store, see("u1", "d1"))
    assert not await forbid(IdentityGraph(store), verdict("u1", "d1", "do-not-link"))


async def test_a_verdict_makes_no_persons(store: GraphStore, see: Sightings) -> None:
    await resolve(store, see("u1"))
    with pytest.raises(UnknownIdentifier):
        await link(IdentityGraph(store), verdict("u1", "e9"))
    with pytest.raises(UnknownIdentifier):
        await forbid(IdentityGraph(store), verdict("u1", "e9", "do-not-link"))


def apart_or_one(turns: tuple[int, ...], pair: tuple[str, str]) -> bool | None:
    """A veto and a union at once, in these turns: what the veto said, and that it is true."""
    store, see = SwitchingStore(), Sightings()
    finish(IdentityGraph(store).resolve([see("d1"), see("e1")]))
    veto = forbid(IdentityGraph(store), verdict(*pair, "do-not-link"))
    union = IdentityGraph(store).resolve([see("e1", "d1")])
    running = {0: veto, 1: union}
    said: bool | None = None
    for turn in itertools.chain(turns, itertools.cycle((0, 1))):
        if not running:
            break
        work = running.get(turn)
        if work is None:
            continue
        try:
            work.send(None)
        except StopIteration as stop:
            running.pop(turn)
            said = stop.value if turn == 0 else said
        except Conflict:
            running.pop(turn)
    (again,) = finish(IdentityGraph(store).resolve([see("e1", "d1")]))
    (device,) = finish(IdentityGraph(store).resolve([see("d1")]))
    assert (again.profile_id != device.profile_id) is said
    return said


def test_a_veto_that_was_given_holds_however_it_meets_a_union() -> None:
    dice = random.Random(3)
    for pair in (("d1", "e1"), ("e1", "d1")):
        answers = {apart_or_one(tuple(dice.choices((0, 1), k=24)), pair) for _ in range(400)}
        assert answers == {True, False}


def test_a_merge_keeps_the_vetoes_of_both() -> None:
    see = Sightings()
    one, two = see("d1").newborn(ident("d1")).vetoing("x+"), see("d2").newborn(ident("d2")).vetoing("y-")
    ((_, why),) = see("d1", "d2").links()
    bounds = see("d1").bounds
    both: Entity = one.absorbing(two.frozen(one, why, bounds))
    assert both.vetoes == {"x+", "y-"}

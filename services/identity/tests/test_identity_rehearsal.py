"""What a change of rules would do, on the links that are stored, before it is applied."""

from __future__ import annotations

import random

import pytest
from cdp_identity.api import build_api
from cdp_identity.domain.sightings import sighting_of
from cdp_identity.store import GraphStore, IdentityGraph, MemoryGraphStore
from cdp_identity.store.rehearsal import Report, rehearse
from cdp_identity.store.verdicts import forbid
from cdp_runtime.settings import AdminSettings
from httpx import ASGITransport, AsyncClient
from identity_builders import PSEUDONYMS, Sightings, ident, resolve, ruled, stewards
from identity_population import Population
from test_identity_verdicts import verdict

TOKEN = "token-of-an-admin"


@pytest.fixture
def see() -> Sightings:
    return Sightings()


async def dry(store: GraphStore, most: int = 1000, listed: frozenset[str] = frozenset(), **said: object) -> Report:
    return await rehearse(await store.history("acme", most), ruled(**said), listed)


async def test_the_same_rules_would_change_nothing(store: GraphStore, see: Sightings) -> None:
    await resolve(
        store, see("u1", "e1", "d1"), see("d2"), see("u1", "d2"), see("u2", "d1"), see("e3", "d3"), see("u3", "e3")
    )
    report = await dry(store)
    assert (report.persons_now, report.persons_then) == (3, 3)
    assert report.persons_split == report.persons_joined == report.merges_refused == report.refusals_merged == 0
    assert (report.refused_by, report.shared_devices, report.whole) == ({"user_id:1": 1}, 1, True)
    assert [cluster.size for cluster in report.largest] == [4, 3, 1]


@pytest.mark.parametrize("seed", range(3))
async def test_a_whole_population_lives_again_as_it_is(seed: int) -> None:
    people = Population(random.Random(seed), people=20)
    store = MemoryGraphStore()
    graph, events = IdentityGraph(store), people.live(100)
    for start in range(0, len(events), 50):
        await graph.resolve([sighting_of(event, PSEUDONYMS) for event in events[start : start + 50]])
    report = await dry(store, 100_000)
    assert report.persons_now == report.persons_then
    assert report.persons_split == report.persons_joined == 0


async def test_a_tighter_limit_says_whom_it_would_have_kept_apart(store: GraphStore, see: Sightings) -> None:
    await resolve(store, see("u1", "e1"), see("u1", "e2"), see("u1", "e3"))
    report = await dry(store, kinds={"email": {"limit": {"count": 1}}})
    assert (report.persons_now, report.persons_then, report.persons_split) == (1, 3, 1)
    assert (report.merges_refused, report.refused_by) == (2, {"email:1": 2})
    assert "splits nobody" in report.note
    (person,) = {r.profile_id for r in await resolve(store, see("e1"), see("e2"), see("e3"))}
    assert person, "trying out changes nothing"


async def test_a_looser_limit_says_which_refusals_would_merge(store: GraphStore) -> None:
    see = Sightings(ruled(kinds={"email": {"limit": {"count": 1}}}))
    await resolve(store, see("u1", "e1"), see("u1", "e2"))
    report = await dry(store)
    assert (report.persons_now, report.persons_then) == (2, 1)
    assert (report.persons_joined, report.refusals_merged) == (1, 1)


async def test_a_blocked_value_and_a_source_that_may_not_assert(store: GraphStore, see: Sightings) -> None:
    await resolve(store, see("u1", "d1"), see("u1", "d2"), see("u2", "e2", source="page"))
    report = await dry(store, listed=frozenset({ident("u1").pseudonym}), sources={"page": {"asserts": ["email"]}})
    assert (report.identifiers_blocked, report.persons_split) == (1, 2)
    assert report.persons_then == 5


async def test_vetoes_are_lived_again_too(store: GraphStore, see: Sightings) -> None:
    await resolve(store, see("e1", "d9"), see("d1", "d8"))
    assert await forbid(IdentityGraph(store), verdict("d1", "e1", "do-not-link"))
    late = see("e1", "d1", day=200_000)
    await resolve(store, late)
    report = await dry(store)
    assert (report.refused_by, report.persons_split, report.persons_joined) == ({"do-not-link": 1}, 0, 0)


async def test_more_links_than_it_goes_through_are_told(store: GraphStore, see: Sightings) -> None:
    await resolve(store, *(see(f"u{n}", f"d{n}") for n in range(6)))
    report = await dry(store, 5)
    assert (report.links, report.whole) == (5, False)


async def test_only_an_admin_may_ask_and_the_answer_holds_no_value(see: Sightings) -> None:
    store = MemoryGraphStore()
    await resolve(store, see("u1", "e1"), see("u1", "e2"))
    api = build_api(store, PSEUDONYMS, stewards(store), AdminSettings(admin_token=TOKEN))
    rules = {"tenant": "acme", "name": "default", "kinds": {"user_id": {"blocked": ["u1"]}}}
    async with AsyncClient(transport=ASGITransport(api), base_url="http://resolver") as client:
        assert (await client.post("/dry-run", json=rules)).status_code == 401
        headers = {"Authorization": f"Bearer {TOKEN}"}
        answer = await client.post("/dry-run", json=rules, headers=headers)
        assert answer.status_code == 200
        assert answer.json()["identifiers_blocked"] == 1
        assert '"u1"' not in answer.text
        bad = {**rules, "kinds": {"user_id": {"limit": {"count": 2}}}}
        answer = await client.post("/dry-run", json=bad, headers=headers)
        assert (answer.status_code, "one user_id" in answer.text) == (422, True)

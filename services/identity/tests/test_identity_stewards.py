"""Asking why persons are one, and parting them, over HTTP."""

from __future__ import annotations

import xml.etree.ElementTree as ET
from collections.abc import AsyncIterator
from typing import Any

import pytest
from cdp_identity.api import build_api
from cdp_identity.domain.facts import unmerge_of
from cdp_identity.stewards import Stewards
from cdp_identity.store import GraphStore, IdentityGraph, MemoryGraphStore
from cdp_identity.store.partings import part
from cdp_runtime.failures import Away
from cdp_runtime.settings import AdminSettings
from httpx import ASGITransport, AsyncClient
from identity_builders import PSEUDONYMS, Sightings, ident, resolve, stewards

TOKEN = "token-of-an-admin"
U1, D1, D2, D3 = ({"kind": ident(name).kind, "value": name} for name in ("u1", "d1", "d2", "d3"))
E1 = {"pseudonym": ident("e1").pseudonym}


@pytest.fixture
def see() -> Sightings:
    return Sightings()


@pytest.fixture
def graph() -> GraphStore:
    return MemoryGraphStore()


@pytest.fixture
def desk(graph: GraphStore) -> Stewards:
    return stewards(graph)


@pytest.fixture
async def ask(graph: GraphStore, desk: Stewards) -> AsyncIterator[Any]:
    api = build_api(graph, PSEUDONYMS, desk, AdminSettings(admin_token=TOKEN))
    async with AsyncClient(transport=ASGITransport(api), base_url="http://resolver") as client:

        async def asked(route: str, status: int = 200, accept: str = "*/*", **body: Any) -> Any:
            headers = {"Authorization": f"Bearer {TOKEN}", "Accept": accept}
            answer = await client.post(f"/{route}", json={"tenant": "acme", **body}, headers=headers)
            assert answer.status_code == status, answer.text
            assert ("retry-after" in answer.headers) == (status == 503)
            return answer.json() if "json" in answer.headers["content-type"] else answer.text

        yield asked


def names(*short: str) -> list[str]:
    return [ident(name).pseudonym for name in short]


async def test_why_two_are_one_is_a_path_of_evidence(graph: GraphStore, see: Sightings, ask: Any) -> None:
    await resolve(graph, see("u1", "d1"), see("d1", "d2"), see("u1", "e1"))
    said = await ask("explain", one=D2, other=E1)
    assert said["same"]
    assert [(e["first"], e["other"]) for e in said["path"]] == [
        tuple(names("d1", "d2")), tuple(names("u1", "d1")), tuple(names("u1", "e1")),
    ]  # fmt: skip
    assert {e["rule"] for e in said["path"]} == {"same-event"}


async def test_who_is_not_one_person_has_no_path(graph: GraphStore, see: Sightings, ask: Any) -> None:
    ada, bob = await resolve(graph, see("u1", "d1"), see("d2"))
    said = await ask("explain", one=U1, other=D2)
    assert not said["same"]
    assert (said["path"], said["profile_ids"]) == ([], [str(ada.profile_id), str(bob.profile_id)])


async def test_a_link_is_unmerged_and_the_younger_side_goes(
    graph: GraphStore, see: Sightings, ask: Any, desk: Stewards
) -> None:
    (ada, *_) = await resolve(graph, see("u1", "e1"), see("d1", "d2"), see("u1", "d1"))
    plan = await ask("unmerge", link=[U1, D1], dry_run=True)
    assert (plan["profile_id"], plan["keeps"]) == (str(ada.profile_id), names("u1", "e1"))
    assert (sorted(plan["groups"][0]), plan["request"]) == (sorted(names("d1", "d2")), None)
    assert not desk.requests
    plan = await ask("unmerge", link=[U1, D1], reason="a tablet", by="care")
    (request,) = desk.requests  # type: ignore[attr-defined]
    assert (str(request.id), request.by, request.reason) == (plan["request"], "care", "a tablet")
    await part(IdentityGraph(graph), unmerge_of(request))
    said = await ask("explain", one=U1, other=D1)
    assert not said["same"]
    assert [e["reverted_by"] for e in said["taken_back"]] == [plan["request"]]


async def test_a_merge_is_undone_by_the_profile_it_absorbed(graph: GraphStore, see: Sightings, ask: Any) -> None:
    ada, device, _ = await resolve(graph, see("u1", "e1"), see("d1", "d2"), see("u1", "d2"))
    plan = await ask("unmerge", absorbed=str(device.profile_id), dry_run=True)
    assert (plan["profile_id"], sorted(plan["groups"][0])) == (str(ada.profile_id), sorted(names("d1", "d2")))


async def test_what_more_evidence_holds_is_not_parted_by_one_link(
    graph: GraphStore, see: Sightings, ask: Any
) -> None:
    await resolve(graph, see("u1"), see("d1"), see("d2"))
    await IdentityGraph(graph).resolve([see("u1", "d1"), see("u1", "d2"), see("d1", "d2")])
    said = await ask("unmerge", 409, link=[U1, D1])
    assert said["code"] == "held-otherwise"
    assert (await ask("unmerge", groups=[[D1]], dry_run=True))["groups"] == [names("d1")]


@pytest.mark.parametrize(
    ("body", "status", "code"),
    [
        ({"groups": [[{"kind": "user_id", "value": "nobody"}]]}, 404, "unknown-identifier"),
        ({"groups": [[U1, D1]]}, 409, "nothing-stays"),
        ({"groups": [[U1], [U1]]}, 422, "invalid"),
        ({"groups": [[D1, D3]]}, 409, "several-profiles"),
        ({"groups": [[]]}, 422, "invalid"),
        ({"link": [U1, D3]}, 404, "no-such-link"),
        ({"absorbed": "03dde4b7-426c-5456-a12f-558f3ada554f"}, 404, "unknown-profile"),
        ({"link": [U1, D1], "groups": [[D1]]}, 422, "invalid"),
        ({}, 422, "invalid"),
        ({"groups": [[{"kind": "user_id"}]]}, 422, "invalid"),
    ],
)
async def test_what_cannot_be_parted_is_said(
    graph: GraphStore, see: Sightings, ask: Any, desk: Stewards, *, body: dict[str, Any], status: int, code: str
) -> None:
    await resolve(graph, see("u1", "d1"), see("u2", "d3"))
    said = await ask("unmerge", status, **body)
    assert said["code"] == code
    assert "nobody" not in said["message"]
    assert not desk.requests


async def test_another_tenants_identifiers_are_unknown(graph: GraphStore, see: Sightings, ask: Any) -> None:
    await resolve(graph, see("u1", "d1", tenant="other"))
    await ask("graph", 404, identifier=U1)
    await ask("graph", 404, identifier={"pseudonym": ident("u1", "other").pseudonym})


async def test_two_are_joined_by_a_verdict(graph: GraphStore, see: Sightings, ask: Any, desk: Stewards) -> None:
    ada, device = await resolve(graph, see("u1"), see("d1"))
    said = await ask("join", one=U1, other=D1, by="care")
    (verdict,) = desk.verdicts  # type: ignore[attr-defined]
    assert said["profile_ids"] == [str(ada.profile_id), str(device.profile_id)]
    assert (verdict.verdict, verdict.by, list(verdict.identifiers)) == ("same", "care", names("u1", "d1"))
    assert "matcher" in (await ask("join", 422, one=U1, other=D1, by="matcher"))["message"]


async def test_a_person_is_drawn_without_values_or_scripts(graph: GraphStore, see: Sightings, ask: Any) -> None:
    await resolve(graph, see("u1", "e1", "d1"), see("u2", "d1"), see("u1", "d2"))
    told = await ask("graph", identifier=U1)
    assert {i["pseudonym"] for i in told["identifiers"]} == set(names("u1", "e1", "d1", "d2"))
    assert [i["mark"] for i in told["identifiers"] if i["pseudonym"] == ident("d1").pseudonym] == ["shared"]
    drawn = ET.fromstring(await ask("graph", accept="image/svg+xml", identifier=U1))  # noqa: S314  # our own
    kinds = [element.tag.rpartition("}")[2] for element in drawn.iter()]
    assert (kinds.count("circle"), kinds.count("line"), kinds.count("script")) == (4, 3, 0)
    assert not any(text in ET.tostring(drawn, encoding="unicode") for text in (">u1<", "u1 ", "script"))


async def test_only_an_admin_may_ask(graph: GraphStore, desk: Stewards) -> None:
    api = build_api(graph, PSEUDONYMS, desk, AdminSettings(admin_token=TOKEN))
    async with AsyncClient(transport=ASGITransport(api), base_url="http://resolver") as client:
        bodies = {"explain": {"one": U1, "other": D1}, "graph": {"identifier": U1}, "unmerge": {"link": [U1, D1]},
                  "join": {"one": U1, "other": D1}}  # fmt: skip
        for route, body in bodies.items():
            assert (await client.post(f"/{route}", json={"tenant": "acme", **body})).status_code == 401


async def test_a_broker_that_is_away_is_said(
    graph: GraphStore, see: Sightings, ask: Any, desk: Stewards, monkeypatch: pytest.MonkeyPatch
) -> None:
    await resolve(graph, see("u1", "d1"))

    async def away(_: Any) -> None:
        raise Away("the broker did not acknowledge in time")

    monkeypatch.setattr(desk.requests, "write", away)
    assert (await ask("unmerge", 503, groups=[[D1]]))["code"] == "unavailable"

"""The review queue over HTTP, and the stores beneath it."""

from __future__ import annotations

from collections.abc import AsyncIterator
from datetime import UTC, datetime
from typing import Any

import pytest
from cdp_contracts.matches_v1 import MatchDecided
from cdp_contracts.topics import EVENTS_RESOLVED, MATCHES_DECIDED, MATCHES_PROPOSED
from cdp_identity.app import build_matcher
from cdp_identity.matcher.queue import Desk, build_api
from cdp_identity.matcher.store import MatcherStore, MongoMatcherStore, memory_store
from cdp_runtime.access import Tokens
from cdp_runtime.failures import Away
from cdp_runtime.rates import Rates
from cdp_runtime.settings import MongoSettings
from cdp_testkit import LocalBus
from httpx import ASGITransport, AsyncClient
from matcher_builders import ADA, identified, matching_bus, profile
from pydantic import SecretStr

NO_DATE = {name: value for name, value in ADA.items() if name != "birthday"}
TOKENS = Tokens([(SecretStr("steward-1"), "acme"), (SecretStr("steward-2"), "umbrella")])
PAIR = f"/v1/matches/{profile('laptop')}/{profile('phone')}"


class Now:
    """A clock that stands."""

    def now(self) -> datetime:
        return datetime(2026, 1, 6, tzinfo=UTC)


class BusVerdicts:
    """Verdicts on the bus."""

    def __init__(self, bus: LocalBus) -> None:
        self.bus = bus
        self.away = False

    async def write(self, verdict: MatchDecided) -> None:
        await self.ping()
        await self.bus.publish(MATCHES_DECIDED, verdict)

    async def ping(self) -> None:
        if self.away:
            raise Away("away")


@pytest.fixture(params=["memory", pytest.param("mongo", marks=pytest.mark.wire)])
async def records(request: pytest.FixtureRequest) -> AsyncIterator[MatcherStore]:
    if request.param == "memory":
        yield memory_store()
        return
    settings: MongoSettings = request.getfixturevalue("mongo_settings")
    store = MongoMatcherStore(settings)
    await store.migrate()
    yield store.records
    await store.close()


@pytest.fixture
async def bus(records: MatcherStore) -> LocalBus:
    """One pair waits."""
    bus = matching_bus(records)
    for n, who in enumerate(("phone", "laptop")):
        await bus.publish(EVENTS_RESOLVED, identified(n, who, NO_DATE))
        await bus.drain()
    assert [message.band for message in bus.messages(MATCHES_PROPOSED)] == ["review"]
    return bus


@pytest.fixture
def verdicts(bus: LocalBus) -> BusVerdicts:
    return BusVerdicts(bus)


@pytest.fixture
def client(records: MatcherStore, verdicts: BusVerdicts) -> AsyncClient:
    api = build_api(Desk(records, verdicts, TOKENS, Rates(0, 1), Now()))
    headers = {"Authorization": "Bearer steward-1"}
    return AsyncClient(transport=ASGITransport(api), base_url="http://matches", headers=headers)


async def waiting(client: AsyncClient) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = (await client.get("/v1/matches")).json()["pairs"]
    return found


async def test_a_pair_is_listed_shown_and_decided(client: AsyncClient, bus: LocalBus) -> None:
    (pair,) = await waiting(client)
    assert (pair["profile_id"], pair["other"]) == (str(profile("laptop")), str(profile("phone")))
    assert (pair["status"], pair["band"], pair["held"]) == ("open", "review", "score")
    assert "told" not in pair
    shown = (await client.get(PAIR)).json()
    assert {field[0] for field in shown["fields"]} == {"given", "family", "address"}
    assert shown["told"][str(profile("phone"))][0]["given"] == ["Ada"]
    taken = await client.post(f"{PAIR}/verdict", json={"verdict": "different"})
    assert (taken.status_code, taken.json()["verdict"]) == (200, "different")
    (decided,) = bus.messages(MATCHES_DECIDED)
    assert (decided.verdict, decided.score) == ("different", pair["score"])
    assert decided.by.startswith("token-")
    assert "steward-1" not in decided.by
    await bus.drain()
    assert await waiting(client) == []
    assert (await client.get(PAIR)).json()["status"] == "different"


async def test_a_decided_pair_is_not_proposed_again(client: AsyncClient, bus: LocalBus) -> None:
    await client.post(f"{PAIR}/verdict", json={"verdict": "different"})
    await bus.drain()
    for n, who in enumerate(("phone", "laptop"), start=5):
        await bus.publish(EVENTS_RESOLVED, identified(n, who, ADA))
        await bus.drain()
    assert len(bus.messages(MATCHES_PROPOSED)) == 1


async def test_one_tenant_does_not_see_the_pairs_of_another(client: AsyncClient) -> None:
    other = {"Authorization": "Bearer steward-2"}
    assert (await client.get("/v1/matches", headers=other)).json() == {"pairs": []}
    for answer in (
        await client.get(PAIR, headers=other),
        await client.post(f"{PAIR}/verdict", json={"verdict": "same"}, headers=other),
    ):
        assert (answer.status_code, answer.json()["code"]) == (404, "not-found")


@pytest.mark.parametrize("token", ["", "Bearer ", "Bearer steward", "Basic steward-1"])
async def test_nobody_without_a_token_reviews(client: AsyncClient, bus: LocalBus, token: str) -> None:
    headers = {"Authorization": token}
    for answer in (
        await client.get("/v1/matches", headers=headers),
        await client.get(PAIR, headers=headers),
        await client.post(f"{PAIR}/verdict", json={"verdict": "same"}, headers=headers),
    ):
        assert (answer.status_code, answer.json()["code"]) == (401, "unauthorized")
    assert bus.messages(MATCHES_DECIDED) == []


async def test_a_verdict_that_the_log_does_not_take_is_answered_so(
    client: AsyncClient, verdicts: BusVerdicts
) -> None:
    verdicts.away = True
    answer = await client.post(f"{PAIR}/verdict", json={"verdict": "same"})
    assert (answer.status_code, answer.json()["code"]) == (503, "unavailable")
    assert answer.headers["retry-after"] == "5"


async def test_the_matcher_is_built_without_connecting(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CDP_PEPPER", "a pepper for tests only")
    monkeypatch.setenv("CDP_IDENTITY_MATCH_PURPOSES", "personalization, advertising")
    monkeypatch.setenv("CDP_IDENTITY_MATCH_REGIONS", '{"*": "GB"}')
    monkeypatch.setenv("CDP_IDENTITY_STEWARD_TOKENS", '{"steward-1": "acme"}')
    role = build_matcher()
    assert role.state.name == "identity-matcher"
    async with AsyncClient(transport=ASGITransport(role.api), base_url="http://matcher") as client:
        assert (await client.get("/livez")).status_code == 200
        assert (await client.get("/readyz")).status_code == 503


async def test_the_pairs_of_a_profile_are_found_under_either_end(records: MatcherStore) -> None:
    bus = matching_bus(records)
    people = ("phone", "laptop", "tablet")
    await bus.publish(EVENTS_RESOLVED, *(identified(n, who, NO_DATE) for n, who in enumerate(people)))
    await bus.drain()
    for one in people:
        found = await records.pairs.about("acme", [str(profile(one)), str(profile("nobody"))])
        assert {frozenset((p.proposal["profile"], p.proposal["other"])) for p in found} == {
            frozenset((str(profile(one)), str(profile(other)))) for other in people if other != one
        }
    assert await records.pairs.about("umbrella", [str(profile("phone"))]) == []

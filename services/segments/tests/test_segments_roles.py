"""The roles boot without connecting; settings come from the environment; definitions of the demo compile."""

from __future__ import annotations

from pathlib import Path

import httpx
import pytest
import yaml
from cdp_contracts.definitions_v1 import SegmentDefined
from cdp_contracts.topics import SEGMENTS_DEFINED
from cdp_runtime.access import Tokens
from cdp_runtime.codec import encode
from cdp_runtime.rates import Rates
from cdp_segments import app
from cdp_segments.api.door import Door
from cdp_segments.api.routes import build_api
from cdp_segments.catalogs import Catalogs
from cdp_segments.census import MongoCensus
from cdp_segments.domain.catalog import Catalog
from cdp_segments.domain.segments import compile_segment
from cdp_segments.history.store import MongoHistoryStore
from cdp_segments.ledger import mongo_ledger
from cdp_segments.reading import Reading
from cdp_segments.settings import SenderSettings, Settings
from cdp_segments.standings import Standings
from cdp_segments.store import MongoPersonStore
from pydantic import SecretStr, ValidationError

SERVICE = Path(__file__).parents[1]
DEFINITIONS = SERVICE.parents[1] / "infra" / "definitions" / "segments"


@pytest.fixture(autouse=True)
def environment(monkeypatch):
    monkeypatch.setenv("CDP_MONGO_URL", "mongodb://127.0.0.1:9")
    monkeypatch.setenv("CDP_SEGMENTS_READ_SECONDS", "0.2")
    monkeypatch.setenv("CDP_SEGMENTS_READ_TOKENS", '{"token-of-demo": "demo"}')


async def test_the_evaluator_boots_without_a_server():
    role = app.build_evaluator()
    assert role.state.name == "segments-evaluator"
    assert [stage.runner.stage.name for stage in role.state.stages] == ["evaluate", "keep_flips"]
    assert not role.state.ready


async def test_the_sender_boots_without_a_server(tmp_path):
    role = app.build_sender(SenderSettings(secrets_folder=tmp_path))
    assert [stage.runner.group for stage in role.state.stages] == ["segments-sender.route"]
    async with httpx.AsyncClient(transport=httpx.ASGITransport(role), base_url="http://x") as client:
        assert (await client.get("/livez")).status_code == 200
        assert (await client.get("/readyz")).status_code == 503


async def test_the_reader_boots_without_a_server():
    async with httpx.AsyncClient(transport=httpx.ASGITransport(app.build_http()), base_url="http://x") as client:
        assert (await client.get("/livez")).status_code == 200
        assert (await client.get("/readyz")).status_code == 503
        answer = await client.get("/v1/segments", headers={"Authorization": "Bearer token-of-demo"})
        assert (answer.status_code, answer.json()["code"]) == (503, "unavailable")
        assert (await client.get("/v1/segments")).headers["WWW-Authenticate"] == "Bearer"


async def test_a_body_of_more_than_64_kib_is_refused():
    async with httpx.AsyncClient(transport=httpx.ASGITransport(app.build_http()), base_url="http://x") as client:
        answer = await client.post("/v1/segments/preview", content=b" " * 70_000)
    assert (answer.status_code, answer.json()["code"]) == (413, "body-size")


async def test_readers_are_told_while_the_store_is_away(make, noon):
    mongo = Settings().mongo.model_copy(update={"timeout_seconds": 0.2})
    catalogs, people = Catalogs(), MongoPersonStore(mongo)
    definition = encode(SEGMENTS_DEFINED, make.segment("s", kind="count", event="view"), source="test", now=noon)
    catalogs.table.apply("demo/s", definition.value)
    catalogs.table.caught_up = True
    standings = Standings(catalogs, mongo_ledger(people), app.SystemClock())
    door = Door(people, standings, Tokens([(SecretStr("token"), "demo")]), Rates(0, 1), app.SystemClock())
    api = build_api(door, Reading(MongoCensus(people), MongoHistoryStore(mongo)))
    async with httpx.AsyncClient(transport=httpx.ASGITransport(api), base_url="http://x") as client:
        for path in ("/v1/segments", "/v1/segments/s/members", f"/v1/profiles/{make.profile_id('ann')}/segments"):
            answer = await client.get(path, headers={"Authorization": "Bearer token"})
            assert (answer.status_code, answer.json()["code"]) == (503, "unavailable")
            assert int(answer.headers["Retry-After"]) > 0
    await people.close()


@pytest.mark.parametrize(
    "text",
    [
        "secret-not-json",
        '["secret"]',
        '{"secret-token": 7}',
        '{"secret-token": "No Tenant"}',
        '{"": "demo"}',
        '{"secret": "demo"}',
    ],
)
def test_a_bad_token_setting_is_named_and_never_shown(monkeypatch, text):
    monkeypatch.setenv("CDP_SEGMENTS_READ_TOKENS", text)
    with pytest.raises(ValidationError, match="read_tokens") as error:
        Settings()
    assert "secret" not in str(error.value)
    assert "token-of-demo" not in repr(Settings.model_construct())


def test_without_tokens_nobody_may_read(monkeypatch):
    for text in ("", "{}"):
        monkeypatch.setenv("CDP_SEGMENTS_READ_TOKENS", text)
        assert Settings().read_tokens == ()


def test_the_definitions_of_the_demo_compile():
    files = sorted(DEFINITIONS.glob("*.yaml"))
    definitions = [SegmentDefined.model_validate(yaml.safe_load(file.read_text())) for file in files]
    assert [definition.name for definition in definitions] == [file.stem for file in files]
    assert {definition.tenant for definition in definitions} == {"demo"}
    assert len(Catalog(map(compile_segment, definitions)).segments) == len(files) >= 7

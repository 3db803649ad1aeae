"""The roles boot without connecting; settings are read from the environment; readers are served from MongoDB."""

from __future__ import annotations

from pathlib import Path
from uuid import uuid4

import httpx
import pytest
from cdp_devstack.servers import Stack
from cdp_profiles import app, migrate
from cdp_profiles.domain.limits import Limits
from cdp_profiles.domain.updating import update
from cdp_profiles.settings import Settings
from cdp_profiles.store import MongoProfileStore
from pydantic import ValidationError

NOWHERE = "mongodb://127.0.0.1:9"
README = Path(__file__).parents[1] / "README.md"


@pytest.fixture(autouse=True)
def environment(monkeypatch):
    monkeypatch.setenv("CDP_PEPPER", "pepper for the tests")
    monkeypatch.setenv("CDP_MONGO_URL", NOWHERE)
    monkeypatch.setenv("CDP_PROFILES_READ_SECONDS", "0.2")
    monkeypatch.setenv("CDP_PROFILES_READ_TOKENS", '{"read-all-of-demo": "demo"}')


async def test_the_writer_boots_without_a_server():
    role = app.build_writer()
    assert role.state.name == "profiles-writer"
    assert len(role.state.stages) == 4


async def test_the_historian_boots_without_a_server():
    role = app.build_historian()
    assert [stage.runner.group for stage in role.state.stages] == ["profiles-historian.keep_histories"]


async def test_readers_are_told_while_the_store_is_away(make):
    async with httpx.AsyncClient(transport=httpx.ASGITransport(app.build_http()), base_url="http://x") as client:
        assert (await client.get("/livez")).status_code == 200
        headers = {"Authorization": "Bearer read-all-of-demo"}
        for url in (f"/v1/profiles/{make.profile_id('ann')}", "/v1/profiles?user_id=u1"):
            answer = await client.get(url, headers=headers)
            assert (answer.status_code, answer.json()["code"]) == (503, "unavailable")


@pytest.mark.wire
async def test_readers_are_served_what_was_written(make, noon, monkeypatch):
    with Stack.start("embedded", only=["mongo"]) as stack:
        monkeypatch.setenv("CDP_MONGO_URL", stack.mongo)
        monkeypatch.setenv("CDP_MONGO_DATABASE_PREFIX", f"test{uuid4().hex[:8]}")
        monkeypatch.setenv("CDP_PROFILES_READ_SECONDS", "5")
        await migrate.migrate(Settings())
        await migrate.migrate(Settings())
        store = MongoProfileStore(Settings().mongo, make.pseudonyms)
        people = await store.load([make.record_id("ann")])
        event = make.event(1, "ann", user_id="u1", traits={"plan": "pro"})
        update(people, event, Limits(), noon)
        await store.save(people)
        await store.close()
        async with httpx.AsyncClient(
            transport=httpx.ASGITransport(app.build_http()), base_url="http://x"
        ) as client:
            headers = {"Authorization": "Bearer read-all-of-demo"}
            by_id = await client.get(f"/v1/profiles/{make.profile_id('ann')}", headers=headers)
            by_user = await client.get("/v1/profiles", params={"user_id": "u1"}, headers=headers)
    assert by_id.json() == by_user.json()
    assert by_id.json()["traits"]["plan"]["value"] == "pro"


def test_limits_come_from_the_environment(monkeypatch):
    assert Settings().limits == Limits()
    monkeypatch.setenv("CDP_PROFILES_MAX_TRAITS", "7")
    assert Settings().limits == Limits(traits=7)


def test_tokens_may_carry_a_role(monkeypatch):
    text = '{"token-number-one": "demo", "token-number-two": {"tenant": "demo", "role": "masked"}}'
    monkeypatch.setenv("CDP_PROFILES_READ_TOKENS", text)
    assert [(t.tenant, t.role) for t in Settings().read_tokens] == [("demo", "full"), ("demo", "masked")]
    assert "token-number" not in repr(Settings())


def test_without_tokens_nobody_may_read(monkeypatch):
    for text in ("", "{}"):
        monkeypatch.setenv("CDP_PROFILES_READ_TOKENS", text)
        assert Settings().read_tokens == ()


@pytest.mark.parametrize(
    "text",
    [
        "secret-not-json", '["secret-in-a-list"]', '{"secret-of-nobody": 7}', '{"secret-of-nobody": "No Tenant"}',
        '{"secret-of-nobody": {"tenant": "demo", "role": "god"}}', '{"secret!": null}', '{"secre": "demo"}',
        '{"secret-of-nobody": {"tenant": "demo", "token": "secret-twice", "more": 1}}',
    ],
)  # fmt: skip
def test_a_bad_token_setting_is_named_and_never_shown(monkeypatch, text):
    monkeypatch.setenv("CDP_PROFILES_READ_TOKENS", text)
    with pytest.raises(ValidationError, match="read_tokens") as error:
        Settings()
    assert "secre" not in str(error.value)

"""The role as it is started: settings, indexes, probes."""

from __future__ import annotations

import asyncio

import pytest
from cdp_identity.app import build_resolver
from cdp_identity.migrate import migrate
from cdp_identity.settings import Settings
from cdp_runtime.settings import MongoSettings
from httpx import ASGITransport, AsyncClient
from motor.motor_asyncio import AsyncIOMotorClient
from pydantic import ValidationError


async def test_the_resolver_is_built_without_connecting(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CDP_PEPPER", "a pepper for tests only")
    monkeypatch.setenv("CDP_IDENTITY_CACHE_SIZE", "10")
    role = build_resolver()
    assert role.state.name == "identity-resolver"
    async with AsyncClient(transport=ASGITransport(role.api), base_url="http://resolver") as client:
        assert (await client.get("/livez")).status_code == 200
        assert (await client.get("/readyz")).status_code == 503


def test_a_missing_pepper_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("CDP_PEPPER", raising=False)
    with pytest.raises(ValidationError, match="pepper"):
        Settings()


@pytest.mark.wire
async def test_migrate_may_run_again_and_beside_itself(mongo_settings: MongoSettings) -> None:
    await asyncio.gather(migrate(mongo_settings), migrate(mongo_settings))
    client: AsyncIOMotorClient[dict[str, object]] = AsyncIOMotorClient(mongo_settings.url.get_secret_value())
    collection = client[f"{mongo_settings.database_prefix}_identity"]["identifiers"]
    assert set(await collection.index_information()) == {"_id_", "tenant_entity"}
    assert {"first", "other"} <= set(await collection.database["refusals"].index_information())
    client.close()

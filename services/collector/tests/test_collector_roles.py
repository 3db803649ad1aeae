"""The roles as they are built: settings, probes, nothing connected."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from cdp_collector.app import build_http, build_receipts, build_validator
from cdp_collector.settings import HttpSettings
from cdp_runtime.app import Role
from collector_builders import PEPPER
from httpx import ASGITransport, AsyncClient
from pydantic import ValidationError

KEY = "a key of more than 32 characters, and none to tell"


@pytest.mark.parametrize(
    ("build", "name"),
    [
        (build_http, "collector-http"),
        (build_validator, "collector-validator"),
        (build_receipts, "collector-receipts"),
    ],
)
async def test_a_role_is_built_without_connecting(
    build: Callable[[], Role], name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("CDP_PEPPER", PEPPER)
    role = build()
    assert role.state.name == name
    async with AsyncClient(transport=ASGITransport(role.api), base_url="http://role") as client:
        assert (await client.get("/livez")).status_code == 200
        assert (await client.get("/readyz")).status_code == 503


@pytest.mark.parametrize("build", [build_http, build_validator, build_receipts])
def test_a_missing_pepper_is_named(build: Callable[[], Role], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("CDP_PEPPER", raising=False)
    with pytest.raises(ValidationError, match="pepper"):
        build()


def test_a_setting_out_of_range_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CDP_PEPPER", PEPPER)
    monkeypatch.setenv("CDP_COLLECTOR_RETRY_AFTER_SECONDS", "0")
    with pytest.raises(ValidationError, match="retry_after_seconds"):
        HttpSettings()


def test_tokens_that_are_no_json_are_refused_without_being_told(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CDP_PEPPER", PEPPER)
    monkeypatch.setenv("CDP_COLLECTOR_READ_TOKENS", "a-secret")
    with pytest.raises(ValidationError, match="read_tokens") as refused:
        build_receipts()
    assert "a-secret" not in str(refused.value)


def test_the_keys_of_cookies_come_from_the_environment_and_are_never_told(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CDP_PEPPER", PEPPER)
    assert HttpSettings().signer() is None
    monkeypatch.setenv("CDP_COLLECTOR_TOKEN_KEYS", f'["{KEY}", "{KEY[::-1]}"]')
    settings = HttpSettings()
    assert [key.get_secret_value() for key in settings.token_keys] == [KEY, KEY[::-1]]
    assert settings.signer() is not None
    assert KEY not in repr(settings)
    for bad in ('["too short, but secret"]', KEY):
        monkeypatch.setenv("CDP_COLLECTOR_TOKEN_KEYS", bad)
        with pytest.raises(Exception, match="token_keys") as refused:
            HttpSettings()
        assert "secret" not in str(refused.value)
        assert KEY not in str(refused.value)

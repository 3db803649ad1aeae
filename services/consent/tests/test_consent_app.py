"""The role is wired, the commands run, and the demo's policy compiles."""

from __future__ import annotations

import asyncio
import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
import yaml
from cdp_consent.app import build_gate
from cdp_consent.domain.policy import compile_policy
from cdp_consent.migrate import migrate
from cdp_consent.settings import Settings
from cdp_consent.store import MongoConsentStore
from cdp_contracts.definitions_v1 import PolicyDefined
from cdp_runtime.settings import MongoSettings
from consent_builders import signal
from test_consent_store import ANN, hear, yes

ROOT = Path(__file__).parents[3]
POLICY = ROOT / "infra" / "definitions" / "policies" / "default.yaml"


def test_the_role_is_built_without_connecting(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CDP_PEPPER", "a pepper for tests only")
    gate = build_gate()
    assert gate.state.name == "consent-gate"
    assert [stage.runner.group for stage in gate.state.stages] == ["consent-gate.guard_events"]
    assert not gate.state.ready


def test_a_missing_pepper_fails_by_its_name(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("CDP_PEPPER", raising=False)
    with pytest.raises(ValueError, match="pepper"):
        Settings()


def test_the_demos_policy_says_what_it_should() -> None:
    policy = compile_policy(PolicyDefined.model_validate(yaml.safe_load(POLICY.read_text())))
    assert (policy.tenant, policy.name, policy.requires) == ("demo", "default", ("analytics",))
    assert policy.purposes == ("analytics", "marketing", "personalization")
    defaults = {
        place: policy.rules[policy.place(place)]["analytics"].default for place in ("DE", "US-CA", "BR", "XX")
    }
    assert defaults == {"DE": "denied", "US-CA": "granted", "BR": "denied", "XX": "denied"}
    assert policy.rules["US-CA"]["marketing"].gpc_denies
    words = {"Functional": True, "advertising": False, "C0002": True}
    assert policy.translate(words) == {"personalization": True, "marketing": False, "analytics": True}


@pytest.mark.wire
class TestCommands:
    """What an operator runs."""

    async def test_indexes_are_made_as_often_as_one_likes(
        self, mongo_settings: MongoSettings, mongo_store: MongoConsentStore
    ) -> None:
        await migrate(mongo_settings)
        await migrate(mongo_settings)
        assert set(await mongo_store.database["ledger"].index_information()) == {"_id_", "tenant_1_recorded_at_1"}

    async def test_verify_prints_what_it_found(
        self, mongo_settings: MongoSettings, mongo_store: MongoConsentStore
    ) -> None:
        for n in range(3):
            await hear(mongo_store, ANN, yes(n))
        code, report = await asyncio.to_thread(run_verify, mongo_settings)
        assert (code, report["subjects"], report["entries"], report["broken"]) == (0, 1, 3, 0)
        await mongo_store.database["ledger"].delete_one({"seq": 1})
        code, report = await asyncio.to_thread(run_verify, mongo_settings)
        assert (code, report["first_broken"], report["rule"]) == (1, ANN, "missing-or-reordered")

    async def test_a_choice_is_kept_to_the_microsecond(self, mongo_store: MongoConsentStore) -> None:
        await hear(mongo_store, ANN, signal("1", 1.000001, analytics=True))
        subject, _ = await mongo_store.chain(ANN)
        assert subject.choices.marks["analytics"].moment.received_at.microsecond == 1


def run_verify(settings: MongoSettings) -> tuple[int, dict[str, object]]:
    """Run the command in a process of its own."""
    environment = {
        **os.environ,
        "CDP_MONGO_URL": settings.url.get_secret_value(),
        "CDP_MONGO_DATABASE_PREFIX": settings.database_prefix,
    }
    command = [sys.executable, "-m", "cdp_consent.verify"]
    done = subprocess.run(command, env=environment, capture_output=True, text=True, timeout=60, check=False)
    assert not done.stderr
    return done.returncode, json.loads(done.stdout)

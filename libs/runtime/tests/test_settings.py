"""What a bad setting says: which variable, and nothing of a secret."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import pytest
from cdp_runtime.pseudonyms import Pseudonymizer
from cdp_runtime.settings import KafkaSettings, MongoSettings, PrivacySettings, RedisSettings, TlsSettings
from pydantic import SecretStr, ValidationError
from pydantic_settings import BaseSettings
from secured_servers import Authority

CANARY = "canary-0815"
TLS = {"security_protocol": "SASL_SSL", "sasl_username": "cdp", "sasl_password": CANARY}


@pytest.fixture(autouse=True)
def without_ours(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in [name for name in os.environ if name.startswith("CDP_")]:
        monkeypatch.delenv(name)


@pytest.mark.parametrize(
    ("kind", "given", "variable"),
    [
        (KafkaSettings, {"security_protocol": "SASL_SSL", "sasl_username": "cdp"}, "CDP_KAFKA_SASL_PASSWORD"),
        (KafkaSettings, {"security_protocol": "SASL_SSL", "sasl_password": CANARY}, "CDP_KAFKA_SASL_USERNAME"),
        (KafkaSettings, {**TLS, "ca_file": "text"}, "CDP_KAFKA_CA_FILE"),
        (KafkaSettings, {**TLS, "cert_file": "text"}, "CDP_KAFKA_CERT_FILE"),
        (KafkaSettings, {**TLS, "ca_file": "missing"}, "ca_file"),
        (MongoSettings, {"password": CANARY, "ca_file": "text"}, "CDP_MONGO_CA_FILE"),
        (RedisSettings, {"password": CANARY, "cert_file": "text"}, "CDP_REDIS_CERT_FILE"),
        (PrivacySettings, {"pepper": CANARY}, "pepper"),
        (PrivacySettings, {"pepper": f"{CANARY} and more", "former_peppers": [CANARY]}, "former_peppers"),
    ],
)  # fmt: skip
def test_a_bad_setting_is_named_and_no_secret_shown(
    tmp_path: Path, kind: type[BaseSettings], given: dict[str, Any], variable: str
) -> None:
    (tmp_path / "text").write_text("no PEM at all")
    files = {name: tmp_path / value for name, value in given.items() if name.endswith("_file")}
    with pytest.raises(ValidationError) as told:
        kind(**given | files)
    assert variable in str(told.value)
    assert CANARY not in str(told.value) + repr(told.value)


@pytest.mark.parametrize(
    ("kind", "variable"),
    [(KafkaSettings, "CDP_KAFKA_SECURITY_PROTOCOL"), (RedisSettings, "CDP_REDIS_URL")],
)
def test_files_for_tls_without_tls_are_no_false_comfort(
    tmp_path: Path, kind: type[TlsSettings], variable: str
) -> None:
    with pytest.raises(ValidationError, match=variable):
        kind(ca_file=Authority(tmp_path / "trusted").file)


@pytest.mark.parametrize(
    ("kind", "field", "file"),
    [
        (KafkaSettings, "sasl_password", "CDP_KAFKA_SASL_PASSWORD"),
        (MongoSettings, "url", "cdp_mongo_url"),
        (MongoSettings, "password", "CDP_MONGO_PASSWORD"),
        (RedisSettings, "password", "cdp_redis_password"),
        (PrivacySettings, "pepper", "CDP_PEPPER"),
    ],
)
def test_a_secret_may_be_a_file_and_shows_in_no_text(tmp_path: Path, kind: Any, field: str, file: str) -> None:
    (tmp_path / file).write_text(f"{CANARY} and more\n")
    settings = kind(_secrets_dir=tmp_path)
    assert getattr(settings, field).get_secret_value() == f"{CANARY} and more"
    assert CANARY not in repr(settings) + str(settings) + settings.model_dump_json()


def test_former_peppers_are_a_list_in_a_file_beside_the_pepper(tmp_path: Path) -> None:
    (tmp_path / "cdp_pepper").write_text("the pepper of this year\n")
    (tmp_path / "cdp_former_peppers").write_text('["the pepper of last year", "the pepper of two years ago"]\n')
    settings = PrivacySettings(_secrets_dir=tmp_path)
    new, old, oldest = (
        Pseudonymizer(f"the pepper of {year}".encode()) for year in ("this year", "last year", "two years ago")
    )
    assert settings.pseudonyms.versions == (new.version, old.version, oldest.version)
    assert settings.lasting.versions == (oldest.version,)
    assert "last year" not in repr(settings) + str(settings) + settings.model_dump_json()


def test_with_one_pepper_alone_that_is_the_lasting_one() -> None:
    settings = PrivacySettings(pepper=SecretStr("the pepper of this year"))
    assert settings.lasting.versions == settings.pseudonyms.versions

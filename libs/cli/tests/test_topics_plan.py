"""`cdp topics plan` against brokers that lack something or have it otherwise."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from dataclasses import replace

import pytest
from cdp_cli import topics
from cdp_cli.main import app
from cdp_contracts.topic_settings import topic_settings
from cdp_devstack.platform import kafka_settings
from cdp_devstack.servers import Stack
from cdp_runtime.settings import KafkaSettings
from typer.testing import CliRunner

WANTED = topic_settings()
RECEIVED, REJECTED, VALIDATED, *_ = WANTED


def test_what_differs_is_said_with_both_sides() -> None:
    config = {**dict(RECEIVED.config), "retention.ms": "3600000"}
    assert list(topics.differences(RECEIVED, 3, config)) == [
        "cdp.events.received.v1: 3 partitions, the registry says 6",
        "cdp.events.received.v1: retention.ms is 3600000, the registry says 259200000",
    ]
    assert list(topics.differences(RECEIVED, 6, dict(RECEIVED.config) | {"segment.ms": "1"})) == []


@pytest.fixture
def kafka() -> Iterator[KafkaSettings]:
    with Stack.start("local", only=("kafka",)) as stack:
        yield kafka_settings(stack)


@pytest.mark.stack
def test_a_plan_says_what_is_missing_and_what_differs_and_apply_mends_the_first(
    kafka: KafkaSettings, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("CDP_KAFKA_BOOTSTRAP", kafka.bootstrap)
    shorter = tuple((key, "3600000" if key == "retention.ms" else value) for key, value in RECEIVED.config)
    asyncio.run(topics.create(kafka, [replace(RECEIVED, config=shorter), replace(VALIDATED, partitions=3)], 1))

    def said(*arguments: str, code: int) -> str:
        outcome = CliRunner().invoke(app, ["topics", *arguments])
        assert outcome.exit_code == code, outcome.output
        return outcome.output

    plan = said("plan", code=2)
    assert f"missing  {REJECTED.name}  6 partitions\n" in plan
    assert f"differs  {RECEIVED.name}: retention.ms is 3600000, the registry says 259200000\n" in plan
    assert f"differs  {VALIDATED.name}: 3 partitions, the registry says 6\n" in plan
    assert plan.endswith(f"2 there, {len(WANTED) - 2} missing, 2 differing\n")
    assert said("apply", code=1).endswith(f"2 there, {len(WANTED) - 2} created, 2 differing\n")
    assert said("plan", code=2).endswith(f"{len(WANTED)} there, 0 missing, 2 differing\n"), "nothing was altered"

"""Alerts: each can fire and can keep still, is about metrics that exist, and links a page that says what to do."""

from __future__ import annotations

import re
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml
from cdp_devstack import cache

ROOT = Path(__file__).parents[2]
RULES = sorted((ROOT / "infra/prometheus/rules").glob("*.yaml"))
TESTS = ROOT / "infra/prometheus/tests/alerts.test.yaml"
RUNBOOKS = ROOT / "infra/runbooks"
LINK = re.compile(r"\]\(([a-z-]+\.md)[^)]*\)")


def rules(kind: str) -> list[dict[str, Any]]:
    groups = [group for path in RULES for group in yaml.safe_load(path.read_text())["groups"]]
    return [rule for group in groups for rule in group["rules"] if kind in rule]


ALERTS = {rule["alert"]: rule for rule in rules("alert")}


@pytest.mark.stack
def test_the_rules_do_what_their_tests_say() -> None:
    for command in (["check", "rules", "--lint-fatal", *map(str, RULES)], ["test", "rules", str(TESTS)]):
        done = subprocess.run([cache.promtool(), *command], capture_output=True, text=True, check=False)
        assert done.returncode == 0, done.stdout + done.stderr


@pytest.mark.stack
def test_prometheus_takes_its_configuration() -> None:
    config = ROOT / "infra/prometheus/prometheus.yml"
    done = subprocess.run(
        [cache.promtool(), "check", "config", config], capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stdout + done.stderr
    assert f"{len(ALERTS)} rules found" in done.stdout


def expectations() -> Iterator[tuple[str, bool]]:
    """Each alert that the tests ask for, and whether they expect it to fire."""
    for test in yaml.safe_load(TESTS.read_text())["tests"]:
        for asked in test.get("promql_expr_test", []):
            name = re.search(r'ALERTS\{alertname="(\w+)", alertstate="firing"\}', asked["expr"])
            assert name, asked
            yield name[1], bool(asked.get("exp_samples"))
        for asked in test.get("alert_rule_test", []):
            yield asked["alertname"], bool(asked.get("exp_alerts"))


def test_every_alert_is_seen_to_fire_and_to_keep_still() -> None:
    asked = set(expectations())
    assert asked == {(name, fires) for name in ALERTS for fires in (True, False)}


@pytest.mark.parametrize("name", sorted(ALERTS))
def test_an_alert_says_how_bad_it_is_what_it_means_and_what_to_do(name: str) -> None:
    alert = ALERTS[name]
    assert alert["labels"]["severity"] in {"page", "ticket"}
    assert alert["annotations"].keys() == {"summary", "description", "runbook"}
    page = ROOT / alert["annotations"]["runbook"]
    assert page.parent == RUNBOOKS
    assert f"`{name}`" in page.read_text(), f"{page.name} does not say what {name} is"


def test_every_runbook_can_be_reached_from_an_alert() -> None:
    pages = {path.name: set(LINK.findall(path.read_text())) for path in RUNBOOKS.glob("[a-z]*.md")}
    found = {Path(alert["annotations"]["runbook"]).name for alert in ALERTS.values()}
    while more := {link for name in found for link in pages[name] if link in pages} - found:
        found |= more
    assert found == pages.keys()

"""Rules, dashboards and the collector of traces: about metrics that exist, in a language that is understood."""

from __future__ import annotations

import importlib
import json
import re
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml
from cdp_devstack.cache import promtool
from prometheus_client import REGISTRY

ROOT = Path(__file__).parents[2]
RULES = [
    rule
    for path in sorted((ROOT / "infra/prometheus/rules").glob("*.yaml"))
    for group in yaml.safe_load(path.read_text())["groups"]
    for rule in group["rules"]
]
RECORDED = {rule["record"] for rule in RULES if "record" in rule}
DASHBOARD: dict[str, Any] = json.loads((ROOT / "infra/grafana/dashboards/pipeline.json").read_text())
COLLECTOR: dict[str, Any] = yaml.safe_load((ROOT / "infra/otel/collector.yaml").read_text())
RECORDED_NAME = re.compile(r"\b(?:[a-z_]+:)?cdp_\w+:\w+")
NAME = re.compile(r"\b(?:cdp|process)_\w+")


def queries() -> Iterator[str]:
    """Every expression of the rules and the dashboard."""
    yield from (rule["expr"] for rule in RULES)
    for panel in DASHBOARD["panels"]:
        yield from (target["expr"] for target in panel.get("targets", ()))


def exported() -> set[str]:
    """The samples that the roles export, as Prometheus stores them."""
    for package in ("runtime", "collector", "consent", "identity", "segments"):
        importlib.import_module(f"cdp_{package}.metrics")
    endings = {"counter": ("_total",), "histogram": ("_bucket", "_sum", "_count")}
    return {m.name + ending for m in REGISTRY.collect() for ending in endings.get(m.type, ("",))}


def test_every_query_is_about_what_is_exported_or_recorded() -> None:
    used = {name for query in queries() for name in NAME.findall(RECORDED_NAME.sub("", query))}
    recorded = {name for query in queries() for name in RECORDED_NAME.findall(query)}
    assert used <= exported()
    assert recorded <= RECORDED


def test_every_recorded_series_is_used() -> None:
    assert {name for query in queries() for name in RECORDED_NAME.findall(query)} | UNUSED == RECORDED


UNUSED = {
    # for people who ask by hand, and for other dashboards
    "role_stage:cdp_messages_consumed:rate5m",
    "role_stage:cdp_since_received_seconds:p50_5m",
}


def test_the_dashboard_shows_what_operators_must_see() -> None:
    drawn = " ".join(target["expr"] for panel in DASHBOARD["panels"] for target in panel.get("targets", ()))
    for name in (
        "cdp_lag_seconds", "cdp_batch_started_timestamp_seconds", "cdp_messages_consumed_total",
        "cdp_dead_letters_total", "cdp_conservation_imbalance", "cdp_timer_lateness_seconds_bucket",
        'cdp_since_received_seconds_bucket{role="segments-evaluator"}', "ALERTS",
    ):  # fmt: skip
        assert name in drawn


def test_panels_have_ids_of_their_own_and_do_not_lie_on_each_other() -> None:
    ids = [panel["id"] for panel in DASHBOARD["panels"]]
    assert len(ids) == len(set(ids))
    taken: set[tuple[int, int]] = set()
    for place in (panel["gridPos"] for panel in DASHBOARD["panels"]):
        cells = {(x, y) for x in range(place["x"], place["x"] + place["w"])
                 for y in range(place["y"], place["y"] + place["h"])}  # fmt: skip
        assert not cells & taken
        assert place["x"] + place["w"] <= 24
        taken |= cells


@pytest.mark.stack
def test_prometheus_understands_every_query_of_the_dashboard(tmp_path: Path) -> None:
    asked = [query.replace("$__rate_interval", "5m").replace("$role", ".*") for query in queries()]
    rules = [{"record": f"panel:{number}", "expr": query} for number, query in enumerate(asked)]
    file = tmp_path / "rules.yaml"
    file.write_text(yaml.safe_dump({"groups": [{"name": "panels", "rules": rules}]}))
    done = subprocess.run([promtool(), "check", "rules", file], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr


def test_the_collector_of_traces_keeps_errors_what_is_slow_and_a_share() -> None:
    policies = COLLECTOR["processors"]["tail_sampling"]["policies"]
    assert [(policy["name"], policy["type"]) for policy in policies] == [
        ("errors", "status_code"), ("slow", "latency"), ("share", "probabilistic"),
    ]  # fmt: skip
    assert all(policy["type"] in policy for policy in policies)


def test_the_collector_of_traces_is_wired_with_what_it_declares() -> None:
    """Its structure alone; the program itself takes the file when the containers are tried."""
    pipeline = COLLECTOR["service"]["pipelines"]["traces"]
    for kind in ("receivers", "processors", "exporters"):
        assert set(pipeline[kind]) == COLLECTOR[kind].keys()
    assert pipeline["processors"][0] == "memory_limiter"
    assert pipeline["processors"][-1] == "batch", "what is thrown away need not be batched"
    assert COLLECTOR["service"]["extensions"] == list(COLLECTOR["extensions"])


def test_prometheus_itself_gets_the_rules() -> None:
    config = yaml.safe_load((ROOT / "infra/prometheus/prometheus.yml").read_text())
    assert config["rule_files"] == ["rules/*.yaml"]
    compose = yaml.safe_load((ROOT / "docker-compose.yml").read_text())["services"]["prometheus"]
    assert "./infra/prometheus:/etc/prometheus:ro" in compose["volumes"]

"""Every metric and span is declared in infra/otel/names.yaml, and everything declared there exists."""

from __future__ import annotations

import importlib
import pkgutil
import re
from pathlib import Path
from typing import Any

import pytest
import yaml
from prometheus_client import REGISTRY

ROOT = Path(__file__).parents[2]
DECLARED: dict[str, Any] = yaml.safe_load((ROOT / "infra/otel/names.yaml").read_text())
PACKAGES = ("cdp_runtime", "cdp_collector", "cdp_consent", "cdp_identity", "cdp_profiles", "cdp_segments")
SPAN = re.compile(r'start_(?:as_current_)?span\(\s*f?"([^"{]+)')


@pytest.fixture(scope="module")
def metrics() -> set[str]:
    """The samples that all services register, as Prometheus will name them."""
    for package in PACKAGES:
        for module in pkgutil.walk_packages(importlib.import_module(package).__path__, f"{package}."):
            if not module.name.endswith("__main__"):
                importlib.import_module(module.name)
    families = [family for family in REGISTRY.collect() if family.name.startswith("cdp_")]
    return {family.name + ("_total" if family.type == "counter" else "") for family in families}


def test_every_metric_is_declared_and_every_declared_one_exists(metrics: set[str]) -> None:
    assert metrics == set(DECLARED["metrics"])


def test_every_metric_says_what_it_means_and_is_one_of_ours() -> None:
    for name, metric in DECLARED["metrics"].items():
        assert name.startswith("cdp_")
        assert metric["means"]


def test_every_span_is_declared() -> None:
    sources = [path for package in ("libs", "services") for path in (ROOT / package).glob("*/src/**/*.py")]
    started = {name.strip() for path in sources for name in SPAN.findall(path.read_text())}
    declared = {name.split("<")[0].strip() for name in DECLARED["spans"]}
    assert started == declared

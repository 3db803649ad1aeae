"""What the images and the compose file promise, read from their text. `run.py` beside this tries it for real."""

from __future__ import annotations

import asyncio
import importlib
import re
from pathlib import Path
from typing import Any

import pytest
import yaml
from cdp_contracts.topics import OUTSIDERS, TOPICS

ROOT = Path(__file__).parents[2]
SERVICES = ("collector", "consent", "identity", "profiles", "segments")
COMPOSE: dict[str, Any] = yaml.safe_load((ROOT / "docker-compose.yml").read_text())["services"]
ROLES = {name: service for name, service in COMPOSE.items() if "uvicorn" in service.get("command", ())}
OURS = {name: service for name, service in COMPOSE.items() if service["image"].startswith("tessera/")}
DOCKERFILES = sorted([*ROOT.glob("services/*/Dockerfile"), *ROOT.glob("libs/*/Dockerfile")])


def skeleton(service: str) -> str:
    """The Dockerfile without what may differ: the service's name, what it does and its first role."""
    text = (ROOT / "services" / service / "Dockerfile").read_text().replace(service, "<service>")
    text = re.sub(r":build_\w+", ":build_<role>", text)
    return re.sub(r'(image\.description)="[^"]*"', r'\1="<what it does>"', text)


@pytest.mark.parametrize("service", SERVICES)
def test_every_service_image_follows_one_pattern(service: str) -> None:
    assert skeleton(service) == skeleton(SERVICES[0])


@pytest.mark.parametrize("dockerfile", DOCKERFILES, ids=lambda path: path.parent.name)
def test_an_image_is_built_from_a_pinned_base_and_runs_as_nobody(dockerfile: Path) -> None:
    text = dockerfile.read_text()
    bases = {line.split()[1] for line in text.splitlines() if line.startswith("FROM")}
    stages = set(re.findall(r"^FROM \S+ AS (\S+)$", text, re.MULTILINE))
    assert bases - stages == {"python:3.12-slim-bookworm"}
    assert re.search(r"^USER 10001:10001$", text, re.MULTILINE)


@pytest.mark.parametrize("name", sorted(COMPOSE))
def test_a_container_can_do_no_more_than_it_must(name: str) -> None:
    service = COMPOSE[name]
    assert service["cap_drop"] == ["ALL"]
    assert "no-new-privileges:true" in service["security_opt"]
    assert {"cpus", "memory"} <= service["deploy"]["resources"]["limits"].keys()
    assert not service["image"].endswith(":latest")
    assert all(port.startswith("127.0.0.1:") for port in service.get("ports", ()))


@pytest.mark.parametrize("name", sorted(OURS))
def test_our_own_containers_write_nothing_to_disk(name: str) -> None:
    assert OURS[name]["read_only"] is True
    assert "volumes" not in OURS[name] or all(volume.endswith(":ro") for volume in OURS[name]["volumes"])


def test_every_role_of_the_registry_has_a_container() -> None:
    known = {role for topic in TOPICS for role in (*topic.producers, *topic.consumers)} - set(OUTSIDERS)
    assert known <= ROLES.keys()


@pytest.mark.parametrize("name", sorted(ROLES))
def test_a_role_is_a_builder_of_its_service_and_says_when_it_is_ready(name: str) -> None:
    service, role = name.split("-")
    assert ROLES[name]["command"][-1] == f"cdp_{service}.app:build_{role}"
    assert callable(getattr(importlib.import_module(f"cdp_{service}.app"), f"build_{role}"))
    assert "/readyz" in ROLES[name]["healthcheck"]["test"][-1]
    assert ROLES[name]["restart"] == "unless-stopped"


def test_prometheus_reads_every_role() -> None:
    config = yaml.safe_load((ROOT / "infra/prometheus/prometheus.yml").read_text())
    assert set(config["scrape_configs"][0]["dns_sd_configs"][0]["names"]) == ROLES.keys()


@pytest.mark.parametrize("service", SERVICES)
def test_an_image_runs_the_protocol_that_bounds_requests(service: str) -> None:
    text = (ROOT / "services" / service / "Dockerfile").read_text()
    told = re.search(r"UVICORN_HTTP=(\S+):(\S+)", text)
    assert told is not None
    assert issubclass(getattr(importlib.import_module(told[1]), told[2]), asyncio.Protocol)
    assert "UVICORN_SERVER_HEADER=false" in text

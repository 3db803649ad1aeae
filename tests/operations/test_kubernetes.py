"""Kubernetes: what is generated is what the code says, every overlay renders, and each object is one."""

from __future__ import annotations

import os
import re
import subprocess
from functools import cache
from pathlib import Path
from typing import Any

import kubernetes_validate
import pytest
import yaml
from cdp_contracts.topics import DELIVERIES_REQUESTED, OUTSIDERS, SEGMENT_VIEWS_MAINTAINED, TOPICS
from cdp_devstack import platform
from cdp_devstack.cache import kustomize
from cdp_runtime.settings import AdminSettings, KafkaSettings

from infra.generate import kubernetes, settings_tables
from infra.generate.__main__ import stale
from infra.generate.roles import ROLES, SERVICES, DeployedRole, readings, settings_of

ROOT = Path(__file__).parents[2]
COMPOSE: dict[str, Any] = yaml.safe_load((ROOT / "docker-compose.yml").read_text())["services"]
KUBERNETES = "1.31"
OVERLAYS = sorted(path.parent for path in (ROOT / "infra/k8s").glob("**/overlays/*/kustomization.yaml"))
KINDS = {"ServiceAccount", "Deployment", "Service", "PodDisruptionBudget", "NetworkPolicy", "ScaledObject"}
every_role = pytest.mark.parametrize("role", ROLES, ids=lambda role: role.name)


def objects(role: DeployedRole) -> dict[str, dict[str, Any]]:
    """What is committed for a role, by kind."""
    path = ROOT / kubernetes.FOLDER / role.service / "base" / f"{role.name}.yaml"
    return {found["kind"]: found for found in yaml.safe_load_all(path.read_text())}


def pod(role: DeployedRole) -> dict[str, Any]:
    spec: dict[str, Any] = objects(role)["Deployment"]["spec"]["template"]["spec"]
    return spec


def container(role: DeployedRole) -> dict[str, Any]:
    found: dict[str, Any] = pod(role)["containers"][0]
    return found


def test_nothing_generated_is_stale() -> None:
    assert list(stale(ROOT)) == [], "run `make contracts`"


def test_every_role_is_in_the_table_and_no_other() -> None:
    assert {role.name for role in ROLES} == {spec.name for spec in platform.ROLES}
    assert {role.builder for role in ROLES} == {spec.builder for spec in platform.ROLES}
    assert {role.name for role in ROLES} == {
        name for name, one in COMPOSE.items() if "uvicorn" in str(one.get("command"))
    }


@every_role
def test_a_role_runs_as_in_the_compose_file(role: DeployedRole) -> None:
    composed, ours = COMPOSE[role.name], container(role)
    assert ours["args"] == composed["command"]
    assert composed["image"].startswith(f"{ours['image']}:")
    assert ours["ports"][0]["containerPort"] == kubernetes.PORT
    limits = composed["deploy"]["resources"]["limits"]
    assert ours["resources"]["limits"]["memory"] == limits["memory"].replace("M", "Mi")
    needs = {server for server in ("mongo", "redis") if f"CDP_{server.upper()}_URL" in composed["environment"]}
    assert needs == set(role.servers) - {"kafka"}


@every_role
def test_a_role_talks_to_kafka_if_the_registry_names_it(role: DeployedRole) -> None:
    named = any(role.name in (*topic.producers, *topic.consumers) for topic in TOPICS)
    assert named == ("kafka" in role.servers)
    ports = {port["port"] for rule in objects(role)["NetworkPolicy"]["spec"]["egress"] for port in rule["ports"]}
    assert (9092 in ports) == named
    assert (27017 in ports) == ("mongo" in role.servers)
    assert (6379 in ports) == ("redis" in role.servers)


@every_role
def test_what_a_role_is_told_are_settings_that_it_has_and_all_that_it_must_be_told(role: DeployedRole) -> None:
    settings = settings_of(role)
    known = {
        name for cls in (settings, KafkaSettings, AdminSettings) for name, _ in settings_tables.variables(cls)
    }
    files = {item["path"].upper() for source in volume(role, "secrets")["projected"]["sources"]
             for item in source["secret"].get("items", ())}  # fmt: skip
    shared = set(yaml.safe_load((ROOT / "infra/k8s/shared/overlays/prod/settings.yaml").read_text())["data"])
    given = files | {one["name"] for one in container(role)["env"]}
    assert given <= known
    assert {name for name in shared if name.startswith("CDP_")} <= {
        n for n, _ in settings_tables.variables(KafkaSettings)
    }
    needed = {name for name, cells in settings_tables.variables(settings) if cells[0].endswith("must be set")}
    assert needed <= given


def volume(role: DeployedRole, name: str) -> dict[str, Any]:
    found: dict[str, Any] = next(one for one in pod(role)["volumes"] if one["name"] == name)
    return found


@every_role
def test_a_pod_can_do_no_more_than_it_must(role: DeployedRole) -> None:
    assert objects(role).keys() == KINDS
    assert pod(role)["automountServiceAccountToken"] is False
    assert pod(role)["securityContext"]["runAsNonRoot"] is True
    assert pod(role)["securityContext"]["seccompProfile"] == {"type": "RuntimeDefault"}
    security = container(role)["securityContext"]
    assert security["readOnlyRootFilesystem"] is True
    assert security["allowPrivilegeEscalation"] is False
    assert security["capabilities"] == {"drop": ["ALL"]}
    user = re.search(r"^USER (\d+):", (ROOT / f"services/{role.service}/Dockerfile").read_text(), re.MULTILINE)
    assert user
    assert pod(role)["securityContext"]["runAsUser"] == int(user[1])


@every_role
def test_a_pod_has_time_to_finish_what_it_began(role: DeployedRole) -> None:
    kafka = KafkaSettings()
    least = kubernetes.PRE_STOP_SECONDS + kafka.drain_seconds + kafka.send_seconds
    assert pod(role)["terminationGracePeriodSeconds"] > least
    assert container(role)["livenessProbe"]["httpGet"]["path"] == "/livez"
    assert container(role)["readinessProbe"]["httpGet"]["path"] == "/readyz"


@every_role
def test_stages_scale_by_lag_up_to_their_partitions(role: DeployedRole) -> None:
    spec = objects(role)["ScaledObject"]["spec"]
    read = {
        topic.name: topic.partitions
        for topic in TOPICS
        if role.name in topic.consumers and not is_table(topic.name) and topic not in COME_AND_GO
    }
    assert {reading.topic for reading in readings(role)} == read.keys()
    if not read:
        assert [trigger["type"] for trigger in spec["triggers"]] == ["cpu"]
        return
    assert spec["maxReplicaCount"] == max(read.values())
    by_topic = {trigger["metadata"]["topic"]: trigger["metadata"]["consumerGroup"] for trigger in spec["triggers"]}
    assert by_topic.keys() == read.keys()
    assert all(group.startswith(f"{role.name}.") for group in by_topic.values())


COME_AND_GO = (DELIVERIES_REQUESTED, SEGMENT_VIEWS_MAINTAINED)
"""Read by groups of destinations and of views that end; those lag while their endpoints are down."""


def is_table(name: str) -> bool:
    return name.endswith(".defined.v1")


@every_role
def test_only_those_who_may_call_come_in(role: DeployedRole) -> None:
    ingress = objects(role)["NetworkPolicy"]["spec"]["ingress"]
    assert len(ingress) == (2 if role.serves else 1)
    assert role.serves == role.name.endswith(("-http", "-receipts", "-matcher"))


@cache
def rendered(overlay: Path) -> list[dict[str, Any]]:
    """What would be applied."""
    done = subprocess.run([kustomize(), "build", overlay], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    return list(yaml.safe_load_all(done.stdout))


@pytest.mark.stack
@pytest.mark.parametrize("overlay", OVERLAYS, ids=lambda path: os.path.relpath(path, ROOT / "infra/k8s"))
def test_an_overlay_renders(overlay: Path) -> None:
    found = rendered(overlay)
    assert found
    names = [(one["kind"], one["metadata"]["name"]) for one in found]
    assert len(names) == len(set(names))
    for one in found:
        if one["kind"] == "Deployment":
            image = one["spec"]["template"]["spec"]["containers"][0]["image"]
            assert re.fullmatch(r"tessera/[a-z]+:[\w.]+", image), (
                "an image without tag is whatever was pushed last"
            )
            assert not image.endswith(":latest")


@pytest.mark.stack
def test_the_cluster_takes_every_object() -> None:
    """By the schemas of Kubernetes, unknown fields forbidden; of the autoscaler's own kinds only the fields."""
    for one in rendered(ROOT / "infra/k8s/overlays/prod"):
        if "keda.sh" in one["apiVersion"]:
            assert one["spec"].keys() <= KEDA[one["kind"]]
        else:
            kubernetes_validate.validate(one, KUBERNETES, strict=True)


def test_a_field_that_does_not_exist_is_found() -> None:
    wrong = objects(ROLES[0])["Deployment"]
    wrong["spec"]["template"]["spec"]["containers"][0]["readOnly"] = True
    with pytest.raises(kubernetes_validate.ValidationError):
        kubernetes_validate.validate(wrong, KUBERNETES, strict=True)


KEDA = {
    "ScaledObject": {
        "scaleTargetRef",
        "minReplicaCount",
        "maxReplicaCount",
        "pollingInterval",
        "advanced",
        "triggers",
    },
    "TriggerAuthentication": {"secretTargetRef"},
}


@pytest.mark.stack
def test_production_has_every_role_twice_and_denies_what_nobody_allowed() -> None:
    found = rendered(ROOT / "infra/k8s/overlays/prod")
    assert {one["metadata"]["name"] for one in found if one["kind"] == "Deployment"} == {
        role.name for role in ROLES
    }
    assert {one["spec"]["minReplicaCount"] for one in found if one["kind"] == "ScaledObject"} == {2}
    denied = [one for one in found if one["kind"] == "NetworkPolicy" and one["spec"]["podSelector"] == {}]
    assert [one["spec"] for one in denied] == [{"podSelector": {}, "policyTypes": ["Ingress", "Egress"]}]
    assert {one["metadata"].get("namespace", "tessera") for one in found} == {"tessera"}


@pytest.mark.stack
def test_development_needs_no_autoscaler() -> None:
    kinds = {one["kind"] for one in rendered(ROOT / "infra/k8s/overlays/dev")}
    assert kinds & {"ScaledObject", "TriggerAuthentication", "PodDisruptionBudget"} == set()


def test_every_service_has_both_overlays() -> None:
    assert {path.parent.parent.name for path in OVERLAYS} == {*SERVICES, "shared", "k8s"}
    assert {path.name for path in OVERLAYS} == {"dev", "prod"}
    assert set(OUTSIDERS).isdisjoint(SERVICES)

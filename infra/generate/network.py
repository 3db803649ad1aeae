"""Who may talk to whom in the cluster. Servers and callers are found by labels of their namespaces."""

from __future__ import annotations

from typing import Any, Final

from infra.generate.roles import DeployedRole

PORTS: Final = {"kafka": (9092, 9093), "mongo": (27017,), "redis": (6379,)}
TELEMETRY: Final = "telemetry"
OTLP_PORT: Final = 4318
PRIVATE_V4: Final = (
    "10.0.0.0/8",
    "100.64.0.0/10",
    "127.0.0.0/8",
    "169.254.0.0/16",
    "172.16.0.0/12",
    "192.168.0.0/16",
)
PRIVATE_V6: Final = ("fc00::/7", "fe80::/10")


def policy(role: DeployedRole, pods: dict[str, str], port: int) -> dict[str, Any]:
    """In: Prometheus, and those who may call it. Out: names, traces, and the servers it uses."""
    inward = [rule("from", providing(TELEMETRY), port)]
    if role.serves:
        inward.append(rule("from", {f"tessera.io/calls-{role.name}": "true"}, port))
    outward = [names(), rule("to", providing(TELEMETRY), OTLP_PORT)]
    outward += [rule("to", providing(server), *PORTS[server]) for server in role.servers]
    if role.posts:
        outward.append(internet())
    return {
        "podSelector": {"matchLabels": pods},
        "policyTypes": ["Ingress", "Egress"],
        "ingress": inward,
        "egress": outward,
    }


def providing(what: str) -> dict[str, str]:
    """The label of a namespace in which something runs that roles need."""
    return {f"tessera.io/provides-{what}": "true"}


def rule(direction: str, namespaces: dict[str, str], *ports: int) -> dict[str, Any]:
    """TCP from or to the pods of namespaces with these labels."""
    return {
        direction: [{"namespaceSelector": {"matchLabels": namespaces}}],
        "ports": [{"protocol": "TCP", "port": port} for port in ports],
    }


def internet() -> dict[str, Any]:
    """HTTPS to everywhere but private addresses; a destination inside needs a rule of your own."""
    blocks = (("0.0.0.0/0", PRIVATE_V4), ("::/0", PRIVATE_V6))
    return {
        "to": [{"ipBlock": {"cidr": cidr, "except": list(private)}} for cidr, private in blocks],
        "ports": [{"protocol": "TCP", "port": 443}],
    }


def names() -> dict[str, Any]:
    """The cluster's name service."""
    return {
        "to": [{"namespaceSelector": {"matchLabels": {"kubernetes.io/metadata.name": "kube-system"}},
                "podSelector": {"matchLabels": {"k8s-app": "kube-dns"}}}],
        "ports": [{"protocol": protocol, "port": 53} for protocol in ("UDP", "TCP")],
    }  # fmt: skip

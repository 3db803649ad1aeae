"""A compose project of our own: free ports, a name of its own, and questions to its containers."""

from __future__ import annotations

import json
import os
import re
import subprocess
from dataclasses import dataclass
from pathlib import Path

from cdp_devstack.servers.ports import free_port

ROOT = Path(__file__).parents[2]
SHARED = frozenset({"cdp_contracts", "cdp_runtime"})
IMAGES = {
    **{name: SHARED | {f"cdp_{name}"} for name in ("collector", "consent", "identity", "profiles", "segments")},
    "tools": SHARED | {"cdp_cli"},
}
OURS = "import importlib.metadata as m; print(*(d.name for d in m.distributions() if d.name.startswith('cdp-')))"
PORTS = {
    "collector-http": "CDP_PORT_COLLECTOR",
    "collector-receipts": "CDP_PORT_RECEIPTS",
    "identity-matcher": "CDP_PORT_MATCHES",
    "profiles-http": "CDP_PORT_PROFILES",
    "segments-http": "CDP_PORT_SEGMENTS",
    "kafka": "CDP_PORT_KAFKA",
}


@dataclass(frozen=True, slots=True)
class ImageFacts:
    """What an image is."""

    megabytes: float
    own_kilobytes: float
    user: str
    packages: frozenset[str]


class Compose:
    """Runs `docker compose` on the repository's file."""

    def __init__(self) -> None:
        self.project = f"tessera-check-{os.getpid()}"
        self._ports = {service: free_port() for service in PORTS}
        self._environment = {
            **os.environ,
            "COMPOSE_PROJECT_NAME": self.project,
            "TESSERA_VERSION": "check",
            "CDP_TRACES_RATIO": "0",
            "CDP_TRACES_VERBOSITY": "detailed",
            **{PORTS[service]: str(port) for service, port in self._ports.items()},
        }

    @property
    def kafka(self) -> str:
        """Bootstrap address for this machine."""
        return f"localhost:{self._ports['kafka']}"

    def url(self, role: str) -> str:
        """Where a role answers."""
        return f"http://127.0.0.1:{self._ports[role]}"

    def run(self, *arguments: str) -> None:
        """Run a compose command; CalledProcessError if it fails."""
        subprocess.run(
            ["docker", "compose", "--progress", "quiet", *arguments], cwd=ROOT, env=self._environment, check=True
        )

    def output(self, *arguments: str) -> str:
        """What a compose command prints."""
        command = ["docker", "compose", *arguments]
        done = subprocess.run(
            command, cwd=ROOT, env=self._environment, capture_output=True, text=True, check=False
        )
        return done.stdout

    def disturb(self, how: str, role: str) -> None:
        """Restart a role in good order, or kill it and start it again."""
        print(f"      {how} {role}", flush=True)
        if how == "restart":
            self.run("restart", role)
        else:
            self.run("kill", "--signal", "KILL", role)
            self.run("start", role)

    def image(self, name: str) -> ImageFacts:
        """Size, user and our own packages of an image."""
        tag = f"tessera/{name}:check"
        facts = json.loads(docker("image", "inspect", tag))[0]
        own = docker("history", "--human=false", "--format", "{{.Size}} {{.CreatedBy}}", tag)
        added = next(line.split()[0] for line in own.splitlines() if "cp -a --update" in line)
        packages = docker("run", "--rm", "--read-only", "--network", "none", tag, "python", "-c", OURS).split()
        return ImageFacts(
            megabytes=facts["Size"] / 1e6,
            own_kilobytes=int(added) / 1e3,
            user=facts["Config"]["User"],
            packages=frozenset(package.replace("-", "_") for package in packages),
        )

    def traced(self, trace_id: str) -> set[str]:
        """The roles that the OpenTelemetry collector got spans of this trace from."""
        roles, role = set(), ""
        for line in self.output("logs", "--no-color", "--no-log-prefix", "otel-collector").splitlines():
            if named := re.search(r"service\.name: Str\(([^)]+)\)", line):
                role = named[1]
            elif re.search(rf"Trace ID\s+: {trace_id}", line):
                roles.add(role)
        return roles


def docker(*arguments: str) -> str:
    """What a docker command prints; CalledProcessError if it fails."""
    return subprocess.run(["docker", *arguments], capture_output=True, text=True, check=True).stdout

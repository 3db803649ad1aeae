"""What the embedded and the local edition of a server have in common: its options and how it answers."""

from __future__ import annotations

from abc import ABC, abstractmethod
from dataclasses import dataclass
from pathlib import Path

from cdp_devstack.servers.ports import HOST, listens
from cdp_devstack.servers.probes import kafka_cluster_id, mongo_answers, redis_pid


@dataclass(frozen=True, slots=True)
class KafkaWire(ABC):
    """Whatever speaks Kafka's protocol."""

    folder: Path
    port: int

    @property
    def url(self) -> str:
        """The bootstrap address."""
        return f"{HOST}:{self.port}"

    @property
    @abstractmethod
    def cluster_id(self) -> str:
        """Ours alone, so that a broker of somebody else on the port is not taken for this one."""

    def answers(self, pid: int) -> bool:
        """True when the port is this process's and our cluster id comes back."""
        return listens(pid, self.port) and kafka_cluster_id(self.port) == self.cluster_id


@dataclass(frozen=True, slots=True)
class MongoWire:
    """SecantusDB, in either edition.

    Run as a program and never imported: it is licensed under GPL-2.0 and serves on this machine only.
    """

    folder: Path
    port: int

    @property
    def url(self) -> str:
        """A connection string for this one server."""
        return f"mongodb://{HOST}:{self.port}/?directConnection=true"

    def prepare(self) -> None:
        """An empty configuration of our own: the server would look for one in the home folder."""
        self.folder.mkdir(parents=True, exist_ok=True)
        (self.folder / "secantusd.toml").touch()

    def options(self, cache: str) -> list[str]:
        """What both editions take; `cache` is the size of WiredTiger's."""
        return [
            *("--config", str(self.folder / "secantusd.toml")),
            *("--host", HOST),
            *("--port", str(self.port)),
            *("--storage-path", str(self.folder / "data")),
            *("--cache-size", cache),
            *("--log-level", "WARNING"),
        ]

    def answers(self, pid: int) -> bool:
        """True when the port is this process's and `hello` is answered."""
        return listens(pid, self.port) and mongo_answers(self.port)


@dataclass(frozen=True, slots=True)
class RedisWire:
    """Redis or Valkey. Appends every write to a file, so the end of the process loses nothing."""

    folder: Path
    port: int

    @property
    def url(self) -> str:
        """Database 0."""
        return f"redis://{HOST}:{self.port}/0"

    def prepare(self) -> None:
        """Make the data folder."""
        self.folder.mkdir(parents=True, exist_ok=True)

    def options(self) -> list[str]:
        """Append-only file, no snapshots, 127.0.0.1."""
        return [
            *("--bind", HOST),
            *("--port", str(self.port)),
            *("--dir", str(self.folder)),
            *("--appendonly", "yes"),
            *("--appendfsync", "everysec"),
            *("--save", ""),
            *("--daemonize", "no"),
        ]

    def answers(self, pid: int) -> bool:
        """True when the server on the port names this process as itself."""
        return redis_pid(self.port) == pid

"""The servers that `python -m cdp_devstack.install` puts on a machine: as close to production as it gets there."""

from __future__ import annotations

import base64
import subprocess
import uuid
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

from cdp_devstack import cache
from cdp_devstack.servers.child import ServerError, plain_environment
from cdp_devstack.servers.ports import HOST, free_port
from cdp_devstack.servers.wires import KafkaWire, MongoWire, RedisWire

INSTALL: Final = "run `python -m cdp_devstack.install`"
LOGGING: Final = """\
Configuration:
  Appenders:
    Console:
      name: STDOUT
      target: SYSTEM_OUT
      PatternLayout:
        pattern: "%d %p %m (%c)%n"
  Loggers:
    Root:
      level: WARN
      AppenderRef:
        - ref: STDOUT
"""


@dataclass(frozen=True, slots=True)
class ApacheKafka(KafkaWire):
    """Apache Kafka in KRaft mode, broker and controller in one process. Creates no topic by itself."""

    controller_port: int = field(default_factory=free_port)
    record_classes: Path | None = None
    """Where to write, at the end, the archive that makes the next starts quicker."""
    title: str = f"Apache Kafka {cache.KAFKA_VERSION}"

    @property
    def cluster_id(self) -> str:
        """Drawn when the folder is first used and kept with its data."""
        return (self.folder / "cluster-id").read_text()

    def prepare(self) -> None:
        """Write the configuration; the first time, format the storage (a second of Java)."""
        if not cache.kafka_jars().is_dir():
            raise ServerError(f"Apache Kafka {cache.KAFKA_VERSION} is not installed: {INSTALL}")
        self.folder.mkdir(parents=True, exist_ok=True)
        identity = self.folder / "cluster-id"
        if not identity.exists():
            identity.write_text(new_cluster_id())
        (self.folder / "log4j2.yaml").write_text(LOGGING)
        (self.folder / "server.properties").write_text(self._properties())
        if not (self.folder / "data" / "meta.properties").exists():
            self._format()

    def command(self) -> list[str]:
        """The broker: a small heap, and without the compiler that would take the others' cores."""
        heap = (
            "-Xms256m",
            "-Xmx768m",
            "-XX:+UseSerialGC",
            "-XX:TieredStopAtLevel=1",
            "-XX:+ExitOnOutOfMemoryError",
        )
        return self._java(heap, "kafka.Kafka", "server.properties")

    def _format(self) -> None:
        quick = ("-Xmx128m", "-XX:+UseSerialGC", "-XX:TieredStopAtLevel=1")
        words = ("format", "--ignore-formatted", "-t", self.cluster_id, "-c", "server.properties")
        result = subprocess.run(
            self._java(quick, "kafka.tools.StorageTool", *words),
            cwd=self.folder,
            env=plain_environment(),
            capture_output=True,
            text=True,
            check=False,
        )
        if result.returncode:
            raise ServerError(f"{self.title}: formatting failed:\n{result.stdout}{result.stderr}")

    def _java(self, options: Sequence[str], main: str, *arguments: str) -> list[str]:
        java = cache.java()
        if java is None:
            raise ServerError(f"no Java here: {INSTALL}")
        logging = f"-Dlog4j2.configurationFile={self.folder / 'log4j2.yaml'}"
        return [
            *(str(java), *options, *self._archive(), logging),
            *("-cp", f"{cache.kafka_jars()}/*", main, *arguments),
        ]

    def _archive(self) -> list[str]:
        if self.record_classes is not None:
            return [f"-XX:ArchiveClassesAtExit={self.record_classes}"]
        kept = cache.kafka_archive()
        # Of a newer Java or other jars it is ignored with a line in the log.
        return [f"-XX:SharedArchiveFile={kept}"] if kept.is_file() else []

    def _properties(self) -> str:
        values = {
            "process.roles": "broker,controller",
            "node.id": "1",
            "controller.quorum.voters": f"1@{HOST}:{self.controller_port}",
            "listeners": f"PLAINTEXT://{self.url},CONTROLLER://{HOST}:{self.controller_port}",
            "advertised.listeners": f"PLAINTEXT://{self.url}",
            "controller.listener.names": "CONTROLLER",
            "inter.broker.listener.name": "PLAINTEXT",
            "listener.security.protocol.map": "CONTROLLER:PLAINTEXT,PLAINTEXT:PLAINTEXT",
            "log.dirs": str(self.folder / "data"),
            "auto.create.topics.enable": "false",
            "offsets.topic.num.partitions": "4",
            "offsets.topic.replication.factor": "1",
            "transaction.state.log.num.partitions": "4",
            "transaction.state.log.replication.factor": "1",
            "transaction.state.log.min.isr": "1",
            "share.coordinator.state.topic.replication.factor": "1",
            "share.coordinator.state.topic.min.isr": "1",
            "group.initial.rebalance.delay.ms": "0",
            # After SIGKILL the controller refuses the same broker until its old session has run out.
            "broker.session.timeout.ms": "2000",
            "broker.heartbeat.interval.ms": "500",
        }
        return "".join(f"{name}={value}\n" for name, value in values.items())


@dataclass(frozen=True, slots=True)
class SecantusRust(MongoWire):
    """The edition in Rust: MongoDB 8's protocol with transactions and change streams."""

    title: str = f"SecantusDB {cache.SECANTUS_VERSION} (MongoDB wire)"
    memory: str = "1G"
    checkpoint_seconds: int = 60

    def command(self) -> list[str]:
        """The binary of the cache."""
        if not cache.secantusd().is_file():
            raise ServerError(f"secantusd-rs {cache.SECANTUS_VERSION} is not installed: {INSTALL}")
        return [
            str(cache.secantusd()),
            *self.options(self.memory),
            "--checkpoint-seconds",
            str(self.checkpoint_seconds),
        ]


@dataclass(frozen=True, slots=True)
class RedisServer(RedisWire):
    """The machine's own Redis."""

    title: str = "Redis"

    def command(self) -> list[str]:
        """The program of the system's package."""
        binary = cache.redis_server()
        if binary is None:
            raise ServerError(f"redis-server is not installed: {INSTALL}")
        return [str(binary), *self.options()]


def new_cluster_id() -> str:
    """A random id as Kafka writes them, 22 characters; without the hyphen that would make it an option."""
    return base64.urlsafe_b64encode(uuid.uuid4().bytes).decode().rstrip("=").replace("-", "A")

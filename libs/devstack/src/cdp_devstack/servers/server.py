"""One server of a stack: started, stopped, killed, paused and started again on the same port and folder."""

from __future__ import annotations

import time
from pathlib import Path
from typing import Final, Protocol

from cdp_devstack.servers.child import Child, ServerError

POLL_SECONDS: Final = 0.02


class Program(Protocol):
    """How to run one server program. Immutable: the same folder and port every time."""

    @property
    def title(self) -> str:
        """What a person calls it, with its version where that matters."""

    @property
    def folder(self) -> Path:
        """Holds its data, its configuration and its log."""

    @property
    def port(self) -> int:
        """The TCP port on 127.0.0.1 for clients."""

    @property
    def url(self) -> str:
        """What a client is given."""

    def prepare(self) -> None:
        """Write configuration, format storage. Idempotent. Raises ServerError when something is not installed."""

    def command(self) -> list[str]:
        """The command line; the process must stay in the foreground and have no children."""

    def answers(self, pid: int) -> bool:
        """True when this very process answers a request in its own protocol."""


class Server:
    """A program and its process, if it runs. All methods are idempotent and block."""

    def __init__(self, program: Program) -> None:
        self._program = program
        self._child: Child | None = None

    @property
    def title(self) -> str:
        """What a person calls it."""
        return self._program.title

    @property
    def url(self) -> str:
        """What a client is given: `host:port` for Kafka, a URL for the others. The same after a restart."""
        return self._program.url

    @property
    def port(self) -> int:
        """The TCP port on 127.0.0.1."""
        return self._program.port

    @property
    def folder(self) -> Path:
        """Holds its data, configuration and log."""
        return self._program.folder

    @property
    def log(self) -> Path:
        """What the server printed, all starts in one file."""
        return self.folder / "server.log"

    @property
    def pid(self) -> int | None:
        """Its process id; None while it does not run."""
        return self._child.pid if self._child is not None and self._child.running else None

    @property
    def running(self) -> bool:
        """True while its process exists, paused or not."""
        return self.pid is not None

    def start(self, seconds: float = 60) -> None:
        """Start it on its port and data and return when it answers. ServerError after so many seconds."""
        self.launch()
        self.wait_ready(seconds)

    def launch(self) -> None:
        """Start the process without waiting for it to answer."""
        if self.running:
            return
        self._program.prepare()
        self._child = Child(self.title, self._program.command(), folder=self.folder, log=self.log)

    def wait_ready(self, seconds: float = 60) -> None:
        """Return when the process answers in its own protocol; ServerError when it ended or takes too long."""
        child = self._child
        if child is None:
            raise ServerError(f"{self.title} was not started")
        deadline = time.monotonic() + seconds
        while not self._program.answers(child.pid):
            if not child.running:
                raise ServerError(f"{self.title} ended with {child.returncode} at start:\n{child.last_words()}")
            if time.monotonic() > deadline:
                child.kill()
                raise ServerError(f"{self.title} did not answer in {seconds:g} s:\n{child.last_words()}")
            time.sleep(POLL_SECONDS)

    def stop(self, seconds: float = 15) -> None:
        """End it in good order (SIGTERM), by force when it is not gone after so many seconds."""
        if self._child is not None:
            self._child.stop(seconds)

    def kill(self) -> None:
        """End it as a power cut would: SIGKILL to its process group."""
        if self._child is not None:
            self._child.kill()

    def pause(self) -> None:
        """Freeze it (SIGSTOP): the port accepts, nothing answers."""
        if self._child is not None:
            self._child.pause()

    def resume(self) -> None:
        """Let it go on after `pause`."""
        if self._child is not None:
            self._child.resume()

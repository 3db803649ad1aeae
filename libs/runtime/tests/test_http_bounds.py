"""What a connection may do to a role, tried over sockets against uvicorn with the protocol that ships."""

from __future__ import annotations

import asyncio
import json
import os
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass

import pytest
import uvicorn
from cdp_runtime.app import role
from cdp_runtime.http_protocol import bounds
from fastapi import FastAPI, Request

PATIENCE = 10
CANARY = "ann@example.com"
HEAD = b"GET /livez HTTP/1.1\r\nhost: x\r\n"
POST = b"POST /swallow HTTP/1.1\r\nhost: x\r\n"
CHUNKED = b"transfer-encoding: chunked\r\n\r\n"
CHUNK = b"1000\r\n" + b"a" * 4096 + b"\r\n"


@dataclass
class Answer:
    """What came back before the connection ended, or the first response of it."""

    status: int
    headers: dict[str, str]
    body: bytes

    @property
    def code(self) -> str:
        return str(json.loads(self.body)["code"])


class Connection:
    """A sender that writes bytes as it pleases."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._reader = reader
        self._writer = writer

    async def send(self, data: bytes) -> None:
        self._writer.write(data)
        await self._writer.drain()

    def send_now(self, data: bytes) -> None:
        """Hand it to the kernel at once, past the event loop."""
        assert os.write(self._writer.get_extra_info("socket").fileno(), data) == len(data)

    async def answer(self) -> Answer:
        async with asyncio.timeout(PATIENCE):
            head = (await self._reader.readuntil(b"\r\n\r\n")).decode()
            first, *lines = head.rstrip().split("\r\n")
            headers = dict(line.lower().split(": ", 1) for line in lines)
            body = await self._reader.readexactly(int(headers["content-length"]))
        return Answer(int(first.split()[1]), headers, body)

    async def ended(self) -> None:
        """Return when the role has closed the connection; TimeoutError if it leaves it open."""
        async with asyncio.timeout(PATIENCE):
            try:
                while await self._reader.read(65_536):
                    pass
            except ConnectionError:
                return

    async def flood(self, piece: bytes, most: int) -> bool:
        """Write the piece again and again; whether the role put an end to it before so many bytes."""
        async with asyncio.timeout(PATIENCE):
            try:
                for _ in range(most // len(piece)):
                    await self.send(piece)
            except ConnectionError:
                return True
        return False

    async def trickle(self, piece: bytes) -> None:
        """Write the piece now and then, for ever: the pace of a sender is what this is about."""
        async with asyncio.timeout(PATIENCE):
            while True:
                await self.send(piece)
                await asyncio.sleep(0.02)

    def close(self) -> None:
        self._writer.close()


def routes() -> FastAPI:
    api = FastAPI()

    @api.post("/swallow")
    async def swallow(request: Request) -> dict[str, int]:
        return {"bytes": len(await request.body())}

    @api.get("/broken")
    async def broken() -> None:
        raise ValueError(CANARY)

    return api


Dial = Callable[[], Awaitable[Connection]]


@asynccontextmanager
async def served(monkeypatch: pytest.MonkeyPatch, **settings: float) -> AsyncIterator[Dial]:
    """A role behind uvicorn in this process, with these bounds."""
    for name, value in settings.items():
        monkeypatch.setenv(f"CDP_HTTP_{name.upper()}", str(value))
    bounds.cache_clear()
    config = uvicorn.Config(
        role("bounded-http", api=routes()),
        http="cdp_runtime.http_protocol:BoundedProtocol",
        ws="none",
        server_header=False,
        host="127.0.0.1",
        port=0,
        log_config=None,
        timeout_graceful_shutdown=1,
    )
    server = uvicorn.Server(config)
    server.install_signal_handlers = lambda: None  # type: ignore[attr-defined]
    task = asyncio.create_task(server.serve())
    opened: list[Connection] = []
    try:
        async with asyncio.timeout(PATIENCE):
            while not server.started:
                await asyncio.sleep(0)
        port = server.servers[0].sockets[0].getsockname()[1]

        async def dial() -> Connection:
            opened.append(Connection(*await asyncio.open_connection("127.0.0.1", port)))
            return opened[-1]

        yield dial
    finally:
        for connection in opened:
            connection.close()
        server.should_exit = True
        await task
        bounds.cache_clear()


@pytest.mark.parametrize(
    ("name", "parts"),
    {
        "half a line": [b"GET /liv"],
        "headers without end": [HEAD + b"x: 1\r\n"],
        "a body that stops": [POST + b"content-length: 9\r\n\r\nabc"],
        "a chunk that stops": [POST + CHUNKED + b"5\r\nab"],
        "the second request": [HEAD + b"\r\n", b"GET /livez HTTP/1.1\r\nhost"],
        "only line ends after the first": [HEAD + b"\r\n", b"\r\n"],
    }.items(),
)
async def test_a_request_that_does_not_end_is_ended(
    monkeypatch: pytest.MonkeyPatch, name: str, parts: list[bytes]
) -> None:
    async with served(monkeypatch, receive_seconds=0.2) as dial:
        connection = await dial()
        *whole, slow = parts
        for part in whole:
            await connection.send(part)
            assert (await connection.answer()).status == 200
        await connection.send(slow)
        answer = await connection.answer()
        assert (answer.status, answer.code, answer.headers["connection"]) == (408, "timeout", "close")
        await connection.ended()


async def test_bytes_that_trickle_in_win_no_time(monkeypatch: pytest.MonkeyPatch) -> None:
    async with served(monkeypatch, receive_seconds=0.3) as dial:
        connection = await dial()
        await connection.send(HEAD)
        with pytest.raises(ConnectionError):
            await connection.trickle(b"x: 1\r\n")


async def test_a_connection_that_says_nothing_is_closed_without_a_word(monkeypatch: pytest.MonkeyPatch) -> None:
    async with served(monkeypatch, receive_seconds=0.1) as dial:
        await (await dial()).ended()


async def test_a_sender_in_time_is_served_over_one_connection(monkeypatch: pytest.MonkeyPatch) -> None:
    async with served(monkeypatch, receive_seconds=0.4) as dial:
        connection = await dial()
        for _ in range(3):
            await connection.send(POST + b"content-length: 4\r\n\r\nab")
            await asyncio.sleep(0.2)
            await connection.send(b"cd")
            assert (await connection.answer()).body == b'{"bytes":4}'
        await connection.send(2 * (HEAD + b"\r\n"))
        assert [(await connection.answer()).status for _ in range(2)] == [200, 200]


@pytest.mark.parametrize(
    "head",
    [HEAD + b"x: 1\r\n" * 100, HEAD + b"x: " + b"y" * 1100 + b"\r\n", b"GET /" + b"y" * 1100 + b" HTTP/1.1\r\n"],
    ids=["too many", "too large", "a long URL"],
)
@pytest.mark.parametrize("end", [b"\r\n", b"x"], ids=["complete", "never complete"])
async def test_headers_are_bounded(monkeypatch: pytest.MonkeyPatch, head: bytes, end: bytes) -> None:
    async with served(monkeypatch, max_headers=50, max_header_bytes=1024) as dial:
        connection = await dial()
        await connection.send(head + end if end == b"\r\n" else head + 1024 * end)
        answer = await connection.answer()
        assert (answer.status, answer.code) == (431, "headers")
        await connection.ended()


async def test_headers_without_end_take_no_memory(monkeypatch: pytest.MonkeyPatch) -> None:
    async with served(monkeypatch) as dial:
        connection = await dial()
        await connection.send(HEAD + b"x: ")
        assert await connection.flood(b"y" * 65_536, 64 * 1024**2)


@pytest.mark.parametrize(
    ("head", "piece"),
    {
        "chunks": (POST + CHUNKED, CHUNK),
        "chunk extensions": (POST + CHUNKED + b"1;x=", b"a" * 4096),
        "trailers": (POST + CHUNKED + b"0\r\nx: ", b"a" * 4096),
        "a body nobody reads": (HEAD + CHUNKED, CHUNK),
    }.values(),
    ids=["chunks", "chunk extensions", "trailers", "a body nobody reads"],
)
async def test_a_request_without_end_is_ended(monkeypatch: pytest.MonkeyPatch, head: bytes, piece: bytes) -> None:
    async with served(monkeypatch, max_request_bytes=200_000) as dial:
        connection = await dial()
        await connection.send(head)
        assert await connection.flood(piece, 64 * 1024**2)


@pytest.mark.parametrize(
    "rest", [b"content-length: 70000\r\n\r\n", CHUNKED + 18 * CHUNK + b"0\r\n\r\n"], ids=["told", "chunked"]
)
async def test_bodies_are_bounded(monkeypatch: pytest.MonkeyPatch, rest: bytes) -> None:
    async with served(monkeypatch) as dial:
        connection = await dial()
        await connection.send(POST + rest)
        answer = await connection.answer()
        assert (answer.status, answer.code) == (413, "body-size")


async def test_what_is_no_http_is_refused_in_the_same_shape(monkeypatch: pytest.MonkeyPatch) -> None:
    async with served(monkeypatch) as dial:
        connection = await dial()
        await connection.send(b"\x16\x03\x01 hello TLS\r\n\r\n")
        answer = await connection.answer()
        assert (answer.status, answer.code) == (400, "http")
        assert answer.headers["x-content-type-options"] == "nosniff"


async def test_a_failure_tells_nothing_of_the_inside(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    async with served(monkeypatch) as dial:
        connection = await dial()
        await connection.send(b"GET /broken HTTP/1.1\r\nhost: x\r\n\r\n")
        answer = await connection.answer()
    assert (answer.status, answer.code) == (500, "internal")
    assert CANARY.encode() not in answer.body
    assert CANARY not in caplog.text
    assert "ValueError at test_http_bounds.py" in caplog.text


@pytest.mark.parametrize("path", ["/livez", "/broken", "/nowhere"])
async def test_every_answer_tells_browsers_to_be_careful(monkeypatch: pytest.MonkeyPatch, path: str) -> None:
    async with served(monkeypatch) as dial:
        connection = await dial()
        await connection.send(f"GET {path} HTTP/1.1\r\nhost: x\r\n\r\n".encode())
        headers = (await connection.answer()).headers
    assert headers["x-content-type-options"] == "nosniff"
    assert headers["referrer-policy"] == "no-referrer"
    assert headers["content-security-policy"].startswith("default-src 'none'")
    assert headers["cache-control"] == "no-store"
    assert "server" not in headers

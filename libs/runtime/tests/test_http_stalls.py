"""A role that stood still answers what came meanwhile: its timers must not close what it has not looked at."""

from __future__ import annotations

import asyncio
import socket
import time
from collections.abc import Awaitable, Callable

import pytest
import uvloop
from test_http_bounds import HEAD, Connection, served

STILL = 0.5
REQUEST = HEAD + b"\r\n"


async def stand_still(connection: Connection, data: bytes) -> None:
    """What a process does that gets no time of the machine, while these bytes arrive.

    It happens where uvloop looks at what has arrived: what comes meanwhile, it sees after its timers.
    """
    loop, stood = asyncio.get_running_loop(), asyncio.Event()
    bell, button = socket.socketpair()

    def ring() -> None:
        loop.remove_reader(bell)
        connection.send_now(data)
        time.sleep(STILL)
        stood.set()

    with bell, button:
        loop.add_reader(bell, ring)
        button.send(b"!")
        await stood.wait()


def run(story: Callable[[], Awaitable[None]]) -> None:
    """On the loop that roles run on."""

    async def told() -> None:
        await story()

    uvloop.run(told())


def test_the_next_request_of_a_connection_is_not_reset(monkeypatch: pytest.MonkeyPatch) -> None:
    async def story() -> None:
        async with served(monkeypatch, keep_alive_seconds=STILL / 2) as dial:
            connection = await dial()
            await connection.send(REQUEST)
            assert (await connection.answer()).status == 200
            await stand_still(connection, REQUEST)
            assert (await connection.answer()).status == 200
            await connection.ended()

    run(story)


def test_a_request_that_arrived_whole_is_not_too_late(monkeypatch: pytest.MonkeyPatch) -> None:
    async def story() -> None:
        async with served(monkeypatch, receive_seconds=STILL / 2) as dial:
            connection = await dial()
            await connection.send(REQUEST[:20])
            assert not await said_within(connection.answer, STILL / 10)
            await stand_still(connection, REQUEST[20:])
            assert (await connection.answer()).status == 200

    run(story)


async def said_within(answer: Callable[[], Awaitable[object]], seconds: float) -> bool:
    """Whether the role has said anything by then: it has read what there is, and it waits for the rest."""
    try:
        async with asyncio.timeout(seconds):
            await answer()
    except TimeoutError:
        return False
    return True

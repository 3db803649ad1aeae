"""A wire between a client and a server that takes its time: every answer arrives so much later."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from typing import Final

from cdp_devstack.servers.ports import HOST

CHUNK: Final = 64 * 1024


class SlowWire:
    """Passes bytes on between its own port and a server's. `seconds` may be changed at any time."""

    def __init__(self, port: int, seconds: float) -> None:
        self.seconds = seconds
        self.port = 0
        self._to = port
        self._server: asyncio.Server | None = None

    async def serve(self) -> None:
        """Listen on a free port."""
        self._server = await asyncio.start_server(self._connected, HOST, 0)
        self.port = self._server.sockets[0].getsockname()[1]

    async def close(self) -> None:
        """Listen no more and end every connection."""
        if self._server:
            self._server.close()
        others = asyncio.all_tasks() - {asyncio.current_task()}
        for task in others:
            task.cancel()
        await asyncio.gather(*others, return_exceptions=True)

    async def _connected(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            there, back = await asyncio.open_connection(HOST, self._to)
        except OSError:
            writer.close()
            return
        await asyncio.gather(self._pass_on(reader, back, late=False), self._pass_on(there, writer, late=True))

    async def _pass_on(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, *, late: bool) -> None:
        try:
            with suppress(OSError):
                while chunk := await reader.read(CHUNK):
                    if late:
                        await asyncio.sleep(self.seconds)
                    writer.write(chunk)
                    await writer.drain()
        finally:
            writer.close()


@contextmanager
def slow_wire(port: int, seconds: float) -> Iterator[SlowWire]:
    """Such a wire to a server on this machine, in a thread of its own."""
    loop = asyncio.new_event_loop()
    wire = SlowWire(port, seconds)
    thread = threading.Thread(target=loop.run_forever, name="slow wire", daemon=True)
    thread.start()
    asyncio.run_coroutine_threadsafe(wire.serve(), loop).result(10)
    try:
        yield wire
    finally:
        asyncio.run_coroutine_threadsafe(wire.close(), loop).result(10)
        loop.call_soon_threadsafe(loop.stop)
        thread.join(10)
        loop.close()

"""The connection side of HTTP: how long a request may take to arrive, and how much of it is taken in.

uvicorn runs it: `--http cdp_runtime.http_protocol:BoundedProtocol` (`UVICORN_HTTP` in the images). By itself it
waits for ever for the end of a request and takes in headers without end.
"""

from __future__ import annotations

import asyncio
import json
from asyncio.events import TimerHandle
from functools import cache
from http import HTTPStatus
from typing import Any, Final

from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

from cdp_runtime.http_guard import HARDENED
from cdp_runtime.settings import HttpBounds

LOOK_SECONDS: Final = 0.05


class TooLargeHeadersError(Exception):
    """Ends the parsing of a request whose headers are over the bounds."""


@cache
def bounds() -> HttpBounds:
    """The bounds of this process."""
    return HttpBounds()


class BoundedProtocol(HttpToolsProtocol):
    """A connection that is closed, with an answer where one can still be given, when a request is over a bound.

    408: not complete in time, counted from the connection or from the first byte after the request before.
    431: headers too large or too many. 413: over the bytes of a whole request, what nobody reads included.
    """

    def __init__(self, *arguments: Any, **named: Any) -> None:
        super().__init__(*arguments, **named)
        self._bounds = bounds()
        self.timeout_keep_alive = self._bounds.keep_alive_seconds  # type: ignore[assignment]  # it is only added to a time
        self._timer: TimerHandle | None = None
        self._received = 0
        self._messages = 0
        self._in_head = True
        self._whole = False
        self._answered = False

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]  # as uvicorn has it
        """See asyncio.Protocol."""
        super().connection_made(transport)
        self._arm()

    def connection_lost(self, exc: Exception | None) -> None:
        """See asyncio.Protocol."""
        self._disarm()
        super().connection_lost(exc)
        self._unset_keepalive_if_required()  # uvicorn leaves it where the connection broke

    def data_received(self, data: bytes) -> None:
        """See asyncio.Protocol. What arrives whole, as nearly everything does, costs a few comparisons."""
        before = self._messages
        self._received += len(data)
        super().data_received(data)
        if self._answered:
            return
        if self._messages != before:
            self._received = 0
            if self._whole:
                self._disarm()
                return
        self._arm()
        if self._in_head and self._received > self._bounds.max_header_bytes:
            self._refuse(431, "headers", self._headers_rule())
        elif self._received > self._bounds.max_request_bytes:
            self._refuse(413, "body-size", f"a request may have {self._bounds.max_request_bytes} bytes")

    def on_message_begin(self) -> None:
        """A request begins."""
        self._in_head = True
        self._whole = False
        super().on_message_begin()

    def on_headers_complete(self) -> None:
        """All headers are here; nothing of the request has been given to the application yet."""
        self._in_head = False
        size = len(self.url) + sum([len(name) + len(value) for name, value in self.headers])
        if len(self.headers) > self._bounds.max_headers or size > self._bounds.max_header_bytes:
            self._refuse(431, "headers", self._headers_rule())
            raise TooLargeHeadersError
        super().on_headers_complete()

    def on_message_complete(self) -> None:
        """The request is here whole."""
        self._messages += 1
        self._whole = True
        super().on_message_complete()

    def timeout_keep_alive_handler(self) -> None:
        """Close an idle connection, unless something has come over it that was not looked at yet.

        A process that stood still sees its timers before what arrived meanwhile. Closed there and then, the next
        request would be reset, though it was sent in good time.
        """
        close = super().timeout_keep_alive_handler
        self.timeout_keep_alive_task = self.loop.call_later(LOOK_SECONDS, close)

    def send_400_response(self, msg: str) -> None:
        """Bytes that are no HTTP, in the shape of every other answer; nothing after another refusal."""
        self._refuse(400, "http", "this is no HTTP request")

    def _headers_rule(self) -> str:
        return f"a request may have {self._bounds.max_headers} headers of {self._bounds.max_header_bytes} bytes"

    def _arm(self) -> None:
        if self._timer is None:
            self._timer = self.loop.call_later(self._bounds.receive_seconds, self._expired)

    def _disarm(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None

    def _expired(self) -> None:
        """What has arrived is looked at first, as before an idle connection is closed."""
        self._timer = self.loop.call_later(LOOK_SECONDS, self._give_up)

    def _give_up(self) -> None:
        self._timer = None
        if self._received:
            self._refuse(408, "timeout", f"a request must be complete within {self._bounds.receive_seconds:g} s")
        else:  # a connection that nothing came over: who opened it ahead of need takes an answer for one
            self.transport.close()

    def _refuse(self, status: int, code: str, message: str) -> None:
        """Answer, unless the application has begun to, and close."""
        if self._answered or self.transport.is_closing():
            return
        self._answered = True
        cycle = self.cycle
        busy = cycle is not None and not cycle.response_complete
        if not (busy and cycle.response_started):
            self.transport.write(answer(status, code, message))
        if busy:
            cycle.disconnected = True
            cycle.message_event.set()
        self.transport.close()


def answer(status: int, code: str, message: str) -> bytes:
    """A whole response that ends the connection."""
    body = json.dumps({"code": code, "message": message}).encode()
    fields = [
        *HARDENED,
        (b"content-type", b"application/json"),
        (b"content-length", str(len(body)).encode()),
        (b"connection", b"close"),
    ]
    head = f"HTTP/1.1 {status} {HTTPStatus(status).phrase}\r\n".encode()
    return head + b"".join([name + b": " + value + b"\r\n" for name, value in fields]) + b"\r\n" + body

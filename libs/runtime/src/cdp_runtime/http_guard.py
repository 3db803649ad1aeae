"""Around the routes of every role: headers for browsers, bounded bodies, failures that tell nothing of the inside.

What belongs to the connection (slow senders, endless headers) is in `http_protocol`.
"""

from __future__ import annotations

import json
import logging
from collections.abc import MutableMapping
from typing import Any, Final, TypeAlias

from faststream.asgi.types import ASGIApp, Receive, Scope, Send

from cdp_runtime.failures import place_of

Field: TypeAlias = tuple[bytes, bytes]
Event: TypeAlias = MutableMapping[str, Any]  # an ASGI message

log: Final = logging.getLogger("cdp.http")

POLICY: Final = b"content-security-policy"
NOT_STORED: Final[Field] = (b"cache-control", b"no-store")
EVERYWHERE: Final[tuple[Field, ...]] = (
    (b"x-content-type-options", b"nosniff"),
    (b"referrer-policy", b"no-referrer"),
)
NOTHING: Final[Field] = (POLICY, b"default-src 'none'; frame-ancestors 'none'")
HARDENED: Final[tuple[Field, ...]] = (*EVERYWHERE, NOTHING, NOT_STORED)
PAGES: Final = frozenset({"/docs", "/redoc"})
PAGE_POLICY: Final = "; ".join(
    [
        "default-src 'none'",
        "frame-ancestors 'none'",
        "connect-src 'self'",
        "img-src https: data:",
        "script-src 'unsafe-inline' https://cdn.jsdelivr.net",
        "style-src 'unsafe-inline' https://cdn.jsdelivr.net",
    ]
)
PAGE_FIELDS: Final[tuple[Field, ...]] = (*EVERYWHERE, (POLICY, PAGE_POLICY.encode()))
"""The pages that FastAPI makes of the OpenAPI document load their script and style from there."""


class HttpGuard:
    """An ASGI application around another. Adds a few microseconds to a request.

    `body_bytes` bounds a request's body, told or chunked: 413 beyond it. None is for a role that reads its bodies
    itself, under a bound of its own. An exception becomes a 500 with a code and a message; where it was raised is
    logged, what it says is not, for drivers quote documents in what they say.
    """

    def __init__(self, app: ASGIApp, *, body_bytes: int | None) -> None:
        self._app = app
        self._body_bytes = body_bytes

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request."""
        fields = PAGE_FIELDS if scope["path"] in PAGES else HARDENED
        body = None if self._body_bytes is None else Body(self._body_bytes, scope, receive)
        started = False

        async def sending(message: Event) -> None:
            nonlocal started
            if not started:
                if body is not None and body.too_large:
                    return  # what is said about a body that was not given whole
                started = True
                message["headers"] = with_fields(list(message.get("headers", ())), fields)
            await send(message)

        try:
            if body is None:
                await self._app(scope, receive, sending)
            elif not body.too_large:
                await self._app(scope, body.receive, sending)
        except Exception as error:
            log.error("a request failed: %s", place_of(error))  # noqa: TRY400  # its text may hold personal data
            if not started and not (body and body.too_large):
                await refuse(send, 500, "internal", "something went wrong here; try again later")
        if body is not None and body.too_large and not started:
            await refuse(send, 413, "body-size", body.rule)


class Body:
    """The body of a request, read under a bound."""

    def __init__(self, limit: int, scope: Scope, receive: Receive) -> None:
        self._limit = limit
        self._receive = receive
        self._size = 0
        told = next((value for name, value in scope["headers"] if name == b"content-length"), b"0")
        self.too_large = not told.isdigit() or int(told[:20]) > limit
        self.rule = f"the body may have {limit} bytes"

    async def receive(self) -> Event:
        """The next piece; as if the sender were gone once there is too much."""
        message = await self._receive()
        self._size += len(message.get("body", b""))
        self.too_large = self.too_large or self._size > self._limit
        return {"type": "http.disconnect"} if self.too_large else message


def with_fields(headers: list[Field], fields: tuple[Field, ...]) -> list[Field]:
    """The headers and those of ours that are not among them: what a route says of itself holds."""
    said = {name for name, _ in headers}
    headers.extend([field for field in fields if field[0] not in said])
    return headers


async def refuse(send: Send, status: int, code: str, message: str) -> None:
    """A whole answer, after which the connection ends: the rest of the request is not wanted."""
    body = json.dumps({"code": code, "message": message}).encode()
    headers = [
        *HARDENED,
        (b"content-type", b"application/json"),
        (b"content-length", str(len(body)).encode()),
        (b"connection", b"close"),
    ]
    await send({"type": "http.response.start", "status": status, "headers": headers})
    await send({"type": "http.response.body", "body": body, "more_body": False})

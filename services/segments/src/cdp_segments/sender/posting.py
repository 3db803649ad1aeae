"""One try over HTTP."""

from __future__ import annotations

import asyncio
import ssl
from collections.abc import Collection, Mapping
from contextlib import suppress
from typing import Final

import httpcore

from cdp_segments.sender.deciding import Answer
from cdp_segments.sender.network import GuardedNetwork, PrivateAddress

BODY_BYTES: Final = 64 * 1024
KEPT_SECONDS: Final = 30.0
FAILURES: Final = (
    OSError, TimeoutError, httpcore.TimeoutException, httpcore.NetworkError, httpcore.ProtocolError,
)  # fmt: skip


class Poster:
    """Posts bodies. Certificates and host names are checked, redirects are not followed, no proxy is used."""

    def __init__(self, context: ssl.SSLContext, private_hosts: Collection[str]) -> None:
        self._pool = httpcore.AsyncConnectionPool(
            ssl_context=context,
            max_connections=None,  # each destination bounds its own: none waits for another's
            keepalive_expiry=KEPT_SECONDS,
            network_backend=GuardedNetwork(private_hosts),
        )

    async def post(self, url: str, headers: Mapping[str, str], body: bytes, seconds: float) -> Answer:
        """What the destination said within that time, or why it said nothing. Raises nothing of the network's."""
        answer: Answer | None = None
        try:
            async with (
                asyncio.timeout(seconds),
                self._pool.stream("POST", url, headers=list(headers.items()), content=body) as response,
            ):
                answer = Answer(response.status, retry_after=header(response, b"retry-after"))
                await read_some(response)
        except FAILURES as error:
            return answer or Answer(failure=failure_of(error))
        return answer

    async def ping(self) -> None:
        """Nothing of ours is behind it."""

    async def close(self) -> None:
        """Close every connection."""
        with suppress(httpcore.NetworkError):
            await self._pool.aclose()


async def read_some(response: httpcore.Response) -> None:
    """The body, so that the connection can be used again; a long one is not worth that."""
    size = 0
    async for part in response.aiter_stream():
        size += len(part)
        if size > BODY_BYTES:
            return


def header(response: httpcore.Response, name: bytes) -> str:
    """The header's first value, or nothing."""
    return next((value.decode("latin-1") for key, value in response.headers if key.lower() == name), "")


def failure_of(error: Exception) -> str:
    """A code for what went wrong: no address, no text of the other side's."""
    chain: BaseException | None = error
    while chain is not None:
        if isinstance(chain, PrivateAddress):
            return "private-address"
        if isinstance(chain, ssl.SSLError):
            return "tls"
        chain = chain.__cause__ or chain.__context__
    return "timeout" if isinstance(error, TimeoutError | httpcore.TimeoutException) else "connection"

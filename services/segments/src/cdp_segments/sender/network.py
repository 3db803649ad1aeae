"""Connections to public addresses only: a definition must not reach into the network that the sender stands in."""

from __future__ import annotations

import asyncio
import socket
from collections.abc import Collection, Iterable, Sequence
from ipaddress import IPv6Address, IPv6Network, ip_address
from typing import Final

import httpcore

NAT64: Final = IPv6Network("64:ff9b::/96")


class PrivateAddress(httpcore.ConnectError):
    """A host that nobody allowed has an address that is not public."""


class GuardedNetwork(httpcore.AsyncNetworkBackend):
    """Looks a name up once, refuses it if any address is not public, and connects to one that was looked at.

    So a name that changes its address between the look and the connection gains nothing. Hosts among
    `private_hosts` may have any address.
    """

    def __init__(self, private_hosts: Collection[str]) -> None:
        self._private = frozenset(private_hosts)
        self._network = httpcore.AnyIOBackend()

    async def connect_tcp(
        self,
        host: str,
        port: int,
        timeout: float | None = None,  # noqa: ASYNC109  # as httpcore asks
        local_address: str | None = None,
        socket_options: Iterable[httpcore.SOCKET_OPTION] | None = None,
    ) -> httpcore.AsyncNetworkStream:
        """Connect to the first address that takes us; ConnectError if none does."""
        failure: httpcore.ConnectError | httpcore.ConnectTimeout | None = None
        for address in await self._addresses(host, port):
            try:
                return await self._network.connect_tcp(address, port, timeout, local_address, socket_options)
            except (httpcore.ConnectError, httpcore.ConnectTimeout) as error:
                failure = error
        raise failure or httpcore.ConnectError("no address")

    async def sleep(self, seconds: float) -> None:
        """Let others run."""
        await asyncio.sleep(seconds)

    async def _addresses(self, host: str, port: int) -> Sequence[str]:
        try:
            found = await asyncio.get_running_loop().getaddrinfo(host, port, type=socket.SOCK_STREAM)
        except OSError as error:
            raise httpcore.ConnectError("no such host") from error
        addresses = list(dict.fromkeys(str(place[0]) for *_, place in found))
        if host not in self._private and not all(map(is_public, addresses)):
            raise PrivateAddress("the address is not public")
        return addresses


def is_public(address: str) -> bool:
    """Whether an address belongs to the Internet at large, as the IANA registries say; also behind a mapping."""
    found = ip_address(address.partition("%")[0])
    if isinstance(found, IPv6Address):
        inner = found.ipv4_mapped or found.sixtofour
        if inner is None and found in NAT64:
            inner = ip_address(found.packed[-4:])  # type: ignore[assignment]  # four bytes make an IPv4 address
        if inner is not None:
            return is_public(str(inner))
    return found.is_global and not found.is_multicast

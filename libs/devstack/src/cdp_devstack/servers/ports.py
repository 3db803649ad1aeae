"""Free ports, and the proof that a port belongs to a certain process."""

from __future__ import annotations

import random
import socket
from pathlib import Path
from typing import Final

HOST: Final = "127.0.0.1"
LOWEST: Final = 15_000
RANGE_FILE: Final = Path("/proc/sys/net/ipv4/ip_local_port_range")
LISTENING: Final = "0A"


def free_port() -> int:
    """A TCP port of 127.0.0.1 on which nobody listens.

    Taken from below the range that the kernel gives to outgoing connections: while a server is down, a client
    that keeps connecting to a port of that range ends up connected to itself and holds the port.
    """
    highest = int(RANGE_FILE.read_text().split()[0]) - 1 if RANGE_FILE.exists() else 32_767
    candidates = random.SystemRandom().sample(range(LOWEST, highest), 200) if highest > LOWEST + 200 else []
    for port in [*candidates, 0]:
        with socket.socket() as probe:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            try:
                probe.bind((HOST, port))
            except OSError:
                continue
            return int(probe.getsockname()[1])
    raise OSError(f"no free TCP port on {HOST}")


def listens(pid: int, port: int) -> bool:
    """True when the process itself listens on the port; where the system cannot tell (no /proc): True."""
    table = Path(f"/proc/{pid}/net")
    if not table.exists():
        return not Path("/proc/self/net").exists()
    sockets = listening_sockets(table, port)
    return any(link in sockets for link in open_files(pid))


def listening_sockets(table: Path, port: int) -> frozenset[str]:
    """The sockets that listen on the port, as /proc/<pid>/fd shows them."""
    found: set[str] = set()
    for name in ("tcp", "tcp6"):
        if not (table / name).exists():
            continue
        for line in (table / name).read_text().splitlines()[1:]:
            fields = line.split()
            if fields[3] == LISTENING and int(fields[1].rpartition(":")[2], 16) == port:
                found.add(f"socket:[{fields[9]}]")
    return frozenset(found)


def open_files(pid: int) -> list[str]:
    """What the open file descriptors of a process point to; a process that just ended has none."""
    links: list[str] = []
    try:
        for entry in Path(f"/proc/{pid}/fd").iterdir():
            try:
                links.append(str(entry.readlink()))
            except OSError:
                continue
    except OSError:
        return links
    return links

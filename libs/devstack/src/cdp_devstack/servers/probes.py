"""One request in each server's own protocol: does it answer, and who is it? None and False mean "not yet"."""

from __future__ import annotations

import socket
import struct
from typing import Final

from cdp_devstack.servers.ports import HOST

SECONDS: Final = 1.0
METADATA: Final = 3
METADATA_VERSION: Final = 4
OP_MSG: Final = 2013
HELLO_FIELDS: Final = (
    b"\x10hello\x00" + struct.pack("<i", 1) + b"\x02$db\x00" + struct.pack("<i", 6) + b"admin\x00"
)
"""The fields of the BSON document {hello: 1, $db: "admin"}."""


def kafka_cluster_id(port: int) -> str | None:
    """The cluster id from a Metadata response (version 4, no topics).

    None when nobody answers, and while the broker lists no broker: it is still fenced and would refuse topics.
    """
    body = struct.pack(">hhih", METADATA, METADATA_VERSION, 1, -1) + struct.pack(">ib", 0, 0)
    answer = exchange(port, struct.pack(">i", len(body)) + body, ">i")
    if answer is None:
        return None
    reader = Reader(answer)
    reader.skip(8)  # correlation id, throttle time
    brokers = reader.int32()
    for _ in range(brokers):
        reader.skip(4)
        reader.string()
        reader.skip(4)
        reader.string()
    cluster_id = reader.string()
    return cluster_id if brokers else None


def mongo_answers(port: int) -> bool:
    """True when `hello` is answered."""
    document = struct.pack("<i", len(HELLO_FIELDS) + 5) + HELLO_FIELDS + b"\x00"
    message = struct.pack("<iiiiib", 21 + len(document), 1, 0, OP_MSG, 0, 0) + document
    answer = exchange(port, message, "<i", header_counts=True)
    return answer is not None and b"maxWireVersion" in answer


def redis_pid(port: int) -> int | None:
    """The process id that the server gives in INFO, or None when it does not answer (or still loads its data)."""
    try:
        with socket.create_connection((HOST, port), SECONDS) as connection:
            connection.sendall(b"PING\r\nINFO server\r\n")
            text = b""
            while b"process_id:" not in text or not text.endswith(b"\r\n"):
                chunk = connection.recv(65_536)
                if not chunk:
                    return None
                text += chunk
                if text.startswith(b"-"):
                    return None
    except OSError:
        return None
    return int(text.split(b"process_id:")[1].split(b"\r\n")[0])


def exchange(port: int, message: bytes, length: str, *, header_counts: bool = False) -> bytes | None:
    """Send a message and read one answer that starts with its length; None when that fails."""
    try:
        with socket.create_connection((HOST, port), SECONDS) as connection:
            connection.sendall(message)
            (size,) = struct.unpack(length, receive(connection, 4))
            return receive(connection, size - 4 if header_counts else size)
    except (OSError, EOFError):
        return None


def receive(connection: socket.socket, count: int) -> bytes:
    """Exactly so many bytes."""
    data = b""
    while len(data) < count:
        chunk = connection.recv(count - len(data))
        if not chunk:
            raise EOFError
        data += chunk
    return data


class Reader:
    """Reads Kafka's primitive types from a response."""

    def __init__(self, data: bytes) -> None:
        self._data = data
        self._at = 0

    def skip(self, count: int) -> None:
        """Pass over so many bytes."""
        self._at += count

    def int32(self) -> int:
        """A signed 32-bit integer."""
        (value,) = struct.unpack_from(">i", self._data, self._at)
        self._at += 4
        return int(value)

    def string(self) -> str | None:
        """A nullable string with a 16-bit length."""
        (size,) = struct.unpack_from(">h", self._data, self._at)
        self._at += 2
        if size < 0:
            return None
        value = self._data[self._at : self._at + size].decode()
        self._at += size
        return value

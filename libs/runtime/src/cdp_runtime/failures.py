"""The words a stage and its runtime use for what goes wrong."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable
from pathlib import PurePath
from traceback import extract_tb
from typing import Final

from aiokafka.errors import (
    KafkaConnectionError,
    KafkaTimeoutError,
    LeaderNotAvailableError,
    NodeNotReadyError,
    NotLeaderForPartitionError,
    RequestTimedOutError,
)
from pymongo.errors import AutoReconnect, ConnectionFailure, NetworkTimeout
from redis.exceptions import ConnectionError as RedisConnectionError
from redis.exceptions import ReadOnlyError
from redis.exceptions import TimeoutError as RedisTimeoutError

PLACES: Final = 5


class Conflict(Exception):  # noqa: N818  # a fact of concurrent life, not an error
    """A compare-and-set lost. The batch is loaded and run again; nothing is counted against it."""


class Away(Exception):  # noqa: N818
    """A store or the broker cannot be reached. Retried for ever; nothing is dead-lettered."""


class Halted(Exception):  # noqa: N818
    """The stage must not go on until a person resumes it: a bad deploy must not drain a topic."""

    def __init__(self, reason: str) -> None:
        super().__init__(reason)
        self.reason = reason


class UndeclaredTopic(Exception):  # noqa: N818
    """A handler emitted a message that its stage does not declare."""


def place_of(error: BaseException) -> str:
    """What failed and where, innermost line first, without the error's text: drivers quote documents in theirs."""
    frames = reversed(extract_tb(error.__traceback__)[-PLACES:])
    lines = " < ".join(f"{PurePath(frame.filename).name}:{frame.lineno} {frame.name}" for frame in frames)
    return f"{type(error).__name__} at {lines}" if lines else type(error).__name__


TIMEOUTS = (asyncio.TimeoutError, TimeoutError, NetworkTimeout, RedisTimeoutError)
UNREACHABLE = (
    Away, ConnectionError, ConnectionFailure, AutoReconnect, RedisConnectionError, ReadOnlyError,
    KafkaConnectionError, KafkaTimeoutError, NodeNotReadyError, LeaderNotAvailableError,
    NotLeaderForPartitionError, RequestTimedOutError,
)  # fmt: skip


async def is_away(error: Exception, resources: Iterable[object]) -> bool:
    """Whether the failure is a resource's absence: a lost connection, or a timeout while a ping fails too."""
    if isinstance(error, UNREACHABLE) and not isinstance(error, TIMEOUTS):
        return True
    if not isinstance(error, TIMEOUTS):
        return False
    for resource in resources:
        ping = getattr(resource, "ping", None)
        if ping is None:
            continue
        try:
            await asyncio.wait_for(ping(), timeout=2)
        except Exception:  # whatever it is, the resource does not answer
            return True
    return False

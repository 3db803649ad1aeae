"""The words a stage and its runtime use for what goes wrong."""

from __future__ import annotations

import asyncio
import ssl
from collections.abc import Iterable, Iterator
from pathlib import PurePath
from traceback import extract_tb
from typing import Final

from aiokafka.errors import AuthenticationFailedError as KafkaAuthenticationError
from aiokafka.errors import (
    KafkaConnectionError,
    KafkaTimeoutError,
    LeaderNotAvailableError,
    NodeNotReadyError,
    NotLeaderForPartitionError,
    RequestTimedOutError,
    SaslAuthenticationFailed,
)
from pymongo.errors import AutoReconnect, ConnectionFailure, NetworkTimeout, OperationFailure, PyMongoError
from redis.exceptions import AuthenticationError, AuthorizationError, NoPermissionError, ReadOnlyError, RedisError
from redis.exceptions import ConnectionError as RedisConnectionError
from redis.exceptions import TimeoutError as RedisTimeoutError

PLACES: Final = 5


class Conflict(Exception):  # noqa: N818  # a fact of concurrent life, not an error
    """A compare-and-set lost. The batch is loaded and run again; nothing is counted against it."""


class Away(Exception):  # noqa: N818
    """A store or the broker cannot be reached. Retried for ever; nothing is dead-lettered."""


class NewerRecord(Away):
    """A record was written by a newer version of the service than this one. Waited for: that one is on its way."""

    def __init__(self, where: str, written: int, readable: int) -> None:
        super().__init__(
            f"a record in {where} was written with schema version {written}, and this version of the service reads"
            f" up to {readable}: it waits for the newer one"
        )


class UnknownPepper(Away):
    """Something was stored under a pepper that this process was not given: it waits, rather than to miss it."""

    def __init__(self, database: str, version: str) -> None:
        super().__init__(
            f"{database} has pseudonyms made under a pepper (version {version}) that is neither CDP_PEPPER nor"
            " among CDP_FORMER_PEPPERS: this process waits"
        )


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


REFUSED: Final = (
    AuthenticationError, AuthorizationError, NoPermissionError, KafkaAuthenticationError, SaslAuthenticationFailed,
)  # fmt: skip
REFUSED_CODES: Final = frozenset({11, 13, 18, 8000})
"""MongoDB's: no such user, not allowed, wrong credentials, and the same of its hosted service."""


def is_refused(error: BaseException) -> bool:
    """Whether a server does not take our credentials: it may again once they are put right, as after a change."""
    return isinstance(error, REFUSED) or (isinstance(error, OperationFailure) and error.code in REFUSED_CODES)


def reason_of(error: BaseException) -> str:
    """Why a server cannot be used and which setting to look at: never the error's text, which may hold secrets."""
    if isinstance(error, NewerRecord | UnknownPepper):
        return str(error)
    outer = next((each for each in chain_of(error) if not isinstance(each, Away)), error)
    server = "MONGO" if isinstance(outer, PyMongoError) else "REDIS" if isinstance(outer, RedisError) else "KAFKA"
    if any(map(is_refused, chain_of(error))):
        sasl = "SASL_" if server == "KAFKA" else ""
        return f"it refuses these credentials: see CDP_{server}_{sasl}USERNAME and CDP_{server}_{sasl}PASSWORD"
    if any(map(is_untrusted, chain_of(error))):
        return f"its certificate is not trusted or not for this address: see CDP_{server}_CA_FILE"
    return type(outer).__name__


def is_untrusted(error: BaseException) -> bool:
    """Whether the server's certificate was not accepted; pymongo tells it in words alone."""
    return isinstance(error, ssl.SSLCertVerificationError) or "certificate verify failed" in str(error).lower()


def chain_of(error: BaseException) -> Iterator[BaseException]:
    """The error, and what led to it."""
    seen: set[int] = set()
    each: BaseException | None = error
    while each is not None and id(each) not in seen:
        seen.add(id(each))
        yield each
        each = each.__cause__ or each.__context__


async def is_away(error: Exception, resources: Iterable[object]) -> bool:
    """Whether the failure is a resource's absence: a lost connection, or a timeout while a ping fails too.

    So is a server that refuses our credentials: what they are for is not the fault of any message.
    """
    if is_refused(error) or (isinstance(error, UNREACHABLE) and not isinstance(error, TIMEOUTS)):
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

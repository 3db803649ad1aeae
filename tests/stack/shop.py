"""One platform on local servers, a tenth of the clickstream, and what may go wrong while it is replayed."""

from __future__ import annotations

import asyncio
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from functools import cached_property
from pathlib import Path
from typing import Final, TypeAlias

from cdp_devstack import expected
from cdp_devstack.clickstream import Clickstream
from cdp_devstack.offsets import FLOW, caught_up
from cdp_devstack.platform import WRITE_KEY
from cdp_devstack.replay import COPIES, INVALID, replay, story
from cdp_devstack.running import Running, running
from cdp_devstack.servers import Server
from endstate import EndState, read_end_state
from redis import Redis

Over: TypeAlias = Callable[[], None]  # returns when what was disturbed works again
Disturbance: TypeAlias = Callable[[], Over]

RUN: Final = "run"
ENDED_AGO: Final = timedelta(seconds=5)
SETTLE_SECONDS: Final = 150


@contextmanager
def opened(folder: Path) -> Iterator[Shop]:
    """A platform of its own, for its servers and roles may come to harm."""
    with running("local", folder) as up:
        yield Shop(up)


class Shop:
    """The platform with its visitors."""

    def __init__(self, up: Running) -> None:
        self.up = up
        self.stream = Clickstream(datetime.now(UTC) - ENDED_AGO, every=10)

    @cached_property
    def calls(self) -> int:
        """How many calls of the client a replay makes."""
        return len(self.ids()) + COPIES

    def ids(self) -> frozenset[str]:
        """The message id of everything that is sent."""
        told = {call.message_id for call in story(self.stream, RUN)}
        return frozenset(told | {f"{RUN}-invalid-{n}" for n in range(INVALID)})

    def expected_sizes(self) -> Mapping[str, int]:
        """The sizes of the demo's segments by the file alone."""
        return expected.sizes(self.stream, datetime.now(UTC))

    def expected_people(self) -> set[str]:
        """Who must have a profile by the file alone: users, and devices that never logged in."""
        return set(expected.events(self.stream)["person"])

    def replay(self, disturbances: Mapping[int, Disturbance] | None = None) -> None:
        """Send everything, with disturbances before the calls of these numbers; returns when all is evaluated."""
        moments = Moments(disturbances or {})
        edge = self.up.url("collector-http")
        sent = replay(self.stream, edge, WRITE_KEY, run=RUN, progress=moments.advance, in_step=True)
        moments.finish()
        assert sent.errors == []
        for group, topic in FLOW:
            self._settle(group, topic.name)

    def end_state(self) -> EndState:
        """What is stored and written everywhere."""
        return asyncio.run(read_end_state(self.up))

    def killed(self, role: str) -> Disturbance:
        """A role is killed as by a power cut, and started again."""
        process = self.up.platform.roles[role]

        def begin() -> Over:
            process.kill()
            process.launch()
            return process.wait_ready

        return begin

    def flushed(self) -> Disturbance:
        """Redis forgets everything."""

        def begin() -> Over:
            with Redis.from_url(self.up.stack.redis) as redis:
                redis.flushall()
            return lambda: None

        return begin

    def _settle(self, group: str, topic: str) -> None:
        deadline = time.monotonic() + SETTLE_SECONDS
        while not asyncio.run(caught_up(self.up.stack.kafka, group, topic)):
            assert time.monotonic() < deadline, f"{group} has not read {topic} to its end"


def away(server: Server, seconds: float) -> Disturbance:
    """A server is stopped for some time."""

    def begin() -> Over:
        server.stop()
        back = threading.Timer(seconds, server.start)
        back.start()
        return back.join

    return begin


class Moments:
    """Counts calls and disturbs at some of them, each time once the disturbance before is over."""

    def __init__(self, disturbances: Mapping[int, Disturbance]) -> None:
        self._disturbances = disturbances
        self._calls = 0
        self._over: Over = lambda: None

    def advance(self, calls: int) -> None:
        """So many calls more were made."""
        self._calls += calls
        if disturb := self._disturbances.get(self._calls):
            self._over()
            self._over = disturb()

    def finish(self) -> None:
        """Return when the last disturbance is over."""
        assert self._calls >= max(self._disturbances, default=0)
        self._over()

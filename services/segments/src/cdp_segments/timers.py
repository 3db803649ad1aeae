"""Who is to be looked at when: the earliest deadline of each person, by the partition their messages come from.

The queue is a copy. The truth is the index on `wake_at` in the store, from which `refill` (see `handlers`) builds
it anew whenever its mark is missing: after a flush, a lost write, or simply after a while.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from itertools import groupby
from operator import attrgetter
from typing import Final, NamedTuple, Protocol

from cdp_runtime.redis_client import redis_client
from cdp_runtime.settings import RedisSettings

PREFIX: Final = "cdp:segments:timers"
MOVE_ON: Final = """
local set = redis.call('ZSCORE', KEYS[1], ARGV[1])
if set and tonumber(set) == tonumber(ARGV[2]) then
  if ARGV[3] == '' then
    redis.call('ZREM', KEYS[1], ARGV[1])
  else
    redis.call('ZADD', KEYS[1], ARGV[3], ARGV[1])
  end
end
"""


class Alarm(NamedTuple):
    """A person's record to be looked at, and when (milliseconds)."""

    partition: int
    id: str
    at: int


class Timers(Protocol):
    """The queue. Every method raises when it is away."""

    async def set(self, alarms: Iterable[Alarm]) -> None:
        """Set timers, each unless it is set to something earlier. Safe twice."""
        ...

    async def due(self, until: Mapping[int, int], limit: int) -> Sequence[Alarm]:
        """What is due in each partition as of its instant, the earliest first, at most so many a partition."""
        ...

    async def move_on(self, moves: Iterable[tuple[Alarm, int | None]]) -> None:
        """Set these to something later, or take them away, unless they were set anew meanwhile."""
        ...

    async def unmarked(self, partitions: Iterable[int]) -> Sequence[int]:
        """The partitions that have to be filled from the store."""
        ...

    async def mark(self, partition: int, seconds: float) -> None:
        """The partition is filled, and good for so long."""
        ...

    async def ping(self) -> None:
        """Raise if it does not answer."""
        ...


class MemoryTimers:
    """The queue in this process; same promises as the one in Redis, but that marks do not expire."""

    def __init__(self) -> None:
        self.queues: dict[int, dict[str, int]] = {}
        self.marks: set[int] = set()

    async def set(self, alarms: Iterable[Alarm]) -> None:
        """See Timers."""
        for partition, id_, at in alarms:
            queue = self.queues.setdefault(partition, {})
            queue[id_] = min(at, queue.get(id_, at))

    async def due(self, until: Mapping[int, int], limit: int) -> Sequence[Alarm]:
        """See Timers."""
        found: list[Alarm] = []
        for partition, instant in until.items():
            queue = sorted(self.queues.get(partition, {}).items(), key=lambda item: (item[1], item[0]))
            found += [Alarm(partition, id_, at) for id_, at in queue if at <= instant][:limit]
        return found

    async def move_on(self, moves: Iterable[tuple[Alarm, int | None]]) -> None:
        """See Timers."""
        for alarm, to in moves:
            queue = self.queues.get(alarm.partition, {})
            if queue.get(alarm.id) != alarm.at:
                continue
            if to is None:
                del queue[alarm.id]
            else:
                queue[alarm.id] = to

    async def unmarked(self, partitions: Iterable[int]) -> Sequence[int]:
        """See Timers."""
        return [partition for partition in partitions if partition not in self.marks]

    async def mark(self, partition: int, seconds: float) -> None:
        """See Timers."""
        self.marks.add(partition)

    async def ping(self) -> None:
        """See Timers."""

    def flush(self) -> None:
        """Lose everything."""
        self.queues.clear()
        self.marks.clear()


class RedisTimers:
    """A sorted set a partition, of record ids (which begin with the tenant) by deadline.

    Nothing connects before the first call.
    """

    def __init__(self, settings: RedisSettings) -> None:
        self._redis = redis_client(settings)
        self._move_on = self._redis.register_script(MOVE_ON)

    async def set(self, alarms: Iterable[Alarm]) -> None:
        """See Timers."""
        async with self._redis.pipeline(transaction=False) as pipe:
            ordered = sorted(alarms, key=attrgetter("partition"))
            for partition, group in groupby(ordered, key=attrgetter("partition")):
                pipe.zadd(queue_key(partition), {alarm.id: alarm.at for alarm in group}, lt=True)
            await pipe.execute()

    async def due(self, until: Mapping[int, int], limit: int) -> Sequence[Alarm]:
        """See Timers."""
        async with self._redis.pipeline(transaction=False) as pipe:
            for partition, instant in until.items():
                pipe.zrange(
                    queue_key(partition), "-inf", instant, byscore=True, offset=0, num=limit, withscores=True
                )
            found = await pipe.execute()
        return [
            Alarm(partition, id_.decode(), int(at))
            for partition, queue in zip(until, found, strict=True)
            for id_, at in queue
        ]

    async def move_on(self, moves: Iterable[tuple[Alarm, int | None]]) -> None:
        """See Timers."""
        async with self._redis.pipeline(transaction=False) as pipe:
            for alarm, to in moves:
                arguments: list[str | int] = [alarm.id, alarm.at, "" if to is None else to]
                await self._move_on(keys=[queue_key(alarm.partition)], args=arguments, client=pipe)
            await pipe.execute()

    async def unmarked(self, partitions: Iterable[int]) -> Sequence[int]:
        """See Timers."""
        wanted = list(partitions)
        found = await self._redis.mget([mark_key(partition) for partition in wanted]) if wanted else []
        return [partition for partition, mark in zip(wanted, found, strict=True) if mark is None]

    async def mark(self, partition: int, seconds: float) -> None:
        """See Timers."""
        await self._redis.set(mark_key(partition), b"filled", px=int(seconds * 1000))

    async def ping(self) -> None:
        """See Timers."""
        await self._redis.ping()

    async def close(self) -> None:
        """Let go of the connections."""
        await self._redis.aclose()


def queue_key(partition: int) -> str:
    """Where a partition's queue is."""
    return f"{PREFIX}:{partition}"


def mark_key(partition: int) -> str:
    """What says that the queue is filled."""
    return f"{PREFIX}:{partition}:filled"

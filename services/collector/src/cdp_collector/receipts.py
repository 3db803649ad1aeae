"""Where receipts are kept: in the Redis that remembers copies, for a while, and no longer than there is room.

A copy of what the topics say, to answer quickly. If it is lost, receipts are not found, and nothing else breaks.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from datetime import datetime
from itertools import chain
from typing import Any, Final, Protocol

from cdp_runtime.failures import Away
from cdp_runtime.pseudonyms import Pseudonymizer
from cdp_runtime.redis_client import redis_client
from cdp_runtime.settings import RedisSettings
from redis.exceptions import RedisError

from cdp_collector.domain.receipts import Known
from cdp_collector.domain.texts import Entry, join
from cdp_collector.domain.trails import Trail
from cdp_collector.store import MESSAGE, MemoryDedup, copies_key, seen_key

RECORDS_A_CALL: Final = 500
LONGEST_CHAIN: Final = 64
# Of two texts the greater stays. Nothing is written while Redis is nearly full: others cannot do without the room.
JOIN: Final = """
local memory = redis.call('INFO', 'memory')
local most = tonumber(string.match(memory, 'maxmemory:(%d+)'))
local used = tonumber(string.match(memory, 'used_memory:(%d+)'))
if most > 0 and used > most * tonumber(ARGV[2]) then return 0 end
for i, key in ipairs(KEYS) do
  local fields, texts, fresh = {}, {}, {}
  for field, text in string.gmatch(ARGV[i + 2], '([^\\n]+)\\n([^\\n]+)') do
    fields[#fields + 1], texts[#texts + 1] = field, text
  end
  for n, known in ipairs(redis.call('HMGET', key, unpack(fields))) do
    if not known or known < texts[n] then
      fresh[#fresh + 1], fresh[#fresh + 2] = fields[n], texts[n]
    end
  end
  if #fresh > 0 then
    redis.call('HSET', key, unpack(fresh))
    redis.call('EXPIRE', key, ARGV[1])
  end
end
return #KEYS
"""


class Receipts(Protocol):
    """What became of each message id."""

    async def note(self, entries: Sequence[Entry]) -> int:
        """Add entries; how many records there was no room for. Safe in any order, any number of times.

        No text holds a line break. Raises when it is away.
        """
        ...

    async def find(self, tenant: str, message_id: str) -> Known:
        """What is known of a message id; false if nothing is. Raises when it is away."""
        ...

    async def follow(self, tenant: str, trail: Trail) -> None:
        """Go to its end, through however many merges and partings. Raises when it is away."""
        ...

    async def ping(self) -> None:
        """Raise if it does not answer."""
        ...


class MemoryReceipts:
    """Receipts in this process, beside a memory of copies in this process."""

    def __init__(self, dedup: MemoryDedup, seconds: float, now: Callable[[], datetime]) -> None:
        self._dedup = dedup
        self._seconds = seconds
        self._now = now
        self.records: dict[tuple[str, str, str], tuple[dict[str, str], datetime]] = {}

    async def note(self, entries: Sequence[Entry]) -> int:
        """See Receipts."""
        for kind, tenant, name, field, text in entries:
            known = dict(self._record(kind, tenant, name))
            join(known, field, text)
            if known != self._record(kind, tenant, name):
                self.records[kind, tenant, name] = known, self._now()
        return 0

    async def find(self, tenant: str, message_id: str) -> Known:
        """See Receipts."""
        return Known(
            self._record("receipt", tenant, message_id),
            self._dedup.place(tenant, message_id),
            dict(self._dedup.copies.get((tenant, message_id), {})),
        )

    async def follow(self, tenant: str, trail: Trail) -> None:
        """See Receipts."""
        for _ in range(LONGEST_CHAIN):
            record = self._record("merged", tenant, trail.profile)
            if not trail.follow(*map(record.get, trail.fields)):
                return

    async def ping(self) -> None:
        """It is always there."""

    def _record(self, kind: str, tenant: str, name: str) -> dict[str, str]:
        record, since = self.records.get((kind, tenant, name), ({}, self._now()))
        return record if (self._now() - since).total_seconds() < self._seconds else {}


class RedisReceipts:
    """Receipts in Redis 7 or Valkey: a hash a message id, `<tenant>:receipt:<hash of the message id>`.

    What a profile became part of, and what was parted from it, stands in `<tenant>:merged:<profile id>`. `share`
    is the part of Redis' memory beyond which nothing is added, where Redis has a limit.
    """

    def __init__(self, settings: RedisSettings, seconds: int, share: float, pseudonyms: Pseudonymizer) -> None:
        self._limits = seconds, share
        self._pseudonyms = pseudonyms
        self._redis = redis_client(settings)
        self._join = self._redis.register_script(JOIN)

    async def note(self, entries: Sequence[Entry]) -> int:
        """See Receipts. One round trip for five hundred records."""
        records: dict[tuple[str, str, str], dict[str, str]] = {}
        for kind, tenant, name, field, text in entries:
            join(records.setdefault((kind, tenant, name), {}), field, text)
        keys = [self._key(*record) for record in records]
        texts = ["\n".join(chain.from_iterable(record.items())) for record in records.values()]
        added = 0
        try:
            for n in range(0, len(keys), RECORDS_A_CALL):
                some = slice(n, n + RECORDS_A_CALL)
                added += await self._join(keys=keys[some], args=[*self._limits, *texts[some]])
        except RedisError as error:
            raise Away(type(error).__name__) from error  # it loads, it is full, it is read-only: all of it passes
        return len(records) - added

    async def find(self, tenant: str, message_id: str) -> Known:
        """See Receipts. One round trip."""
        pipeline = self._redis.pipeline(transaction=False)
        for name in self._pseudonyms.all_of(tenant, MESSAGE, message_id)[::-1]:
            pipeline.hgetall(f"{tenant}:receipt:{name}")
            pipeline.get(seen_key(tenant, name))
            pipeline.hgetall(copies_key(tenant, name))
        answers = await pipeline.execute()
        texts: dict[str, str] = {}
        for found in answers[::3]:
            for field, text in _texts(found).items():
                join(texts, field, text)
        place = next((place.decode() for place in answers[1::3] if place), None)
        return Known(texts, place, {k: v for found in answers[2::3] for k, v in _texts(found).items()})

    async def follow(self, tenant: str, trail: Trail) -> None:
        """See Receipts. One round trip a merge or parting."""
        for _ in range(LONGEST_CHAIN):
            texts = await self._redis.hmget(self._key("merged", tenant, trail.profile), trail.fields)
            if not trail.follow(*(text.decode() if isinstance(text, bytes) else None for text in texts)):
                return

    async def ping(self) -> None:
        """Raise if Redis does not answer."""
        await self._redis.ping()

    async def close(self) -> None:
        """Disconnect."""
        await self._redis.aclose()

    def _key(self, kind: str, tenant: str, name: str) -> str:
        known_by = self._pseudonyms.of(tenant, MESSAGE, name) if kind == "receipt" else name
        return f"{tenant}:{kind}:{known_by}"


def _texts(found: Mapping[Any, Any]) -> dict[str, str]:
    return {name.decode(): text.decode() for name, text in found.items()}

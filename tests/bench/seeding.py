"""How soon a new segment is live over a history, and an edited one, while events go on: the evaluator as it ships.

The history is written straight into `profiles.updated` and counts as handled, by segments that nothing matched.
Whoever must be in is known from what was written; a flip too much, too few, or told twice ends the run.
`python -m tests.bench.seeding [people events]` prints the rows.
"""

from __future__ import annotations

import asyncio
import itertools
import random
import sys
import tempfile
import time
from collections import Counter, defaultdict
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Final
from uuid import UUID, uuid5

import uvloop
from aiokafka import AIOKafkaConsumer, TopicPartition
from cdp_cli import topics
from cdp_contracts.conditions_v1 import Condition, Count, PropertyFilter
from cdp_contracts.definitions_v1 import SegmentDefined
from cdp_contracts.events_v1 import Event
from cdp_contracts.profiles_v1 import ProfileUpdated
from cdp_contracts.segments_v1 import MembershipChanged
from cdp_contracts.topics import MEMBERSHIP_CHANGED, PROFILES_UPDATED, SEGMENTS_DEFINED
from cdp_devstack.platform import RoleProcess, RoleSpec, environment_for, kafka_settings
from cdp_devstack.servers import Stack
from cdp_devstack.servers.child import plain_environment
from cdp_runtime.codec import encode
from cdp_runtime.kafka_client import KafkaProducer
from cdp_runtime.transport import Outgoing
from motor.motor_asyncio import AsyncIOMotorClient

from tests.bench.cpu import seconds_of
from tests.bench.report import Row

PEOPLE: Final = 100_000
EVENTS: Final = 1_000_000
RATE: Final = 500
CHUNK: Final = 5_000
TURN: Final = 0.02
DEADLINE: Final = 240
GROUP: Final = "segments-evaluator.evaluate"
NAMES: Final = ("Product Viewed",) * 3 + ("Product Added", "Order Completed", "Help")
CATEGORIES: Final = 5
TENANT: Final = "bench"
SPACE: Final = UUID(int=11)

OTHER: Final = Count(event="Never Done")
CREATED: Final = Count(event="Product Viewed", op=">=", n=6)
EDITED: Final = Count(
    event="Product Viewed", op=">=", n=2, where=(PropertyFilter(property="category", op="==", value=3),)
)


@dataclass
class Crowd:
    """People, what they do, and how often each did what the segments ask for."""

    size: int
    dice: random.Random = field(default_factory=lambda: random.Random(17))
    views: Counter[int] = field(default_factory=Counter)
    of_three: Counter[int] = field(default_factory=Counter)
    written: int = 0

    def __post_init__(self) -> None:
        self.ids = [str(uuid5(SPACE, str(n))) for n in range(self.size)]
        at = datetime.now(UTC)
        event = Event(type="track", name="NAME", properties={"category": 777, "price": {"net": 5}})
        update = ProfileUpdated(
            tenant=TENANT, id=UUID(int=1), message_id="MESSAGE", occurred_at=at, received_at=at, revision=1,
            profile_id=UUID(int=2), cause="event", event=event, part="0" * 32, purposes=("analytics",),
        )  # fmt: skip
        record = encode(PROFILES_UPDATED, update, source="bench", now=at)
        self._value, self._headers = (record.value or b"").decode(), record.headers

    def does(self) -> Outgoing:
        """Somebody does something."""
        who, name = self.dice.randrange(self.size), self.dice.choice(NAMES)
        category = self.dice.randrange(CATEGORIES)
        if name == "Product Viewed":
            self.views[who] += 1
            self.of_three[who] += category == 3
        self.written += 1
        value = (
            self._value.replace(str(UUID(int=1)), str(uuid5(SPACE, f"u{self.written}")))
            .replace(str(UUID(int=2)), self.ids[who])
            .replace("MESSAGE", f"m{self.written}")
            .replace("NAME", name)
            .replace('"category":777', f'"category":{category}')
        )
        return Outgoing(PROFILES_UPDATED.name, self.ids[who].encode(), value.encode(), self._headers)

    def viewers(self) -> set[str]:
        """Who must be in the segment as created."""
        return {self.ids[who] for who, times in self.views.items() if times >= CREATED.n}

    def fans(self) -> set[str]:
        """Who must be in it as edited."""
        return {self.ids[who] for who, times in self.of_three.items() if times >= EDITED.n}


class Bench:
    """The evaluator from outside."""

    def __init__(self, stack: Stack, crowd: Crowd, role: RoleProcess) -> None:
        self.crowd, self.role, self.lag = crowd, role, 0
        self.producer = KafkaProducer(kafka_settings(stack))
        self._stack = stack
        database: Any = AsyncIOMotorClient(stack.mongo)["bench_segments"]
        self._progress, self._in_force = database.progress, database.in_force
        self._known: set[str | None] = {None}
        self._flowing = False

    async def write_history(self, events: int) -> None:
        """All of it handled by the evaluator's group, as far as the broker knows."""
        for _ in range(0, events, CHUNK):
            await self.producer.send([self.crowd.does() for _ in range(CHUNK)])
        async with consumer(self._stack, GROUP) as group:
            every = [TopicPartition(PROFILES_UPDATED.name, n) for n in range(PROFILES_UPDATED.partitions)]
            group.assign(every)
            await group.commit(dict(await group.end_offsets(every)))

    async def define(self, name: str, version: int, when: Condition) -> None:
        """What `cdp apply` does."""
        segment = SegmentDefined(tenant=TENANT, name=name, title=name, version=version, when=when)
        await self.producer.send([encode(SEGMENTS_DEFINED, segment, source="bench", now=datetime.now(UTC))])

    async def brought_into_force(self, name: str, version: int, when: Condition) -> float:
        """Seconds from the definition until everybody is held against it, while events go on."""
        await self._remember()
        self._flowing, flowing = True, asyncio.create_task(self._flow())
        await asyncio.sleep(2)
        self.lag, started = 0, time.monotonic()
        await self.define(name, version, when)
        watching = asyncio.create_task(self._watch_lag())
        async with asyncio.timeout(DEADLINE):
            while not await self._held(name, version):
                await asyncio.sleep(0.1)
        seconds = time.monotonic() - started
        watching.cancel()
        await asyncio.sleep(2)
        self._flowing = False  # what somebody did is written before it ends
        await asyncio.gather(flowing, watching, return_exceptions=True)
        return seconds

    async def members(self, name: str, wanted: Callable[[], set[str]]) -> None:
        """Everybody told once, and the right ones: SystemExit if not."""
        for _ in range(60):
            told = await self._told()
            inside = {who for who, messages in told.items() if name in messages[max(messages)].memberships}
            if inside == wanted():
                break
            await asyncio.sleep(0.5)
        else:
            raise SystemExit(f"{len(inside ^ wanted())} of {len(wanted())} people are told wrongly")
        for messages in told.values():
            flips = [c for _, m in sorted(messages.items()) for c in m.changes if c.segment == name]
            if any(one.member is other.member for one, other in itertools.pairwise(flips)):
                raise SystemExit("a flip was told twice")

    async def _told(self) -> dict[str, dict[int, MembershipChanged]]:
        found: dict[str, dict[int, MembershipChanged]] = defaultdict(dict)
        async with consumer(self._stack) as reader:
            every = [TopicPartition(MEMBERSHIP_CHANGED.name, n) for n in range(MEMBERSHIP_CHANGED.partitions)]
            reader.assign(every)
            await reader.seek_to_beginning(*every)
            while fetched := await reader.getmany(timeout_ms=1000):
                for record in (r for records in fetched.values() for r in records):
                    message = MembershipChanged.model_validate_json(record.value)
                    found[str(message.profile_id)][message.version] = message
        return found

    async def _held(self, name: str, version: int) -> bool:
        """In force, and every partition has held its people against something else than before the definition."""
        in_force = await self._in_force.find_one({"_id": TENANT})
        definitions = map(SegmentDefined.model_validate_json, (in_force or {}).get("definitions", ()))
        if (name, version) not in {(each.name, each.version) for each in definitions}:
            return False
        held = [dict(document["held"]).get(TENANT) async for document in self._progress.find({})]
        return len(held) == PROFILES_UPDATED.partitions and len({*held}) == 1 and held[0] not in self._known

    async def _remember(self) -> None:
        self._known |= {dict(document["held"]).get(TENANT) async for document in self._progress.find({})}

    async def _flow(self) -> None:
        started, sent = time.monotonic(), 0
        while self._flowing:
            due = int((time.monotonic() - started) * RATE)
            if due > sent:
                await self.producer.send([self.crowd.does() for _ in range(due - sent)])
                sent = due
            await asyncio.sleep(TURN)

    async def _watch_lag(self) -> None:
        """The most events that waited to be handled."""
        every = [TopicPartition(PROFILES_UPDATED.name, n) for n in range(PROFILES_UPDATED.partitions)]
        async with consumer(self._stack, GROUP) as group:
            while True:
                ends = await group.end_offsets(every)
                waiting = sum([ends[tp] - (await group.committed(tp) or 0) for tp in every])
                self.lag = max(self.lag, waiting)
                await asyncio.sleep(0.5)


@asynccontextmanager
async def consumer(stack: Stack, group: str | None = None) -> AsyncIterator[AIOKafkaConsumer]:
    """One that joins no group; with one, it may tell and commit where that stands."""
    found = AIOKafkaConsumer(bootstrap_servers=stack.kafka, group_id=group, enable_auto_commit=False)
    await found.start()
    try:
        yield found
    finally:
        await found.stop()


async def rows(stack: Stack, folder: Path, people: int = PEOPLE, events: int = EVENTS) -> list[Row]:
    """A segment that is new, and the same edited."""
    await topics.apply(kafka_settings(stack))
    environment = {**plain_environment(), **environment_for(stack), "CDP_MONGO_DATABASE_PREFIX": "bench"}
    role = RoleProcess(RoleSpec("segments-evaluator", "cdp_segments.app:build_evaluator"), folder, environment)
    crowd = Crowd(people)
    bench = Bench(stack, crowd, role)
    found: list[Row] = []
    try:
        await bench.write_history(events)
        print(f"  {events:,} events of {people:,} people written", flush=True)
        await bench.define("other", 1, OTHER)
        role.launch()
        role.wait_ready()
        for version, what, when, wanted in (
            (1, "created", CREATED, crowd.viewers), (2, "edited", EDITED, crowd.fans),
        ):  # fmt: skip
            used = seconds_of(role.pid or 0)
            seconds = await bench.brought_into_force("asked-for", version, when)
            used = seconds_of(role.pid or 0) - used
            await bench.members("asked-for", wanted)
            name = f"segment {what} over {people:,} people, {events:,} events"
            said = f"{used:,.0f} s of CPU, at most {bench.lag:,} events waited at {RATE}/s"
            print(f"  {name}: {seconds:,.1f} s, {said}; {len(wanted()):,} members", flush=True)
            found.append(Row(name, seconds, "s", said))
    finally:
        role.kill()
        await bench.producer.close()
    return found


if __name__ == "__main__":
    sizes = [int(argument) for argument in sys.argv[1:]]
    with tempfile.TemporaryDirectory() as folder, Stack.start("local", Path(folder) / "servers") as stack:
        for row in uvloop.run(rows(stack, Path(folder), *sizes)):
            print(f"{row.name:<64}{row.ours:>8,.1f} {row.unit}  ({row.spread})")

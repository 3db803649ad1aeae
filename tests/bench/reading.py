"""What readers of segments wait for: every endpoint over 10,000 people, on the local MongoDB stand-in.

The API is asked within this process, one request after the other: measured is the API with its store, without a
network between the reader and it. `python -m tests.bench.reading` prints p50 and p95 in milliseconds.
"""

from __future__ import annotations

import asyncio
import itertools
import random
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from statistics import quantiles
from typing import Any, Final
from uuid import UUID, uuid5

import httpx
from cdp_contracts.definitions_v1 import SegmentDefined
from cdp_contracts.events_v1 import Event
from cdp_contracts.profiles_v1 import ProfileUpdated
from cdp_contracts.topics import MEMBERSHIP_CHANGED, SEGMENTS_DEFINED
from cdp_devstack.servers import Stack
from cdp_runtime.access import Tokens
from cdp_runtime.clock import ManualClock
from cdp_runtime.codec import encode
from cdp_runtime.rates import Rates
from cdp_runtime.settings import MongoSettings
from cdp_segments.api.door import Door
from cdp_segments.api.routes import build_api
from cdp_segments.catalogs import Catalogs
from cdp_segments.census import MongoCensus
from cdp_segments.domain.engine import involved, react
from cdp_segments.domain.telling import Delivery, moment_of
from cdp_segments.history.handlers import stages
from cdp_segments.history.store import MongoHistoryStore
from cdp_segments.ledger import mongo_ledger
from cdp_segments.reading import Reading
from cdp_segments.standings import Standings
from cdp_segments.store import MongoPersonStore
from cdp_testkit import LocalBus
from pydantic import SecretStr

from tests.bench.segments import NAMES, START, catalog

PEOPLE: Final = 10_000
EVENTS: Final = 3
SEGMENTS: Final = 100
BATCH: Final = 1_000
ASKED: Final = 100
SPACE: Final = UUID(int=8)
TOKEN: Final = "token-of-the-bench"  # opens nothing
HEADERS: Final = {"Authorization": f"Bearer {TOKEN}"}


def updates() -> Iterator[ProfileUpdated]:
    """Everybody does something, one after the other, round after round."""
    dice = random.Random(9)
    for n in range(PEOPLE * EVENTS):
        at = moment_of(START + n * 10)
        yield ProfileUpdated(
            tenant="demo", id=uuid5(SPACE, f"u{n}"), message_id=f"m{n}", occurred_at=at, received_at=at,
            revision=n + 1, profile_id=person(n % PEOPLE), cause="event",
            traits={"plan": dice.choice(["free", "pro"])} if n < PEOPLE else {},
            event=Event(type="track", name=dice.choice(NAMES), properties={}),
        )  # fmt: skip


def person(n: int) -> UUID:
    """Somebody's id."""
    return uuid5(SPACE, f"p{n}")


class World:
    """Stores with people in them, and the API over them."""

    def __init__(self, url: str) -> None:
        settings = MongoSettings(url=url, database_prefix="reading")
        self.people, self.histories = MongoPersonStore(settings), MongoHistoryStore(settings)
        self.clock = ManualClock(moment_of(START + PEOPLE * EVENTS * 10))
        self.catalogs = Catalogs()
        for segment in catalog(SEGMENTS, "hot").segments.values():
            self._define(segment.definition)
        self.catalogs.table.caught_up = True
        standings = Standings(self.catalogs, mongo_ledger(self.people), self.clock)
        door = Door(self.people, standings, Tokens([(SecretStr(TOKEN), "demo")]), Rates(0, 1), self.clock)
        api = build_api(door, Reading(MongoCensus(self.people), self.histories))
        self.client = httpx.AsyncClient(transport=httpx.ASGITransport(api), base_url="http://x", headers=HEADERS)

    def _define(self, definition: SegmentDefined) -> None:
        record = encode(SEGMENTS_DEFINED, definition, source="bench", now=self.clock.now())
        self.catalogs.table.apply(definition.id, record.value)

    async def fill(self) -> float:
        """Let everything happen; flips a second that the histories took."""
        await self.people.migrate()
        await self.histories.migrate()
        bus, flips, seconds = LocalBus(self.clock), 0, 0.0
        bus.attach("segments-evaluator", stages(self.histories))
        segments, stream = self.catalogs.of("demo"), enumerate(updates())
        while batch := [*itertools.islice(stream, BATCH)]:
            records = await self.people.load(record for _, update in batch for record in involved(update))
            told = [
                m for n, update in batch for m in react(records, update, Delivery(0, n, START + n * 10), segments)
            ]
            for record in records.values():
                record.told = []
            await self.people.save(records)
            await bus.publish(MEMBERSHIP_CHANGED, *told)
            started = time.perf_counter()
            await bus.drain()
            seconds += time.perf_counter() - started
            flips += sum(len(message.changes) for message in told)
        return flips / seconds

    async def close(self) -> None:
        await self.client.aclose()
        await self.people.close()
        await self.histories.close()


def requests() -> Iterator[tuple[str, str, dict[str, Any] | None]]:
    """What is asked, and of which kind."""
    kept = {"kind": "not", "of": {"kind": "trait", "trait": "plan", "op": "==", "value": "pro"}}
    for n in range(ASKED):
        name, other, who = f"s{n % SEGMENTS}", f"s{(n * 7 + 1) % SEGMENTS}", person(n * 37 % PEOPLE)
        yield "segment", f"/v1/segments/{name}", None
        yield "size", f"/v1/segments/{name}/size", None
        yield "activity", f"/v1/segments/{name}/activity", None
        yield "overlap", f"/v1/segments/overlap?a={name}&b={other}", None
        yield "members, 100", f"/v1/segments/{name}/members", None
        yield "segments of a person", f"/v1/profiles/{who}/segments", None
        yield "history of a person", f"/v1/profiles/{who}/segments/history", None
        yield "explain", f"/v1/segments/{name}/explain/{who}", None
        if n % 20 == 0:
            yield "list of 100", "/v1/segments", None
            yield "preview, everybody", "/v1/segments/preview", {"when": kept}


async def measured(world: World) -> dict[str, list[float]]:
    """Milliseconds by kind."""
    found: dict[str, list[float]] = {}
    for kind, path, body in requests():
        started = time.perf_counter()
        answer = await (world.client.post(path, json=body) if body else world.client.get(path))
        found.setdefault(kind, []).append((time.perf_counter() - started) * 1000)
        assert answer.status_code == 200, (path, answer.text)
    return found


async def main(url: str) -> None:
    """Fill, ask, print."""
    world = World(url)
    print(f"{await world.fill():>10,.0f} flips a second into histories and sums")
    for kind, milliseconds in (await measured(world)).items():
        cuts = quantiles(milliseconds, n=20)
        print(f"{kind:<24}{cuts[9]:>8.1f}{cuts[18]:>8.1f} ms  ({len(milliseconds)} requests)")
    await world.close()


if __name__ == "__main__":
    with tempfile.TemporaryDirectory() as folder, Stack.start("local", Path(folder), only=("mongo",)) as stack:
        asyncio.run(main(stack.mongo))

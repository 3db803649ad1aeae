"""Builders of the messages that the evaluator reads, and the evaluator on a bus of its own."""

from __future__ import annotations

import sys
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from functools import partial
from pathlib import Path
from typing import Any
from uuid import UUID, uuid5

import pytest
from cdp_contracts.computed_v1 import ComputedTraitDefined
from cdp_contracts.conditions_v1 import Condition
from cdp_contracts.definitions_v1 import SegmentDefined
from cdp_contracts.events_v1 import Event
from cdp_contracts.identities_v1 import Parting
from cdp_contracts.profiles_v1 import ProfileUpdated
from cdp_contracts.topics import (
    COMPUTED_TRAITS_DEFINED,
    MEMBERSHIP_CHANGED,
    PROFILES_UPDATED,
    SEGMENTS_DEFINED,
    TRAITS_COMPUTED,
)
from cdp_runtime.records import MemoryRecords
from cdp_segments.catalogs import Catalogs
from cdp_segments.domain.catalog import Catalog
from cdp_segments.domain.computed_traits import ComputedTraits, compile_trait
from cdp_segments.domain.person import Person, person_id
from cdp_segments.domain.segments import compile_segment
from cdp_segments.handlers import stages
from cdp_segments.ledger import memory_ledger
from cdp_segments.lifecycle import Lifecycle
from cdp_segments.store import MemoryPersonStore, PersonStore
from cdp_segments.timers import MemoryTimers, Timers
from cdp_testkit import Crash, LocalBus
from pydantic import TypeAdapter

sys.path.insert(0, str(Path(__file__).parent))

from sender_world import Sending
from webhook_receiver import Receiver, receiving

NAMES = UUID("6f0c6c1e-58a2-4c43-9a39-1f0f5ad0a002")
NOON = datetime(2026, 1, 5, 12, 0, tzinfo=UTC)
CONDITIONS: TypeAdapter[Condition] = TypeAdapter(Condition)


@dataclass(frozen=True)
class Make:
    """Makes messages; equal arguments make equal messages."""

    tenant: str = "demo"

    def profile_id(self, name: str) -> UUID:
        return uuid5(NAMES, name)

    def person_id(self, name: str) -> str:
        return person_id(self.tenant, self.profile_id(name))

    def condition(self, **fields: Any) -> Condition:
        return CONDITIONS.validate_python(fields)

    def segment(self, name: str, *, version: int = 1, state: str = "live", **when: Any) -> SegmentDefined:
        return SegmentDefined(
            tenant=self.tenant, name=name, version=version, title=name.title(), state=state,
            when=self.condition(**when),
        )  # fmt: skip

    def trait(self, name: str, *, version: int = 1, state: str = "live", **compute: Any) -> ComputedTraitDefined:
        about = {"tenant": self.tenant, "name": name, "title": name, "version": version, "state": state}
        return ComputedTraitDefined.model_validate({**about, "compute": compute})

    def catalog(self, *definitions: SegmentDefined | ComputedTraitDefined) -> Catalog:
        segments = [compile_segment(one) for one in definitions if isinstance(one, SegmentDefined)]
        traits = [compile_trait(one) for one in definitions if isinstance(one, ComputedTraitDefined)]
        return Catalog(segments).compute(ComputedTraits(traits))

    def event(
        self, n: int, who: str, name: str = "view", *, at: float = 0, part: str | None = None, **properties: Any
    ) -> ProfileUpdated:
        """The n-th update: somebody does something so many seconds past noon."""
        event = Event(type="track", name=name, properties=properties)
        return self.update(n, who, at=at, event=event, part=part)

    def traits(self, n: int, who: str, *, at: float = 0, **traits: Any) -> ProfileUpdated:
        """The n-th update: something becomes known of somebody."""
        identify = Event(type="identify", name="identify", traits=traits)
        return self.update(n, who, at=at, event=identify, traits=traits)

    def merge(self, n: int, survivor: str, absorbed: str, *, at: float = 0, **traits: Any) -> ProfileUpdated:
        """The n-th update: somebody becomes part of somebody else."""
        return self.update(n, survivor, at=at, cause="merge", absorbed=self.profile_id(absorbed), traits=traits)

    def parting(self, who: str, *parts: str) -> Parting:
        """These identifiers are somebody's from now on."""
        return Parting(profile_id=self.profile_id(who), identifiers=parts)

    def unmerge(self, n: int, who: str, *partings: Parting, at: float = 0, **fields: Any) -> ProfileUpdated:
        """The n-th update: what had been taken for one person is several."""
        about = {"cause": "merge", "partings": partings, "parting_version": 1, **fields}
        return self.update(n, who, at=at, **about)

    def update(self, n: int, who: str, *, at: float = 0, **fields: Any) -> ProfileUpdated:
        moment = NOON + timedelta(seconds=at)
        return ProfileUpdated(
            tenant=self.tenant, id=uuid5(NAMES, f"update {n}"), message_id=f"m{n}", occurred_at=moment,
            received_at=moment, profile_id=self.profile_id(who), revision=n + 1, **{"cause": "event", **fields},
        )  # fmt: skip


@dataclass
class Fuse:
    """Burns down by one with every step of the evaluator, and kills it at the end."""

    left: int = -1

    def step(self, *_: object) -> None:
        self.left -= 1
        if self.left == 0:
            raise Crash


class FusedRecords(MemoryRecords[Person]):
    """Records whose writes are steps: the evaluator may be killed before each, and after."""

    def __init__(self, fuse: Fuse) -> None:
        super().__init__(Person)
        self._fuse = fuse

    async def save(self, people: Mapping[str, Person]) -> None:
        for record in [record for record in people.values() if record.changed]:
            self._fuse.step()
            await super().save({record.id: record})
        self._fuse.step()


class FusedTimers(MemoryTimers):
    """Timers whose writes are steps."""

    def __init__(self, fuse: Fuse) -> None:
        super().__init__()
        self._fuse = fuse

    async def set(self, alarms) -> None:
        self._fuse.step()
        await super().set(alarms)

    async def move_on(self, moves) -> None:
        self._fuse.step()
        await super().move_on(moves)
        self._fuse.step()


class Evaluator:
    """The evaluator on a bus of its own."""

    def __init__(self, make: Make, people: PersonStore | None = None, timers: Timers | None = None) -> None:
        self.make = make
        self.fuse = Fuse()
        self.bus = LocalBus()
        self.bus.script = self.fuse.step
        memory = MemoryPersonStore()
        memory.records = FusedRecords(self.fuse)
        self.people = people or memory
        self.timers = timers or FusedTimers(self.fuse)
        self.ledger = memory_ledger()
        self.start()

    def start(self) -> None:
        """As a new process: nothing stays but what is stored."""
        self.catalogs = Catalogs()
        lifecycle = Lifecycle(self.catalogs, self.people, self.timers, self.ledger, self.bus)
        roles = stages(self.catalogs, self.people, self.timers, lifecycle)
        self.bus.attach("segments-evaluator", roles, self.catalogs.tables)

    async def define(self, *definitions) -> None:
        traits = [one for one in definitions if isinstance(one, ComputedTraitDefined)]
        await self.bus.publish(COMPUTED_TRAITS_DEFINED, *traits)
        await self.bus.publish(SEGMENTS_DEFINED, *(one for one in definitions if one not in traits))
        await self.bus.tick()

    async def happens(self, *updates) -> None:
        """Publish at this moment, one batch, and handle it."""
        await self.publish(*updates)
        await self.bus.drain()

    async def publish(self, *updates) -> None:
        await self.bus.publish(PROFILES_UPDATED, *updates)

    async def passes(self, seconds: float) -> None:
        self.bus.clock.advance(seconds)
        await self.bus.tick()

    def told(self, who: str):
        """What was told of somebody, each message once, by version."""
        mine = [m for m in self.bus.messages(MEMBERSHIP_CHANGED) if m.profile_id == self.make.profile_id(who)]
        return sorted({m.version: m for m in mine}.values(), key=lambda m: m.version)

    def computed(self, who: str):
        """What was computed of somebody, each message once, by version."""
        mine = [m for m in self.bus.messages(TRAITS_COMPUTED) if m.profile_id == self.make.profile_id(who)]
        return sorted({m.version: m for m in mine}.values(), key=lambda m: m.version)

    def flips(self, who: str):
        return [(c.segment, c.member, c.cause) for m in self.told(who) for c in m.changes]

    def person(self, who: str) -> Person:
        record = self.make.person_id(who)
        return Person.from_state(record, self.people.records.documents[record])


@pytest.fixture(scope="session")
def make() -> Make:
    """The builders."""
    return Make()


@pytest.fixture(scope="session")
def noon() -> datetime:
    """The instant all tests count from."""
    return NOON


@pytest.fixture
def bare_evaluator(make: Make) -> Evaluator:
    """An evaluator that knows no segment."""
    return Evaluator(make)


@pytest.fixture(scope="session")
def evaluators(make: Make) -> Callable[[], Evaluator]:
    """Makes as many of those as one likes."""
    return partial(Evaluator, make)


@pytest.fixture
async def evaluator(make: Make) -> Evaluator:
    """An evaluator with three segments."""
    return await shop(make)


@pytest.fixture
def fresh(make: Make) -> Callable[..., Awaitable[Evaluator]]:
    """Makes as many of those as one likes."""
    return partial(shop, make)


async def shop(make: Make, people: PersonStore | None = None, timers: Timers | None = None) -> Evaluator:
    viewed = {"kind": "count", "event": "view"}
    evaluator = Evaluator(make, people, timers)
    await evaluator.define(
        make.segment("viewed-twice", **viewed, n=2),
        make.segment("active", **viewed, window={"kind": "sliding", "seconds": 5}),
        make.segment("pro", kind="trait", trait="plan", op="==", value="pro"),
    )
    return evaluator


@pytest.fixture
async def sending(tmp_path: Path) -> AsyncIterator[Sending]:
    """A sender without any destination."""
    made = Sending(tmp_path)
    yield made
    await made.close()


@pytest.fixture(name="shop")
async def endpoint() -> AsyncIterator[Receiver]:
    """An endpoint that listens."""
    async with receiving() as receiver:
        yield receiver


@pytest.fixture(name="mail")
async def other_endpoint() -> AsyncIterator[Receiver]:
    """Another."""
    async with receiving() as receiver:
        yield receiver

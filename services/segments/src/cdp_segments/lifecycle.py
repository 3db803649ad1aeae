"""How definitions come into force: counted from the log behind a fence, then everybody is held against them once.

1. `adopt`: what is wanted is counted from now on; where this process stands in a partition is its fence.
2. `replay`: the log before the fence is counted, in bounded steps between batches.
3. Once that is so in every partition, the definitions are in force for all.
4. `hold`: everybody of a partition is held against them, page by page.

The catalogs change in `adopt` alone, so never within a batch. Every step is a compare-and-set of one record and
may be repeated: whoever owns a partition after a crash or a rebalance goes on.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from functools import partial
from typing import Final, TypeAlias

from cdp_runtime.batch import Tick
from cdp_runtime.transport import History

from cdp_segments.alarms import alarms_of, move_on
from cdp_segments.catalogs import Catalogs, Worlds
from cdp_segments.domain.feeds import feeds_of, lacking
from cdp_segments.domain.holding import hold
from cdp_segments.domain.progress import InForce, Progress, Replay, first_ever
from cdp_segments.domain.telling import milliseconds_of, moment_of
from cdp_segments.domain.worlds import World
from cdp_segments.ledger import Ledger
from cdp_segments.replaying import Replaying
from cdp_segments.store import PersonStore
from cdp_segments.timers import Alarm, Timers

HELD_AT_ONCE: Final = 500
LONG_AGO: Final = moment_of(0)

Stamp: TypeAlias = tuple[int, frozenset[int]]


@dataclass
class Standing:
    """What was read of the ledger, and the worlds that follow from it."""

    in_force: Mapping[str, InForce]
    progress: Mapping[str, Progress]
    worlds: dict[str, World] = field(default_factory=dict)

    def of(self, partitions: Mapping[int, object]) -> list[tuple[int, Progress]]:
        """How far some partitions have come."""
        return [(number, self.progress[str(number)]) for number in sorted(partitions)]

    def unheld(self, partitions: Mapping[int, object]) -> Iterator[tuple[int, str]]:
        """The tenants of which people in these partitions may not be held yet against what is in force."""
        for number, progress in self.of(partitions):
            for tenant, world in self.worlds.items():
                if progress.held.get(tenant) != world.catalog.fingerprint:
                    yield number, tenant

    def busy(self, partitions: Mapping[int, object]) -> bool:
        """Whether anything is still to be counted or to come into force."""
        pending = any(world.pending for world in self.worlds.values())
        return pending or any(progress.replay for _, progress in self.of(partitions))


class Lifecycle:
    """Brings definitions into force in the partitions of this process."""

    def __init__(
        self, catalogs: Catalogs, people: PersonStore, timers: Timers, ledger: Ledger, history: History
    ) -> None:
        self._catalogs = catalogs
        self._people = people
        self._timers = timers
        self._ledger = ledger
        self._replaying = Replaying(people, history)
        self._worlds = Worlds(catalogs)
        self._standing: Standing | None = None
        self._settled: Stamp | None = None

    async def assigned(self, positions: Mapping[int, int]) -> None:
        """Adopt what is in force before anything of these partitions is handled."""
        self._settled = None
        await self.adopt(positions, LONG_AGO)

    async def adopt(self, positions: Mapping[int, int], now: datetime) -> None:
        """Count what is wanted, and put into force what was counted everywhere. Safe twice; may raise Conflict."""
        if self._settled == self._stamp(positions):
            self._standing = None
            return
        while await self._adopt_once(positions, milliseconds_of(now)):
            pass

    async def hold(self, tick: Tick) -> None:
        """Hold the next page of people against the definitions in force. Safe twice."""
        if self._standing is None:
            return
        unheld = list(self._standing.unheld(tick.positions))
        known = (each for each in unheld if tick.watermarks.get(each[0], LONG_AGO) > LONG_AGO)
        if one := next(known, None):
            tick.hurry()
            await self._hold_page(tick, *one)
        elif not unheld and not self._standing.busy(tick.positions):
            self._settled = self._stamp(tick.positions)

    async def replay(self, tick: Tick) -> None:
        """Count some more of the log."""
        if self._standing is None:
            return
        for partition, progress in self._standing.of(tick.positions):
            if progress.replay is not None:
                tick.hurry()
                await self._replaying.go_on(partition, progress, self._standing.worlds)
                await self._ledger.progress.save({progress.id: progress})
                break

    def _stamp(self, positions: Mapping[int, int]) -> Stamp:
        return self._catalogs.revision, frozenset(positions)

    async def _adopt_once(self, positions: Mapping[int, int], now: int) -> bool:
        """Whether something came into force, so that there may be more to adopt."""
        standing = self._standing = await self._load()
        mine = standing.of(positions)
        for _, progress in mine:
            self._let_go(progress, standing)
        await self._ledger.progress.save({progress.id: progress for _, progress in mine})
        self._catalogs.adopt({tenant: world.catalog for tenant, world in standing.worlds.items()})
        for partition, progress in mine:
            begin(progress, positions[partition], standing.worlds)
        await self._ledger.progress.save({progress.id: progress for _, progress in mine})
        return await self._put_into_force(standing, now)

    async def _load(self) -> Standing:
        """What is wanted beside what is in force. Where nothing ever was, all is that is wanted."""
        wanted = self._catalogs.wanted()
        in_force = await self._ledger.in_force.load({*wanted, *self._worlds.tenants})
        progress = await self._ledger.progress.load(map(str, await self._replaying.partitions()))
        if first_ever(in_force.values(), progress.values()):
            for tenant, segments in wanted.items():
                in_force[tenant].put({segment.name: segment.definition for segment in segments})
            await self._ledger.in_force.save(in_force)
        standing = Standing(in_force, progress)
        for tenant, record in in_force.items():
            standing.worlds[tenant] = self._worlds.of(tenant, record.definitions, record.rev)
        return standing

    def _let_go(self, progress: Progress, standing: Standing) -> None:
        """A partition that nobody ever had counts what is in force from its beginning."""
        for tenant, world in standing.worlds.items():
            if not progress.rev:
                progress.learn(tenant, feeds_of(world.catalog.segments.values()))
            progress.keep(tenant, world.needed)

    async def _put_into_force(self, standing: Standing, now: int) -> bool:
        for tenant, world in standing.worlds.items():
            known = [progress.known.get(tenant, {}) for progress in standing.progress.values()]
            if names := world.ready(known, now):
                record = standing.in_force[tenant]
                chosen = {**world.in_force, **{name: world.wanted[name] for name in names}}
                record.put({name: segment.definition for name, segment in chosen.items()})
        released = any(record.changed for record in standing.in_force.values())
        await self._ledger.in_force.save(standing.in_force)
        return released

    async def _hold_page(self, tick: Tick, partition: int, tenant: str) -> None:
        until, standing = milliseconds_of(tick.watermarks[partition]), self._standing
        assert standing is not None  # noqa: S101  # nosec B101  # `hold` looked
        catalog, progress = standing.worlds[tenant].catalog, standing.progress[str(partition)]
        ids = await self._people.stale(tenant, partition, catalog.fingerprint, HELD_AT_ONCE)
        if not ids:
            progress.hold(tenant, catalog.fingerprint)
            await self._ledger.progress.save({progress.id: progress})
            return
        people = await self._people.load(ids)
        told: list[Alarm] = []
        for id_ in ids:
            if messages := hold(people[id_], until, catalog):
                tick.emit(*messages)
                told.append(Alarm(partition, id_, until))
        await self._timers.set(told)
        await self._people.save(people)
        await self._timers.set(alarms_of(people))
        tick.after_ack(partial(move_on, told, people, self._people, self._timers))


def begin(progress: Progress, position: int, worlds: Mapping[str, World]) -> None:
    """Count from the log what is wanted and not known, unless that is on its way."""
    if progress.replay is not None:
        return
    counting = {t: feeds for t, w in worlds.items() if (feeds := lacking(w.seeding, progress.known.get(t, {})))}
    if counting:
        progress.begin(Replay(0, 0, position), counting)
        if position == 0:
            progress.reach(0)

"""What the evaluator does: read this page first."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from functools import partial
from typing import Any, Final

from cdp_contracts.computed_v1 import TraitsComputed
from cdp_contracts.profiles_v1 import ProfileUpdated
from cdp_contracts.segments_v1 import MembershipChanged
from cdp_contracts.topics import MEMBERSHIP_CHANGED, PROFILES_UPDATED, TRAITS_COMPUTED
from cdp_runtime.batch import Batch, Tick
from cdp_runtime.stage import Stage

from cdp_segments.alarms import alarms_of, move_on
from cdp_segments.catalogs import Catalogs
from cdp_segments.domain.computing import compute, compute_by_clock
from cdp_segments.domain.engine import involved, react, wake
from cdp_segments.domain.person import Person
from cdp_segments.domain.telling import Delivery, forget_acknowledged, milliseconds_of
from cdp_segments.lifecycle import Lifecycle
from cdp_segments.metrics import observe_lateness
from cdp_segments.store import PersonStore
from cdp_segments.timers import Timers

DUE_A_PARTITION: Final = 64
REFILL_SECONDS: Final = 600


async def evaluate(batch: Batch[ProfileUpdated], catalogs: Catalogs, people: PersonStore, timers: Timers) -> None:
    """Hold each person against the segments that an update may concern, and compute traits. Safe twice."""
    records = await people.load(record for update in batch for record in involved(update))
    forget_acknowledged(records.values(), starts_of(batch))
    for update in batch:
        delivery, catalog = delivery_of(batch, update), catalogs.of(update.tenant)
        batch.emit(*react(records, update, delivery, catalog), cause=update)
        batch.emit(*compute(records, update, delivery, catalog), cause=update)
        batch.settle(update)
    await people.save(records)
    await timers.set(alarms_of(records))


async def fire_timers(tick: Tick, catalogs: Catalogs, people: PersonStore, timers: Timers) -> None:
    """Let the clock do its part; the timers move on once that is acknowledged. Safe twice."""
    until = {partition: milliseconds_of(mark) for partition, mark in tick.watermarks.items()}
    await refill(people, timers, until, milliseconds_of(tick.now))
    due = await timers.due(until, DUE_A_PARTITION)
    observe_lateness(due, milliseconds_of(tick.now))
    records = await people.load(alarm.id for alarm in due)
    for alarm in due:
        tick.emit(*by_clock(records[alarm.id], until[alarm.partition], catalogs))
    await people.save(records)
    tick.after_ack(partial(move_on, due, records, people, timers))


def by_clock(person: Person, until: int, catalogs: Catalogs) -> Iterator[MembershipChanged | TraitsComputed]:
    """What the clock brings about for a person up to an instant."""
    catalog = catalogs.of(person.tenant)
    yield from wake(person, until, catalog)
    yield from compute_by_clock(person, until, catalog)


async def take_turn(
    lifecycle: Lifecycle, tick: Tick, catalogs: Catalogs, people: PersonStore, timers: Timers
) -> None:
    """Bring definitions into force, let the clock do its part, hold people against what is new. Safe twice."""
    await lifecycle.adopt(tick.positions, tick.now)
    await fire_timers(tick, catalogs, people, timers)
    await lifecycle.hold(tick)
    tick.after_ack(partial(lifecycle.replay, tick))


async def refill(people: PersonStore, timers: Timers, partitions: Iterable[int], now: int) -> None:
    """Build queues that are not marked as filled from the store, farther ahead than the mark will last."""
    for partition in await timers.unmarked(partitions):
        async for page in people.alarms(partition, now + 2 * REFILL_SECONDS * 1000):
            await timers.set(page)
        await timers.mark(partition, REFILL_SECONDS)


def starts_of(batch: Batch[ProfileUpdated]) -> dict[int, int]:
    """Where the batch begins in each partition."""
    starts: dict[int, int] = {}
    for origin in map(batch.origin, batch):
        starts[origin.partition] = min(origin.offset, starts.get(origin.partition, origin.offset))
    return starts


def delivery_of(batch: Batch[ProfileUpdated], update: ProfileUpdated) -> Delivery:
    """Where an update stands, and when it was written there."""
    origin = batch.origin(update)
    return Delivery(origin.partition, origin.offset, milliseconds_of(min(origin.timestamp, batch.now)))


def stages(catalogs: Catalogs, people: PersonStore, timers: Timers, lifecycle: Lifecycle) -> list[Stage[Any]]:
    """The evaluator's stages."""
    return [
        Stage(
            evaluate,
            reads=PROFILES_UPDATED,
            emits=[MEMBERSHIP_CHANGED, TRAITS_COMPUTED],
            uses=[catalogs, people, timers],
            on_tick=partial(take_turn, lifecycle),
            on_assigned=lifecycle.assigned,
        )
    ]

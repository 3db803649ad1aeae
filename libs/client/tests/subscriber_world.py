"""A topic that is compacted, a subscriber that is killed at any call, and what it was told."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence
from contextlib import suppress
from datetime import UTC, datetime
from typing import Any
from uuid import UUID, uuid5

from aiokafka import TopicPartition
from aiokafka.errors import KafkaTimeoutError
from cdp_client import Flip, follow
from cdp_client.reading import UNFINISHED
from cdp_contracts.envelope import NAMESPACE
from cdp_contracts.segments_v1 import Membership, MembershipChange, MembershipChanged
from cdp_contracts.topics import MEMBERSHIP_CHANGED
from cdp_runtime.transport import Incoming
from cdp_testkit.subscribing import BusConsumer

NOON = datetime(2026, 1, 5, 12, 0, tzinfo=UTC)
TOPIC = MEMBERSHIP_CHANGED.name
PARTITIONS = 2
SEGMENT = "vip"


class Killed(BaseException):
    """The process ends here."""


class World:
    """People who flip, their topic, and the state that a subscriber keeps of its segment."""

    def __init__(self) -> None:
        self.log: dict[int, list[Incoming]] = {n: [] for n in range(PARTITIONS)}
        self.ends: dict[int, int] = dict.fromkeys(range(PARTITIONS), 0)
        self.committed: dict[TopicPartition, tuple[int, str]] = {}
        self.versions: dict[UUID, int] = defaultdict(int)
        self.maps: dict[UUID, set[str]] = defaultdict(set)
        self.first: dict[UUID, tuple[int, int]] = {}  # message id -> where its first copy stood
        self.flips: set[UUID] = set()  # messages that tell a flip of the segment
        self.removed: set[UUID] = set()
        self.only_copies: set[UUID] = set()  # compaction left a copy at most, farther on than the original
        self.snapshot_ends: dict[int, int] = {}
        self.members: dict[UUID, bool] = {}
        self.told: set[UUID] = set()
        self.erased: set[UUID] = set()

    def flip(self, who: int, *segments: str, cause: Any = "event") -> None:
        """Somebody enters these segments, or leaves those that he is in; none: all are left."""
        person, partition = UUID(int=who + 1), who % PARTITIONS
        if person in self.erased:
            return
        inside = self.maps[person]
        changed = segments or tuple(sorted(inside))
        inside ^= set(changed)
        self.versions[person] += 1
        changes = tuple(
            MembershipChange(
                segment=name, segment_version=1, member=name in inside, cause=cause, effective_at=NOON
            )
            for name in changed
        )
        message = MembershipChanged(
            tenant="demo", id=uuid5(NAMESPACE, f"{person}/{self.ends[partition]}"), message_id="m",
            occurred_at=NOON, received_at=NOON, profile_id=person, version=self.versions[person], changes=changes,
            memberships={name: Membership(since=NOON) for name in inside}, computed_at=NOON,
        )  # fmt: skip
        self.first[message.id] = (partition, self.ends[partition])
        if SEGMENT in changed:
            self.flips.add(message.id)
        self._append(partition, str(person).encode(), message.model_dump_json().encode())

    def repeat(self, partition: int, last: int) -> None:
        """The evaluator was killed before its commit: its last messages come again, in order."""
        for record in self.log[partition][-last:]:
            if record.value is not None:
                self._append(partition, record.key, record.value)

    def erase(self, who: int) -> None:
        """A null value: he was erased, and nothing new comes of him."""
        person = UUID(int=who + 1)
        self.maps.pop(person, None)
        self.erased.add(person)
        self._append(who % PARTITIONS, str(person).encode(), None)

    def compact(self, partition: int) -> None:
        """Of each key the newest record is left, and the partition's last."""
        records = self.log[partition]
        newest = {record.key: record.offset for record in records}
        kept = [one for one in records if newest[one.key] == one.offset or one is records[-1]]
        for one in records:
            if one not in kept and one.value is not None:
                id_ = MembershipChanged.model_validate_json(one.value).id
                if self.first[id_] == (partition, one.offset):
                    self.only_copies.add(id_)
        gone = {one.value for one in records} - {one.value for one in kept}
        for value in gone - {None}:
            self.removed.add(MembershipChanged.model_validate_json(value or b"").id)
        self.log[partition] = kept

    def _append(self, partition: int, key: bytes | None, value: bytes | None) -> None:
        self.log[partition].append(Incoming(TOPIC, partition, self.ends[partition], NOON, key, value, ()))
        self.ends[partition] += 1

    def truth(self) -> dict[UUID, bool]:
        """Who is in the segment."""
        return {person: SEGMENT in inside for person, inside in self.maps.items()}

    def lost(self) -> set[UUID]:
        """Flips that stood behind the snapshot, were never compacted away, and were not told."""
        behind = {
            message for message, (partition, offset) in self.first.items()
            if offset >= self.snapshot_ends.get(partition, 0)
        }  # fmt: skip
        return (behind & self.flips) - self.removed - self.told


class Consumer(BusConsumer):
    """A process' consumer: ended at its n-th call, or the broker does not answer then."""

    def __init__(self, world: World, *, killed_at: int = 0, away_at: int = 0, mine: Sequence[int] = ()) -> None:
        super().__init__(lambda tp: world.log[tp.partition], lambda _: PARTITIONS, world.committed)
        self.world = world
        self.killed_at = killed_at
        self.away_at = away_at
        self.calls = 0
        self.mine = tuple(mine)

    def acts(self) -> None:
        self.calls += 1
        if self.killed_at and self.calls >= self.killed_at:
            raise Killed

    def step(self) -> None:
        self.acts()
        if self.calls == self.away_at:
            raise KafkaTimeoutError

    async def getmany(
        self, *partitions: TopicPartition, timeout_ms: int, max_records: int
    ) -> Mapping[TopicPartition, Sequence[Incoming]] | None:
        self.acts()
        if not self.assignment() and self.mine:
            await self.assign(TopicPartition(TOPIC, n) for n in self.mine)
            return {}
        return await super().getmany(*partitions, timeout_ms=timeout_ms, max_records=2)

    async def stored(self, partition: TopicPartition) -> tuple[int, str] | None:
        self.step()
        return await super().stored(partition)

    async def end_offsets(self, partitions: list[TopicPartition]) -> dict[TopicPartition, int]:
        self.step()
        return {tp: self.world.ends[tp.partition] for tp in partitions}

    async def commit(self, offsets: Mapping[TopicPartition, tuple[int, str]]) -> None:
        self.step()
        for tp, (offset, note) in offsets.items():
            if note == UNFINISHED:
                assert tp.partition not in self.world.snapshot_ends, "a snapshot is as of one offset, for ever"
                self.world.snapshot_ends[tp.partition] = offset
        await super().commit(offsets)


class Process:
    """One run of the subscriber's program, which keeps what it is told at once."""

    def __init__(self, world: World, consumer: Consumer) -> None:
        self.world = world
        self.consumer = consumer
        self.began = dict(world.committed)
        self.versions: dict[UUID, int] = {}
        self.stream = follow(consumer, SEGMENT)

    async def runs(self, flips: int | None = None) -> bool:
        """Handle so many flips, or all there are; whether it lives."""
        handled = 0
        try:
            while flips is None or handled < flips:
                self.handle(await anext(self.stream))
                handled += 1
        except StopAsyncIteration:
            return True
        except Killed:
            return False
        return True

    async def dies(self) -> None:
        """As kill -9 does: nothing more is committed."""
        self.consumer.killed_at = 1
        with suppress(Killed):
            await self.stream.aclose()

    def handle(self, flip: Flip) -> None:
        self.consumer.acts()
        partition, offset = self.world.first[flip.message.id]
        if not flip.snapshot:
            began, _ = self.began.get(TopicPartition(TOPIC, partition), (0, ""))
            known = offset < began and flip.message.id not in self.world.only_copies
            assert not known, "what was committed does not come again"
        known = self.versions.get(flip.profile_id, 0)
        assert flip.version > known or flip.snapshot, "within a process no version comes twice, or after a newer"
        self.versions[flip.profile_id] = flip.version
        self.world.members[flip.profile_id] = flip.entered
        self.world.told.add(flip.message.id)


async def settled(world: World) -> None:
    """A last run that nobody disturbs; then the subscriber knows what is true, and was told every flip."""
    process = Process(world, Consumer(world))
    assert await process.runs()
    truth = world.truth()
    assert {who: world.members.get(who, False) for who in truth} == truth
    assert world.lost() == set()

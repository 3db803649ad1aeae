"""Reads the topic as a member of a consumer group: snapshots, flips, and how far they are handled."""

from __future__ import annotations

import time
from collections.abc import AsyncGenerator, Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Any, Final, Protocol

from cdp_client.following import Flip, Following, Gathering, Record, Versions, Wanted

if TYPE_CHECKING:
    from aiokafka import TopicPartition

COMMIT_SECONDS: Final = 1.0
COMMIT_MESSAGES: Final = 100
LOOK_BACK: Final = 5_000
POLL_MS: Final = 1000
UNFINISHED: Final = "snapshot"


class Consumer(Protocol):
    """What it takes of aiokafka's consumer; the testkit's `LocalBus.subscriber` has it too.

    `stored` is the committed offset with its metadata. `getmany` answers None once there can never be more.
    """

    def subscribe(self, topics: Sequence[str], *, listener: Any) -> None: ...
    def assignment(self) -> Iterable[TopicPartition]: ...
    def seek(self, partition: TopicPartition, offset: int) -> None: ...
    async def getmany(
        self, *partitions: TopicPartition, timeout_ms: int, max_records: int
    ) -> Mapping[TopicPartition, Sequence[Record]] | None: ...
    async def position(self, partition: TopicPartition) -> int: ...
    async def stored(self, partition: TopicPartition) -> tuple[int, str] | None: ...
    async def beginning_offsets(self, partitions: list[TopicPartition]) -> Mapping[TopicPartition, int]: ...
    async def end_offsets(self, partitions: list[TopicPartition]) -> Mapping[TopicPartition, int]: ...
    async def commit(self, offsets: Mapping[TopicPartition, tuple[int, str]]) -> None: ...


class Place:
    """A partition as long as it is ours; `following` once it is known from where."""

    following: Following | None = None


class Reading:
    """Tells the flips of the partitions that it is given, and commits what is handled."""

    def __init__(self, consumer: Consumer, wanted: Wanted, *, snapshot: bool) -> None:
        self._consumer = consumer
        self._wanted = wanted
        self._snapshot = snapshot
        self._places: dict[TopicPartition, Place] = {}
        self._told: dict[
            TopicPartition, Versions
        ] = {}  # if a partition comes back, what was in hand comes not again
        self._progress = Progress(consumer)

    async def flips(self) -> AsyncGenerator[Flip, None]:
        """For as long as somebody iterates. A flip is handled when the next one is asked for."""
        while True:
            for partition, place in list(self._places.items()):
                if place.following is None and self._is(partition, place):
                    async for flip in self._begin(partition, place):
                        yield flip
            fetched = await self._consumer.getmany(timeout_ms=POLL_MS, max_records=COMMIT_MESSAGES)
            if fetched is None:
                return
            for partition, records in fetched.items():
                async for flip in self._follow(partition, records):
                    yield flip
            await self._progress.commit_if_due()

    async def commit(self) -> None:
        """Commit what is handled."""
        await self._progress.commit()

    def given(self, partitions: Iterable[TopicPartition]) -> None:
        """They are ours from now on."""
        self._places.update((partition, Place()) for partition in partitions)

    async def lose(self, partitions: Iterable[TopicPartition]) -> None:
        """They move to another instance, which goes on from what is committed."""
        await self._progress.commit()
        for partition in partitions:
            place = self._places.pop(partition, NOWHERE)
            if place.following:
                self._told[partition] = place.following.versions
            self._progress.forget(partition)

    def _is(self, partition: TopicPartition, place: Place) -> bool:
        return self._places.get(partition) is place

    async def _follow(self, partition: TopicPartition, records: Iterable[Record]) -> AsyncGenerator[Flip, None]:
        for record in records:
            place = self._places.get(partition, NOWHERE)
            if place.following is None:
                return  # not ours any more, or anew: then it is read again from where it was committed
            for flip in place.following.take(record):
                yield flip
            if not self._is(partition, place):
                return
            self._progress.handled(partition, place.following.reached)
            await self._progress.commit_if_due()

    async def _begin(self, partition: TopicPartition, place: Place) -> AsyncGenerator[Flip, None]:
        """Go on from the committed position; a new group is first told who is a member."""
        from aiokafka.errors import IllegalStateError, KafkaError  # noqa: PLC0415  # an optional dependency

        try:
            stored = await self._consumer.stored(partition)
            start = (await self._consumer.beginning_offsets([partition]))[partition]
            if self._snapshot and (stored is None or stored[1] == UNFINISHED):
                members, following = await self._gather(partition, start, stored)
            else:
                position = stored[0] if stored else start
                told = self._told.get(partition)
                members, following = (), Following(self._wanted, position, told, states=self._snapshot)
                self._consumer.seek(partition, max(start, position - LOOK_BACK))
        except (KafkaError, IllegalStateError) as error:
            if isinstance(error, KafkaError) and not passes(error):
                raise
            return  # it moved away, or the broker has to come back: the next turn begins anew
        for flip in members:
            yield flip
            if not self._is(partition, place):
                return
        if self._is(partition, place):
            place.following = following
            self._progress.handled(partition, following.reached)

    async def _gather(
        self, partition: TopicPartition, start: int, stored: tuple[int, str] | None
    ) -> tuple[Iterable[Flip], Following]:
        """The members as of an offset, and what follows there.

        The offset is committed before anything is told: a snapshot that is begun again is as of the same offset,
        so whoever left meanwhile leaves by a flip. What compaction took from it since is told as things stand.
        """
        if stored is None:
            until = (await self._consumer.end_offsets([partition]))[partition]
            await self._consumer.commit({partition: (until, UNFINISHED)})
        else:
            until = stored[0]
        gathering = Gathering(self._wanted, until)
        self._consumer.seek(partition, start)
        while await self._consumer.position(partition) < until:
            fetched = await self._consumer.getmany(partition, timeout_ms=POLL_MS, max_records=COMMIT_MESSAGES)
            for record in (fetched or {}).get(partition, ()):
                gathering.take(record)
            if not fetched and (await self._consumer.end_offsets([partition]))[partition] < until:
                break  # a new leader has less
        self._consumer.seek(partition, until)
        again = stored is not None
        return gathering.members(), Following(self._wanted, until, gathering.versions, states=True, holes=again)


NOWHERE: Final = Place()


class Progress:
    """How far each partition is handled, and how much of that is committed."""

    def __init__(self, consumer: Consumer) -> None:
        self._consumer = consumer
        self._handled: dict[TopicPartition, int] = {}
        self._messages = 0
        self._committed_at = time.monotonic()

    def handled(self, partition: TopicPartition, offset: int) -> None:
        """Everything of the partition before this offset is handled."""
        self._handled[partition] = offset
        self._messages += 1

    def forget(self, partition: TopicPartition) -> None:
        """Another instance says how far it is handled."""
        self._handled.pop(partition, None)

    async def commit_if_due(self) -> None:
        """Commit after so many messages or so much time."""
        late = time.monotonic() - self._committed_at >= COMMIT_SECONDS
        if self._messages >= COMMIT_MESSAGES or (self._messages and late):
            await self.commit()

    async def commit(self) -> None:
        """Commit what is handled; what cannot be committed now comes again, or is committed next time."""
        from aiokafka.errors import IllegalStateError, KafkaError  # noqa: PLC0415  # an optional dependency

        mine = {tp: (offset, "") for tp, offset in self._handled.items() if tp in self._consumer.assignment()}
        self._messages, self._committed_at = 0, time.monotonic()
        if not mine:
            return
        try:
            await self._consumer.commit(mine)
        except (KafkaError, IllegalStateError):
            self._messages = len(mine)
        else:
            self._handled.clear()


def passes(error: BaseException) -> bool:
    """Whether the broker may be well again later, or the partition has moved."""
    from aiokafka import errors  # noqa: PLC0415  # an optional dependency

    moved = (errors.CommitFailedError, errors.IllegalGenerationError, errors.UnknownMemberIdError)
    away = (errors.KafkaConnectionError, errors.KafkaTimeoutError)
    return isinstance(error, (*moved, *away)) or bool(getattr(error, "retriable", False))


def group_member(**settings: Any) -> Any:
    """aiokafka's consumer, which can also say what is committed beside the offset."""
    from aiokafka import AIOKafkaConsumer  # noqa: PLC0415  # an optional dependency

    class Member(AIOKafkaConsumer):  # type: ignore[misc]  # aiokafka publishes no types
        async def stored(self, partition: TopicPartition) -> tuple[int, str] | None:
            """The committed offset with its metadata, which aiokafka reads and does not show."""
            found = (await self._coordinator.fetch_committed_offsets([partition])).get(partition)
            return (found.offset, found.metadata or "") if found and found.offset >= 0 else None

    return Member(**settings)


def listener_of(reading: Reading) -> Any:
    """Commits before partitions move."""
    from aiokafka import ConsumerRebalanceListener  # noqa: PLC0415  # an optional dependency

    class CommitFirst(ConsumerRebalanceListener):  # type: ignore[misc]  # aiokafka publishes no types
        async def on_partitions_revoked(self, revoked: Any) -> None:
            await reading.lose(revoked)

        async def on_partitions_assigned(self, assigned: Any) -> None:
            reading.given(assigned)

    return CommitFirst()

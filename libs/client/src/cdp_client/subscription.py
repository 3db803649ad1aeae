"""Subscribe to segments. Needs the extra `cdp-client[kafka]`."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncGenerator, Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final
from uuid import UUID

from cdp_contracts.segments_v1 import MembershipChange, MembershipChanged
from cdp_contracts.topics import MEMBERSHIP_CHANGED
from pydantic import ValidationError

if TYPE_CHECKING:
    from aiokafka import AIOKafkaConsumer, ConsumerRecord, TopicPartition

REMEMBERED: Final = 100_000
COMMIT_SECONDS: Final = 1.0
COMMIT_MESSAGES: Final = 100


class Unreadable(Exception):  # noqa: N818
    """A message that this version of the client cannot read. Says where it stands, never what is in it."""


@dataclass(frozen=True, slots=True)
class Flip:
    """One person entered or left the segment."""

    profile_id: UUID
    change: MembershipChange
    version: int
    message: MembershipChanged

    @property
    def entered(self) -> bool:
        """True when the person is in the segment now."""
        return self.change.member


async def members(
    segment: str, *, bootstrap: str, tenant: str | None = None, **options: Any
) -> dict[tuple[str, UUID], int]:
    """Who is in the segment now: tenant and profile, with the version that says so.

    Reads the topic as far as it reached when this was called, in no group, and commits nothing. Whatever was
    compacted away or comes twice: each person's newest message has the whole membership map. To go on from here,
    `subscribe` and drop what is not newer than the version. Keyword arguments go to aiokafka's consumer. Raises
    Unreadable for a message that this version of the client cannot read, LookupError if there is no such topic.
    """
    from aiokafka import AIOKafkaConsumer, TopicPartition  # noqa: PLC0415  # an optional dependency

    settings = {"auto_offset_reset": "earliest", **options, "enable_auto_commit": False}
    consumer: AIOKafkaConsumer = AIOKafkaConsumer(bootstrap_servers=bootstrap, **settings)
    await consumer.start()
    try:
        await consumer._client.force_metadata_update()  # noqa: SLF001  # aiokafka has no public refresh
        found = consumer.partitions_for_topic(MEMBERSHIP_CHANGED.name)
        if not found:
            raise LookupError(f"{MEMBERSHIP_CHANGED.name} does not exist on this broker")
        partitions = [TopicPartition(MEMBERSHIP_CHANGED.name, number) for number in sorted(found)]
        consumer.assign(partitions)  # a subscription would be assigned anew, at the end, when a leader changes
        await consumer.seek_to_beginning(*partitions)
        newest: dict[tuple[str, UUID], MembershipChanged] = {}
        ends = await consumer.end_offsets(partitions)
        while any([await consumer.position(tp) < end for tp, end in ends.items()]):
            for records in (await consumer.getmany(timeout_ms=500)).values():
                for message in filter(None, map(message_in, records)):
                    person = (message.tenant, message.profile_id)
                    if person not in newest or message.version > newest[person].version:
                        newest[person] = message
        return {
            person: message.version
            for person, message in newest.items()
            if segment in message.memberships and tenant in (None, message.tenant)
        }
    finally:
        # In a task of its own: it lets out the cancellation that it began itself (aiokafka 0.14).
        await asyncio.wait({asyncio.create_task(consumer.stop())})


async def subscribe(
    segment: str, *, bootstrap: str, group: str, tenant: str | None = None, **options: Any
) -> AsyncGenerator[Flip, None]:
    """Follow who enters and leaves a segment, for as long as you iterate.

    A flip counts as handled when you ask for the next one. What is handled is committed once a second or every
    100 messages, before partitions move to another instance of your group, and when you stop: so a flip comes
    at least once, in the order of each person. Copies (same person, version not higher) are dropped as far as
    this process remembers; keep `version` beside your own data to drop them across restarts. A new group
    starts at the beginning of what is kept. To stop before your program ends, iterate within
    `contextlib.aclosing(subscribe(...))`. Keyword arguments go to aiokafka's consumer (security, for instance).
    Raises Unreadable for a message that this version of the client cannot read.
    """
    from aiokafka import AIOKafkaConsumer  # noqa: PLC0415  # an optional dependency

    settings = {"auto_offset_reset": "earliest", **options, "enable_auto_commit": False}
    consumer: AIOKafkaConsumer = AIOKafkaConsumer(bootstrap_servers=bootstrap, group_id=group, **settings)
    progress = Progress(consumer)
    versions = Versions()
    consumer.subscribe([MEMBERSHIP_CHANGED.name], listener=listener_of(progress))
    await consumer.start()
    try:
        while True:
            fetched = await consumer.getmany(timeout_ms=int(COMMIT_SECONDS * 1000), max_records=COMMIT_MESSAGES)
            for partition, records in fetched.items():
                for record in records:
                    for flip in flips_in(record, segment, tenant, versions):
                        yield flip
                    progress.handled(partition, record.offset)
                    await progress.commit_if_due()
            await progress.commit_if_due()
    finally:
        await progress.commit()
        await consumer.stop()


def flips_in(
    record: ConsumerRecord[Any, Any], segment: str, tenant: str | None, versions: Versions
) -> Iterator[Flip]:
    """The flips of the segment in a record; none if it is a copy or somebody else's."""
    message = message_in(record)
    if message and tenant in (None, message.tenant) and versions.is_news(message):
        for change in message.changes:
            if change.segment == segment:
                yield Flip(message.profile_id, change, message.version, message)


def message_in(record: ConsumerRecord[Any, Any]) -> MembershipChanged | None:
    """The message of a record; None for a tombstone, Unreadable for what is none."""
    if record.value is None:
        return None
    try:
        return MembershipChanged.model_validate_json(record.value)
    except ValidationError:
        place = f"{record.topic}, partition {record.partition}, offset {record.offset}"
        raise Unreadable(f"{place}: not a message that this client can read") from None


class Versions:
    """The newest version of each person's membership; who has not moved for longest is forgotten first."""

    def __init__(self, most: int = REMEMBERED) -> None:
        self._most = most
        self._newest: dict[tuple[str, UUID], int] = {}

    def is_news(self, message: MembershipChanged) -> bool:
        """Whether it is newer than all that was seen of the person; from now on it is not."""
        person = (message.tenant, message.profile_id)
        known = self._newest.get(person, 0)
        if message.version <= known:
            return False
        self._newest.pop(person, None)
        self._newest[person] = message.version
        if len(self._newest) > self._most:
            del self._newest[next(iter(self._newest))]
        return True


class Progress:
    """How far each partition is handled, and how much of that is committed."""

    def __init__(self, consumer: AIOKafkaConsumer) -> None:
        self._consumer = consumer
        self._handled: dict[TopicPartition, int] = {}
        self._messages = 0
        self._committed_at = time.monotonic()

    def handled(self, partition: TopicPartition, offset: int) -> None:
        """Everything of the partition up to here is handled."""
        self._handled[partition] = offset + 1
        self._messages += 1

    async def commit_if_due(self) -> None:
        """Commit after so many messages or so much time."""
        late = time.monotonic() - self._committed_at >= COMMIT_SECONDS
        if self._messages >= COMMIT_MESSAGES or (self._messages and late):
            await self.commit()

    async def commit(self) -> None:
        """Commit what is handled; what cannot be committed now comes again, or is committed next time."""
        from aiokafka.errors import IllegalStateError, KafkaError  # noqa: PLC0415  # an optional dependency

        mine = {tp: offset for tp, offset in self._handled.items() if tp in self._consumer.assignment()}
        self._messages, self._committed_at = 0, time.monotonic()
        if not mine:
            return
        try:
            await self._consumer.commit(mine)
        except (KafkaError, IllegalStateError):
            self._messages = len(mine)
        else:
            self._handled.clear()


def listener_of(progress: Progress) -> Any:
    """Commits before partitions move."""
    from aiokafka import ConsumerRebalanceListener  # noqa: PLC0415  # an optional dependency

    class CommitFirst(ConsumerRebalanceListener):  # type: ignore[misc]  # aiokafka publishes no types
        async def on_partitions_revoked(self, revoked: Any) -> None:
            await progress.commit()

        async def on_partitions_assigned(self, assigned: Any) -> None:
            """They begin at what was committed."""

    return CommitFirst()

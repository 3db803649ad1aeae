"""Subscribe to segments. Needs the extra `cdp-client[kafka]`."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator
from contextlib import aclosing
from typing import Any
from uuid import UUID

from cdp_contracts.segments_v1 import SegmentViewEntry
from cdp_contracts.topics import MEMBERSHIP_CHANGED, SEGMENT_VIEWS_MAINTAINED

from cdp_client.following import Flip, Record, Wanted, entry_in, message_in, person_of
from cdp_client.reading import Consumer, Reading, group_member, listener_of


async def members(
    segment: str, *, bootstrap: str, tenant: str | None = None, view: bool = False, **options: Any
) -> dict[tuple[str, UUID], int]:
    """Who is in the segment now: tenant and profile, with the version that says so.

    Reads the topic as far as it reached when this was called, in no group, and commits nothing. Whatever was
    compacted away or comes twice: each person's newest message has the whole membership map. With `view` it reads
    the topic of views instead, which has the members of the segments that somebody asked a view of and nobody
    else: less to read; of a segment without a view nobody is in it. Keyword arguments go to aiokafka's consumer.
    Raises Unreadable for a message that this version of the client cannot read, LookupError if there is no such
    topic.
    """
    wanted = Wanted(segment, tenant)
    if view:
        entries: dict[bytes | None, SegmentViewEntry | None] = {}
        async with aclosing(records_of(SEGMENT_VIEWS_MAINTAINED.name, bootstrap, options)) as records:
            async for record in records:
                entries[record.key] = entry_in(record)
        found = [each for each in entries.values() if each and each.segment == segment]
        return {(each.tenant, each.profile_id): each.version for each in found if tenant in (None, each.tenant)}
    newest: dict[UUID, tuple[str, int, bool]] = {}
    async with aclosing(records_of(MEMBERSHIP_CHANGED.name, bootstrap, options)) as records:
        async for record in records:
            message = message_in(record)
            if message is None:
                newest.pop(person_of(record), None)
            elif message.version > newest.get(message.profile_id, ("", 0, False))[1]:
                newest[message.profile_id] = (message.tenant, message.version, wanted.member(message))
    return {(of, person): version for person, (of, version, member) in newest.items() if member}


async def records_of(topic: str, bootstrap: str, options: dict[str, Any]) -> AsyncGenerator[Record, None]:
    """Every record of a topic, as far as it reaches now, partition by partition in order."""
    from aiokafka import AIOKafkaConsumer, TopicPartition  # noqa: PLC0415  # an optional dependency

    settings = {"auto_offset_reset": "earliest", **options, "enable_auto_commit": False}
    consumer: AIOKafkaConsumer = AIOKafkaConsumer(bootstrap_servers=bootstrap, **settings)
    await consumer.start()
    try:
        await consumer._client.force_metadata_update()  # noqa: SLF001  # aiokafka has no public refresh
        found = consumer.partitions_for_topic(topic)
        if not found:
            raise LookupError(f"{topic} does not exist on this broker")
        partitions = [TopicPartition(topic, number) for number in sorted(found)]
        consumer.assign(partitions)  # a subscription would be assigned anew, at the end, when a leader changes
        await consumer.seek_to_beginning(*partitions)
        ends = await consumer.end_offsets(partitions)
        while any([await consumer.position(tp) < end for tp, end in ends.items()]):
            for records in (await consumer.getmany(timeout_ms=500)).values():
                for record in records:
                    yield record
    finally:
        # In a task of its own: it lets out the cancellation that it began itself (aiokafka 0.14).
        await asyncio.wait({asyncio.create_task(consumer.stop())})


async def subscribe(
    segment: str, *, bootstrap: str, group: str, tenant: str | None = None, snapshot: bool = True, **options: Any
) -> AsyncGenerator[Flip, None]:
    """Follow who enters and leaves a segment, for as long as you iterate.

    A new group first gets a snapshot: each current member once, with `flip.snapshot`, partition by partition; then
    every flip since. A group that was here before goes on where it was. With `snapshot=False` a new group gets the
    flips that are kept instead; the topic is compacted, so of who has not moved for two weeks perhaps none.

    **What is promised.** At least once, in the order of each person: a flip counts as handled when you ask for the
    next one; what is handled is committed once a second or every 100 messages, before partitions move to another
    instance, and when you stop. So what your handler did in the last second before a crash is asked of it again:
    make it safe twice, or keep `flip.version` beside your own data in one transaction and skip what is not higher;
    that is exactly once. Beyond that, no version of a person comes twice: copies on the topic are dropped as far
    as this process remembers (100,000 people a partition) and, after a restart or a rebalance, as far as the
    newest 5,000 records before the committed position tell. No flip is lost or doubled between snapshot and
    follow. A snapshot that was broken off is told again, as of the same moment.

    Where compaction took flips out that this group had not read (it was away for longer than 14 days), whoever
    they may have been of is told as things stand now, with `flip.snapshot` and `flip.entered` true or false. If
    the broker forgot the group (by default after seven days away), it is a new one: who is not in its snapshot is
    no member.

    Somebody absorbed in a merge leaves (cause `merge`); a person who was erased is forgotten without a flip.
    To stop before your program ends, iterate within `contextlib.aclosing(subscribe(...))`. Keyword arguments go to
    aiokafka's consumer (security, for instance). Raises Unreadable for a message that this version of the client
    cannot read; the position stays before it.
    """
    settings = {"auto_offset_reset": "earliest", **options, "enable_auto_commit": False}
    consumer = group_member(bootstrap_servers=bootstrap, group_id=group, **settings)
    reading = Reading(consumer, Wanted(segment, tenant), snapshot=snapshot)
    consumer.subscribe([MEMBERSHIP_CHANGED.name], listener=listener_of(reading))
    await consumer.start()
    try:
        async with aclosing(reading.flips()) as flips:
            async for flip in flips:
                yield flip
    finally:
        await reading.commit()
        await consumer.stop()


async def follow(
    consumer: Consumer, segment: str, *, tenant: str | None = None, snapshot: bool = True
) -> AsyncGenerator[Flip, None]:
    """What `subscribe` gives, for tests: of a consumer on the in-memory bus, `LocalBus.subscriber("your-group")`.

    The iteration ends where the bus does; the next consumer of the group goes on from there.
    """
    reading = Reading(consumer, Wanted(segment, tenant), snapshot=snapshot)
    consumer.subscribe([MEMBERSHIP_CHANGED.name], listener=listener_of(reading))
    try:
        async with aclosing(reading.flips()) as flips:
            async for flip in flips:
                yield flip
    finally:
        await reading.commit()

"""A subscriber on a real broker: a snapshot, then flips; broken off and begun again, it has lost nothing."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterator
from contextlib import aclosing
from datetime import UTC, datetime

import pytest
from cdp_cli import topics
from cdp_client import Flip, members, subscribe
from cdp_contracts.segments_v1 import MembershipChanged, SegmentViewEntry, entry_id
from cdp_contracts.topics import MEMBERSHIP_CHANGED, SEGMENT_VIEWS_MAINTAINED
from cdp_devstack.platform import kafka_settings
from cdp_devstack.servers import Stack
from cdp_runtime.codec import encode
from cdp_runtime.kafka_client import KafkaProducer
from cdp_runtime.transport import Outgoing
from cdp_testkit.builders import entered, left, person

NOW = datetime(2026, 3, 2, 9, 0, tzinfo=UTC)
PEOPLE = [person(f"p{number}") for number in range(12)]


pytestmark = [pytest.mark.stack, pytest.mark.timeout(180)]


@pytest.fixture
def stack() -> Iterator[Stack]:
    """Apache Kafka: the embedded broker tells an end that is short by its last batch; a snapshot ends there."""
    with Stack.start("local", only=("kafka",)) as started:
        asyncio.run(topics.apply(kafka_settings(started)))
        yield started


async def tell(stack: Stack, *messages: MembershipChanged) -> None:
    producer = KafkaProducer(kafka_settings(stack))
    try:
        await producer.send([encode(MEMBERSHIP_CHANGED, one, source="test", now=NOW) for one in messages])
    finally:
        await producer.close()


async def take(stack: Stack, group: str, enough: Callable[[list[Flip]], bool]) -> list[Flip]:
    """The next flips that a group gets; all but the last are handled."""
    found: list[Flip] = []
    subscription = subscribe("vip", bootstrap=stack.kafka, group=group, session_timeout_ms=6000)
    async with asyncio.timeout(60), aclosing(subscription) as flips:
        async for flip in flips:
            found.append(flip)
            if enough(found):
                break
    return found


def said(flips: list[Flip]) -> set[tuple[int, bool, int, bool]]:
    return {(PEOPLE.index(flip.profile_id), flip.entered, flip.version, flip.snapshot) for flip in flips}


def test_a_snapshot_then_flips_and_nothing_is_lost_when_it_is_broken_off(stack: Stack) -> None:
    asyncio.run(story(stack))


async def story(stack: Stack) -> None:
    odd = {number for number in range(12) if number % 2}
    await tell(stack, *(entered("vip", who) for who in PEOPLE))
    await tell(stack, *(left("vip", who) for number, who in enumerate(PEOPLE) if number not in odd))

    broken_off = await take(stack, "mail", lambda found: len(found) == 3)
    assert said(broken_off) < {(number, True, 1, True) for number in odd}

    gone = broken_off[-1].profile_id  # it was in hand: its partition's snapshot is not done
    await tell(stack, left("vip", gone))
    *others, last = await take(stack, "mail", lambda found: not found[-1].entered)
    assert said([*broken_off[:2], *others]) == {(number, True, 1, True) for number in odd}
    assert gone in {flip.profile_id for flip in others}, "it is told again, as of the same moment"
    assert said([last]) == {(PEOPLE.index(gone), False, 2, False)}, "and whoever left meanwhile leaves"

    await tell(stack, entered("vip", PEOPLE[0], version=3))
    again = await take(stack, "mail", lambda found: len(found) == 2)
    assert said(again) == said([last]) | {(0, True, 3, False)}, "what was in hand when it stopped comes again"


def entry(who: int, version: int, *, member: bool, segment: str = "vip", tenant: str = "demo") -> Outgoing:
    told = entered("vip", PEOPLE[who], version=version)
    found = SegmentViewEntry(
        **dict(told), entry_id=entry_id(tenant, segment, PEOPLE[who]), segment=segment, member=member
    ).model_copy(update={"tenant": tenant})
    return encode(SEGMENT_VIEWS_MAINTAINED, found, source="test", now=NOW)


def test_the_members_of_a_view_are_read_from_its_topic_alone(stack: Stack) -> None:
    async def story() -> None:
        records = [
            entry(0, 1, member=True), entry(1, 1, member=True), entry(2, 1, member=True),
            entry(1, 2, member=False), entry(2, 4, member=True),
            entry(3, 1, member=True, segment="other"), entry(4, 1, member=True, tenant="else"),
        ]  # fmt: skip
        producer = KafkaProducer(kafka_settings(stack))
        await producer.send(records)
        await producer.close()
        found = await members("vip", bootstrap=stack.kafka, tenant="demo", view=True)
        assert found == {("demo", PEOPLE[0]): 1, ("demo", PEOPLE[2]): 4}
        assert await members("none", bootstrap=stack.kafka, view=True) == {}
        assert await members("vip", bootstrap=stack.kafka) == {}

    asyncio.run(story())

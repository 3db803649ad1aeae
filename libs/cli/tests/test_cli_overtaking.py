"""A dead letter of a compacted topic goes back only if nothing newer of its key would be hidden by it."""

from __future__ import annotations

import pytest
from cdp_cli.letters import Letter
from cdp_cli.settling import Settling
from cdp_contracts.segments_v1 import MembershipChanged
from cdp_contracts.topics import MEMBERSHIP_CHANGED
from cdp_runtime.transport import Incoming
from cdp_testkit import LocalBus
from cdp_testkit.builders import entered, left, person
from letter_world import BusProducer, letters, set_aside

DEAD = MEMBERSHIP_CHANGED.dead_letters("collector")


async def told(bus: LocalBus, *messages: MembershipChanged) -> list[Incoming]:
    """They are on the topic, in order; their records there."""
    known = len(bus.raw(MEMBERSHIP_CHANGED.name))
    await bus.publish(MEMBERSHIP_CHANGED, *messages)
    assert len(bus.raw(MEMBERSHIP_CHANGED.name)) == known + len(messages)
    ids = [str(message.id).encode() for message in messages]
    found = {dict(record.headers)["ce_id"]: record for record in bus.raw(MEMBERSHIP_CHANGED.name)}
    return [found[id_] for id_ in ids]


async def still_open(bus: LocalBus) -> list[Letter]:
    return [letter for letter in await letters(bus, DEAD) if not letter.settled]


def newest(bus: LocalBus) -> dict[bytes | None, bytes | None]:
    """What compaction leaves of the topic."""
    return {record.key: record.value for record in bus.raw(MEMBERSHIP_CHANGED.name)}


async def test_what_would_hide_something_newer_stays_open(bus: LocalBus, settling: Settling) -> None:
    ada, bob = person("ada"), person("bob")
    old, alone, new = await told(
        bus, entered("vip", ada, version=1), entered("vip", bob, version=1), left("vip", ada, version=2)
    )
    set_aside(bus, old, alone)
    before = newest(bus)

    await settling.replay(await letters(bus, DEAD), 50)

    assert newest(bus) == before
    assert newest(bus)[new.key] == new.value
    assert [letter.record.key for letter in await still_open(bus)] == [old.key]
    assert [letter.record.key for letter in settling.overtaken] == [old.key]
    assert settling.done == 1, "whose newest it is goes back"


async def test_what_is_told_while_letters_go_back_is_seen(
    bus: LocalBus, producer: BusProducer, settling: Settling
) -> None:
    people = [person(f"p{n}") for n in range(4)]
    set_aside(bus, *await told(bus, *(entered("vip", who, version=1) for who in people)))
    sent, send = 0, producer.send

    async def meanwhile(records):
        nonlocal sent
        await send(records)
        if any(record.value for record in records):
            sent += 1
            if sent == 1:
                await told(bus, *(left("vip", who, version=2) for who in people))

    producer.send = meanwhile  # type: ignore[method-assign]  # somebody else on the broker

    await settling.replay(await letters(bus, DEAD), 10)  # one at a time

    assert settling.done == 1
    assert len(await still_open(bus)) == 3
    hidden = [bus_record for bus_record in newest(bus).values() if b'"version":1' in (bus_record or b"")]
    assert hidden == []


async def test_a_tombstone_is_newer_too(bus: LocalBus, settling: Settling) -> None:
    (record,) = await told(bus, entered("vip", person("ada"), version=1))
    bus.publish_raw(MEMBERSHIP_CHANGED.name, None, record.key)
    set_aside(bus, record)
    await settling.replay(await letters(bus, DEAD), 50)
    assert newest(bus) == {record.key: None}


async def test_what_was_put_back_overtakes_nothing(bus: LocalBus, settling: Settling) -> None:
    """It failed again: its copy on the topic has the place that it had first."""
    (record,) = await told(bus, entered("vip", person("ada"), version=1))
    set_aside(bus, record)
    await settling.replay(await letters(bus, DEAD), 50)
    set_aside(bus, bus.raw(MEMBERSHIP_CHANGED.name)[-1])
    await settling.replay(await letters(bus, DEAD), 50)
    assert (settling.done, settling.overtaken) == (2, [])


@pytest.mark.parametrize("service", ["collector", "segments"])
async def test_of_two_letters_of_a_person_the_newer_goes_back(
    bus: LocalBus, settling: Settling, service: str
) -> None:
    ada = person("ada")
    set_aside(bus, *await told(bus, entered("vip", ada, version=1), left("vip", ada, version=2)), service=service)
    await settling.replay(await letters(bus, MEMBERSHIP_CHANGED.dead_letters(service)), 50)
    assert (settling.done, len(settling.overtaken)) == (1, 1)
    assert b'"version":2' in (next(iter(newest(bus).values())) or b"")

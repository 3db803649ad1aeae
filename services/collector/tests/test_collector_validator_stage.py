"""The validator on the bus: what follows from what, once, whatever happens meanwhile."""

from __future__ import annotations

import json
from typing import Any

import pytest
from cdp_collector.domain.limits import Limits
from cdp_collector.domain.validator import Validator
from cdp_collector.handlers import stages
from cdp_collector.store import Definitions, MemoryDedup
from cdp_contracts.topics import (
    EVENTS_RECEIVED,
    EVENTS_REJECTED,
    EVENTS_VALIDATED,
    SOURCES_DEFINED,
    TRACKING_PLANS_DEFINED,
)
from cdp_runtime.clock import ManualClock
from cdp_runtime.settings import PrivacySettings
from cdp_testkit import Crash, LocalBus
from collector_builders import NOON, PEPPER, WEB_KEY, item, plan, sent, source

ROLE = "collector-validator"
GROUP = "collector-validator.validate_events"
TRACE = (("traceparent", b"00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-00"),)


class Platform:
    """The validator on a bus, with its definitions and its memory."""

    def __init__(self) -> None:
        self.bus = LocalBus(ManualClock(NOON))
        self.definitions = Definitions()
        pseudonym = PrivacySettings(pepper=PEPPER).pseudonyms.of
        validator = Validator(self.definitions.catalogue, pseudonym, Limits())
        self.dedup = MemoryDedup(86400, self.bus.clock.now)
        self.bus.attach(ROLE, stages(validator, self.dedup), self.definitions.tables)

    async def define(self) -> None:
        """The web shop and its plan."""
        await self.bus.publish(SOURCES_DEFINED, source(tracking_plan="shop"))
        await self.bus.publish(TRACKING_PLANS_DEFINED, plan())

    def raw(self, event: Any, headers: tuple[tuple[str, bytes], ...] = ()) -> None:
        """What a product system puts straight onto the topic."""
        value = event if isinstance(event, bytes) else json.dumps(event).encode()
        self.bus.publish_raw(EVENTS_RECEIVED.name, value, headers=headers)

    @property
    def outcome(self) -> tuple[int, int, int]:
        """Validated, rejected, dead-lettered."""
        dead = self.bus.dead_letters(EVENTS_RECEIVED, "collector")
        return len(self.bus.messages(EVENTS_VALIDATED)), len(self.bus.messages(EVENTS_REJECTED)), len(dead)


@pytest.fixture
async def platform() -> Platform:
    made = Platform()
    await made.define()
    return made


async def test_a_valid_event_goes_on_keyed_by_its_subject_in_its_trace(platform):
    await platform.bus.publish(EVENTS_RECEIVED, sent(), headers=TRACE)
    await platform.bus.drain()
    (record,) = platform.bus.raw(EVENTS_VALIDATED.name)
    (message,) = platform.bus.messages(EVENTS_VALIDATED)
    assert record.key == message.subject.encode()
    assert dict(record.headers)["traceparent"] == TRACE[0][1]
    assert b"device-1" not in record.key + b"".join(value for _, value in record.headers)


async def test_each_event_ends_in_one_place_and_the_stream_goes_on(platform):
    for n, event in enumerate([{"messageId": "a"}, {"type": "odd"}, {"properties": {}}, {"messageId": "b"}]):
        platform.raw({**item(writeKey=WEB_KEY), "messageId": f"m-{n}", **event})
    platform.raw(item(messageId="keyless"))
    nested: Any = 1
    for _ in range(250):
        nested = [nested]
    for odd in [b"", b"{", b"\xff\xfe", b"[]", b'"text"', b"null", b'{"type":"track"', nested]:
        platform.raw(odd)
    platform.raw(item(messageId="last", writeKey=WEB_KEY))
    await platform.bus.drain()
    assert platform.outcome == (3, 3, 8)
    assert {message.rule for message in platform.bus.messages(EVENTS_REJECTED)} == {
        "event-type", "plan-required", "write-key",
    }  # fmt: skip
    assert platform.bus.halted() == {}


async def test_a_message_of_a_newer_contract_is_read_for_what_is_known(platform):
    platform.raw({**item(writeKey=WEB_KEY), "mood": "good", "edge": None})
    await platform.bus.drain()
    assert platform.outcome == (1, 0, 0)


async def test_a_copy_is_counted_and_nothing_follows(platform):
    await platform.bus.publish(EVENTS_RECEIVED, sent(), sent(), sent(messageId="m-2"))
    await platform.bus.drain()
    await platform.bus.publish(EVENTS_RECEIVED, sent())
    await platform.bus.drain()
    assert [m.message_id for m in platform.bus.messages(EVENTS_VALIDATED)].count("m-1") == 1
    assert platform.outcome == (2, 0, 0)


async def test_a_rejected_event_may_be_sent_again_in_better_shape(platform):
    await platform.bus.publish(EVENTS_RECEIVED, sent(properties={}), sent())
    await platform.bus.drain()
    assert platform.outcome == (1, 1, 0)


async def test_when_the_memory_is_lost_a_copy_passes_under_the_id_it_had(platform):
    await platform.bus.publish(EVENTS_RECEIVED, sent())
    await platform.bus.drain()
    platform.dedup.forget()
    await platform.bus.publish(EVENTS_RECEIVED, sent())
    await platform.bus.drain()
    first, again = platform.bus.messages(EVENTS_VALIDATED)
    assert first.id == again.id


async def test_a_redelivery_of_all_gives_the_same_messages_again(platform):
    await platform.bus.publish(EVENTS_RECEIVED, sent(), sent(), sent(messageId=None), sent(type="odd"))
    await platform.bus.drain()
    before = ids(platform)
    platform.bus.redeliver()
    await platform.bus.drain()
    assert set(ids(platform)) == set(before)
    assert len(ids(platform)) == 2 * len(before) == 6


@pytest.mark.parametrize("when", range(1, 7))
async def test_a_crash_anywhere_loses_and_adds_nothing(platform, when):
    await platform.bus.publish(EVENTS_RECEIVED, sent(), sent(), sent(messageId="m-2"), sent(type="odd"))
    actions: list[object] = []

    def script(action: object) -> None:
        actions.append(action)
        if len(actions) == when:
            raise Crash

    platform.bus.script = script
    try:
        await platform.bus.drain()
    except Crash:
        platform.bus.script = None
        await platform.bus.drain()
    calm = Platform()
    await calm.define()
    await calm.bus.publish(EVENTS_RECEIVED, sent(), sent(), sent(messageId="m-2"), sent(type="odd"))
    await calm.bus.drain()
    assert set(ids(platform)) == set(ids(calm))


async def test_without_any_source_it_waits_instead_of_rejecting():
    early = Platform()
    await early.bus.publish(EVENTS_RECEIVED, sent())
    await early.bus.drain()
    assert early.outcome == (0, 0, 0)
    await early.define()
    await early.bus.drain()
    assert early.outcome == (1, 0, 0)


def ids(platform: Platform) -> list[object]:
    """The ids of everything that was emitted."""
    out = [*platform.bus.messages(EVENTS_VALIDATED), *platform.bus.messages(EVENTS_REJECTED)]
    return [message.id for message in out]

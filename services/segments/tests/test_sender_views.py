"""A view holds who is in its segment, after kills at every step, compaction, and a change of mind."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Any
from uuid import UUID

from cdp_contracts.definitions_v1 import SegmentViewDefined
from cdp_contracts.envelope import derived_id
from cdp_contracts.segments_v1 import (
    Membership,
    MembershipChange,
    MembershipChanged,
    SegmentViewEntry,
    entry_id,
)
from cdp_contracts.topics import MEMBERSHIP_CHANGED, SEGMENT_VIEWS_DEFINED, SEGMENT_VIEWS_MAINTAINED
from cdp_segments.sender.views import Views
from cdp_testkit import Crash, LocalBus
from cdp_testkit.bus import Action
from hypothesis import given, settings
from hypothesis import strategies as st
from sender_world import person

NOON = datetime(2026, 1, 5, 12, 0, tzinfo=UTC)
SEGMENTS = ("vip", "lapsed", "other")


class World:
    """People who flip, and the sender's views on a bus."""

    def __init__(self) -> None:
        self.bus = LocalBus()
        self.maps: dict[str, set[str]] = {}
        self.versions: dict[str, int] = {}
        self.start()

    def start(self) -> None:
        """As a new process would."""
        self.views = Views()
        self.bus.attach("segments-sender", [], [self.views.table])
        self.look()

    def look(self) -> None:
        """Run the stages that are wanted now, as the line-up does, and no others."""
        wanted = {stage.group("segments-sender") for stage in self.views.stages()}
        for gone in self.bus._groups.keys() - wanted:
            self.bus._groups[gone].halted = "not wanted"
        self.bus.attach("segments-sender", list(self.views.stages()))

    async def asks(self, segment: str, **fields: Any) -> None:
        definition = SegmentViewDefined(tenant="demo", name=segment, owner="them", **fields)
        await self.bus.publish(SEGMENT_VIEWS_DEFINED, definition)
        self.look()

    def flip(self, who: str, *segments: str) -> MembershipChanged:
        inside = self.maps.setdefault(who, set())
        inside ^= set(segments)
        version = self.versions[who] = self.versions.get(who, 0) + 1
        changes = [
            MembershipChange(
                segment=name, segment_version=1, member=name in inside, cause="event", effective_at=NOON
            )
            for name in segments
        ]
        return MembershipChanged(
            tenant="demo", id=derived_id(f"{who}/{version}", "test"), message_id="m", occurred_at=NOON,
            received_at=NOON, profile_id=person(who), version=version, changes=tuple(changes),
            memberships={name: Membership(since=NOON) for name in inside}, computed_at=NOON,
        )  # fmt: skip

    async def flips(self, *told: tuple[str, ...]) -> None:
        await self.bus.publish(MEMBERSHIP_CHANGED, *(self.flip(who, *segments) for who, *segments in told))
        await self.bus.drain()

    def compacted(self) -> dict[str, set[UUID]]:
        """What a team knows that reads the views from their beginning: the last value of each key."""
        last = {record.key: record.value for record in self.bus.raw(SEGMENT_VIEWS_MAINTAINED.name)}
        found: dict[str, set[UUID]] = {}
        for key, value in last.items():
            if value is not None:
                entry = SegmentViewEntry.model_validate_json(value)
                assert key == str(entry.entry_id).encode()
                assert entry.entry_id == entry_id(entry.tenant, entry.segment, entry.profile_id)
                assert entry.member
                found.setdefault(entry.segment, set()).add(entry.profile_id)
        return found

    def truth(self, *segments: str) -> dict[str, set[UUID]]:
        members = {name: {person(who) for who, inside in self.maps.items() if name in inside} for name in segments}
        return {name: who for name, who in members.items() if who}


async def test_only_what_was_asked_for_is_kept_and_whoever_leaves_is_taken_out() -> None:
    world = World()
    await world.flips(("ann", "vip"))
    assert world.compacted() == {}
    await world.asks("vip")
    await world.flips(("bob", "vip", "other"), ("eve", "other"))
    assert world.compacted() == {"vip": {person("ann"), person("bob")}}
    await world.flips(("ann", "vip"))
    assert world.compacted() == {"vip": {person("bob")}}
    null = [record for record in world.bus.raw(SEGMENT_VIEWS_MAINTAINED.name) if record.value is None]
    assert [record.key for record in null] == [str(entry_id("demo", "vip", person("ann"))).encode()]


async def test_it_begins_with_everybody_who_is_in_though_their_flips_are_compacted_away() -> None:
    world = World()
    await world.flips(("ann", "vip"), ("ann", "other"), ("bob", "vip"), ("bob", "vip"))
    for partition in world.bus._topics[MEMBERSHIP_CHANGED.name]:
        newest = {record.key: record for record in partition}
        partition[:] = [record for record in partition if newest[record.key] is record]
    await world.asks("vip")
    await world.bus.drain()
    assert world.compacted() == {"vip": {person("ann")}}


async def test_when_the_request_ends_all_is_taken_back_and_it_may_begin_anew() -> None:
    world = World()
    await world.asks("vip")
    await world.asks("lapsed")
    await world.flips(("ann", "vip"), ("bob", "vip", "lapsed"))
    await world.asks("vip", version=2, state="archived")
    await world.bus.drain()
    assert world.compacted() == {"lapsed": {person("bob")}}
    await world.flips(("eve", "vip"))
    assert world.compacted() == {"lapsed": {person("bob")}}
    await world.asks("vip", version=3)
    await world.bus.drain()
    assert world.compacted() == world.truth("vip", "lapsed")


async def test_another_tenants_members_are_not_in_it() -> None:
    world = World()
    await world.asks("vip")
    await world.bus.publish(MEMBERSHIP_CHANGED, world.flip("ann", "vip").model_copy(update={"tenant": "other"}))
    await world.bus.drain()
    assert world.compacted() == {}


async def test_a_null_value_among_the_memberships_harms_nobody() -> None:
    world = World()
    await world.asks("vip")
    world.bus.publish_raw(MEMBERSHIP_CHANGED.name, None, str(person("ann")).encode())
    await world.flips(("bob", "vip"))
    assert world.compacted() == {"vip": {person("bob")}}
    assert world.bus.dead_letters(MEMBERSHIP_CHANGED, "segments") == []


class KilledAt:
    """Ends the role before the n-th action of the bus, once."""

    def __init__(self, step: int) -> None:
        self.step = step
        self.seen = 0

    def __call__(self, _: Action) -> None:
        self.seen += 1
        if self.seen == self.step:
            raise Crash


async def lived(steps: Sequence[tuple[str, ...]], killed: KilledAt) -> World:
    """Flips before, while, and after a view is kept, and another one that ends."""
    world = World()
    await world.asks("lapsed")
    world.bus.script = killed

    async def settle() -> None:
        while True:
            try:
                await world.bus.drain()
            except Crash:
                world.start()
            else:
                return

    half = len(steps) // 2
    for number, (who, *segments) in enumerate(steps):
        await world.bus.publish(MEMBERSHIP_CHANGED, world.flip(who, *segments))
        if number == half:
            await settle()
            await world.asks("vip")
            await world.asks("lapsed", version=2, state="archived")
    await settle()
    return world


STORY = [
    ("ann", "vip"),
    ("bob", "vip", "lapsed"),
    ("ann", "lapsed"),
    ("bob", "vip"),
    ("eve", "vip"),
    ("ann", "vip"),
]


async def test_killed_at_every_step_the_view_is_what_it_must_be() -> None:
    plain = KilledAt(0)
    assert (await lived(STORY, plain)).compacted() == {"vip": {person("eve")}}
    assert plain.seen > 15
    for step in range(1, plain.seen + 1):
        world = await lived(STORY, KilledAt(step))
        assert world.compacted() == world.truth("vip"), step


@settings(max_examples=100, deadline=None)
@given(
    st.lists(
        st.tuples(st.sampled_from(["ann", "bob", "eve"]), st.sampled_from(SEGMENTS)), min_size=2, max_size=20
    ),
    st.integers(0, 60),
)
def test_whatever_happens_the_view_is_what_it_must_be(steps: list[tuple[str, str]], killed_at: int) -> None:
    world = asyncio.run(lived(steps, KilledAt(killed_at)))
    assert world.compacted() == world.truth("vip")

"""The writer's stages on the in-memory bus: what is told, and that it may be killed at every step."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import pytest
from cdp_contracts import failures_v1
from cdp_contracts.topics import (
    EVENTS_RESOLVED,
    IDENTITIES_MERGED,
    IDENTITIES_UNMERGED,
    PROFILES_UPDATED,
    TRAITS_COMPUTED,
)
from cdp_profiles.domain.limits import Limits
from cdp_profiles.domain.profile import Profile
from cdp_profiles.handlers import stages
from cdp_profiles.store import MemoryProfileStore
from cdp_runtime.pseudonyms import Pseudonymizer
from cdp_runtime.redirects import chain_of
from cdp_testkit import Crash, LocalBus
from hypothesis import given, settings
from hypothesis import strategies as st

PEOPLE = ["ann", "bob", "device", "phone", "tablet"]  # the oldest first


@dataclass
class Fuse:
    """Burns down by one with every step of the writer, and kills it at the end."""

    left: int = -1

    def step(self, *_: object) -> None:
        self.left -= 1
        if self.left == 0:
            raise Crash


class FusedStore(MemoryProfileStore):
    """A store whose writes are steps: the writer may be killed before each, and after."""

    def __init__(self, fuse: Fuse, pseudonyms: Pseudonymizer) -> None:
        super().__init__(pseudonyms)
        self.fuse = fuse

    async def save(self, people: Mapping[str, Profile]) -> None:
        for record in [record for record in people.values() if record.changed]:
            self.fuse.step()
            await self.records.save({record.id: record})
        self.fuse.step()


class Writer:
    """The writer on a bus of its own."""

    def __init__(self, make, limits: Limits | None = None) -> None:
        self.make = make
        self.fuse = Fuse()
        self.bus = LocalBus()
        self.bus.script = self.fuse.step
        self.store = FusedStore(self.fuse, make.pseudonyms)
        self.bus.attach("profiles-writer", stages(self.store, limits or Limits()))

    async def publish(self, *messages) -> None:
        for message in messages:
            await self.bus.publish(IDENTITIES_MERGED if hasattr(message, "absorbed") else EVENTS_RESOLVED, message)

    async def drain(self) -> bool:
        """Whether it got to the end."""
        try:
            await self.bus.drain()
        except Crash:
            return False
        return True

    def told(self):
        return self.bus.messages(PROFILES_UPDATED)

    def profile(self, name: str) -> Profile:
        record = self.make.record_id(name)
        return Profile.from_state(record, self.store.records.documents[record])

    def end(self):
        """What the live profiles say, and where every redirect ends."""
        documents = self.store.records.documents
        people = {i: Profile.from_state(i, document) for i, document in documents.items()}
        ends = {i: list(chain_of(people, person.id))[-1] for i, person in people.items()}
        return {i: (end.id, end.joined) for i, end in ends.items() if end.parts or end.id != i}


async def test_events_and_merges_are_told_in_order(make):
    writer = Writer(make)
    await writer.publish(make.identify(1, "ann", plan="pro"), make.identify(2, "device", city="Oslo"))
    await writer.drain()
    await writer.publish(make.merge("ann", "device"))
    await writer.drain()
    await writer.publish(make.event(3, "device"))
    await writer.drain()
    facts = [fact for fact in writer.told() if fact.profile_id == make.profile_id("ann")]
    assert [(f.revision, f.cause, f.traits) for f in facts] == [
        (1, "event", {"plan": "pro"}),
        (2, "merge", {"city": "Oslo"}),
        (3, "event", {}),
    ]
    assert writer.profile("ann").joined.counters == {"identify": 2, "Product Viewed": 1}


async def test_everything_delivered_again_is_told_in_the_same_words_and_applied_once(make):
    writer = Writer(make)
    await writer.publish(*[make.identify(n, "ann", plan=n) for n in range(5)])
    await writer.drain()
    first, documents = writer.told(), dict(writer.store.records.documents)
    writer.bus.redeliver()
    await writer.drain()
    assert writer.told() == first * 2
    assert writer.store.records.documents == documents


async def test_events_of_one_batch_make_one_write(make):
    writer = Writer(make)
    await writer.publish(*[make.event(n, "ann") for n in range(50)])
    await writer.drain()
    document = writer.store.records.documents[make.record_id("ann")]
    assert (document["rev"], document["revision"]) == (1, 50)


async def test_what_breaks_a_limit_is_set_aside_with_the_reason(make):
    writer = Writer(make, Limits(traits=1))
    await writer.publish(make.identify(1, "ann", a=1), make.identify(2, "ann", b=1), make.event(3, "ann"))
    await writer.drain()
    (letter,) = writer.bus.dead_letters(EVENTS_RESOLVED, "profiles")
    assert dict(letter.headers)[failures_v1.REASON] == b"too-many-traits"
    assert [fact.message_id for fact in writer.told()] == ["m1", "m3"]


def story(make):
    """Two devices, a login, and events before, between and after the merges."""
    return [
        make.identify(1, "device", plan="free", city="Oslo"), make.event(2, "phone"), make.event(3, "device"),
        make.merge("ann", "device"), make.identify(4, "ann", plan="pro"), make.event(5, "device", part="shared"),
        make.merge("bob", "phone"), make.event(6, "phone", part="shared"), make.merge("ann", "bob"),
    ]  # fmt: skip


async def tell(make, fuse: int = -1) -> Writer:
    """Play the story, killed at one step, then started again."""
    writer = Writer(make)
    writer.fuse.left = fuse
    for message in story(make):
        await writer.publish(message)
        while not await writer.drain():
            pass
    return writer


async def test_killed_at_any_step_it_ends_the_same(make):
    whole = await tell(make)
    steps = -whole.fuse.left
    assert steps > 40
    for step in range(1, steps):
        writer = await tell(make, fuse=step)
        assert writer.end() == whole.end(), f"killed at step {step}"
        told = {(fact.id, fact.profile_id, fact.revision) for fact in writer.told()}
        assert told == {(fact.id, fact.profile_id, fact.revision) for fact in whole.told()}


@st.composite
def stories(draw):
    """Events and merges, in any order and some of them twice; then where to kill, and what to fetch at once."""
    merges = [
        (draw(st.sampled_from(PEOPLE[:n])), absorbed)
        for n, absorbed in enumerate(PEOPLE)
        if n and draw(st.booleans())
    ]
    events = draw(st.lists(st.tuples(st.sampled_from(PEOPLE), st.integers(0, 3)), min_size=1, max_size=8))
    numbered = [("event", n, *event) for n, event in enumerate(events)] + [("merge", *merge) for merge in merges]
    order = draw(st.permutations(numbered))
    again = draw(st.lists(st.sampled_from(numbered), max_size=4))
    return numbered, [*order, *again], draw(st.lists(st.integers(1, 30), max_size=4)), draw(st.integers(1, 5))


@settings(deadline=None)
@given(stories(), st.data())
async def test_any_order_any_repeats_any_kills_end_the_same(make, told, data):
    numbered, order, kills, fetch = told

    def message(kind, *args):
        if kind == "merge":
            return make.merge(*args)
        n, person, at = args
        return make.event(n, person, at=at, part="one for all", traits={"plan": n, f"t{n % 3}": at})

    plain = Writer(make)
    for each in numbered:
        await plain.publish(message(*each))
    await plain.drain()

    writer = Writer(make)
    writer.bus.max_records = fetch
    for each in order:
        await writer.publish(message(*each))
        if data.draw(st.booleans(), label="drain"):
            writer.fuse.left = kills.pop() if kills else -1
            await writer.drain()
    writer.fuse.left = -1
    writer.bus.redeliver()
    await writer.drain()
    assert writer.end() == plain.end()


def test_the_stages_declare_what_they_read_and_emit(make):
    found = {
        stage.name: (stage.reads, stage.emits) for stage in stages(MemoryProfileStore(make.pseudonyms), Limits())
    }
    assert found == {
        "update_profiles": ((EVENTS_RESOLVED,), (PROFILES_UPDATED,)),
        "keep_computed_traits": ((TRAITS_COMPUTED,), (PROFILES_UPDATED,)),
        "absorb_profiles": ((IDENTITIES_MERGED,), (PROFILES_UPDATED,)),
        "part_profiles": ((IDENTITIES_UNMERGED,), (PROFILES_UPDATED,)),
    }
    assert IDENTITIES_MERGED.on_poison == "halt"


@pytest.mark.parametrize("bad", [b"not json", b"{}", b'{"tenant": "demo"}', b""])
async def test_an_unreadable_merge_stops_the_stage_and_events_go_on(make, bad):
    writer = Writer(make)
    writer.bus.publish_raw(IDENTITIES_MERGED.name, bad)
    await writer.publish(make.event(1, "ann"))
    await writer.drain()
    assert list(writer.bus.halted()) == ["profiles-writer.absorb_profiles"]
    assert len(writer.told()) == 1

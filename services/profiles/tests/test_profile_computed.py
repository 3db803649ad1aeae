"""What is computed of a person is kept on their record: the later, whatever comes twice, late or to a redirect."""

from __future__ import annotations

from datetime import timedelta
from uuid import UUID, uuid5

import bson
import pytest
from cdp_contracts.computed_v1 import ComputedTrait, TraitsComputed
from cdp_contracts.topics import EVENTS_RESOLVED, IDENTITIES_MERGED, PROFILES_UPDATED, TRAITS_COMPUTED
from cdp_profiles.api.readers import Reader
from cdp_profiles.api.views import view_of
from cdp_profiles.api.wanted import EVERYTHING
from cdp_profiles.domain.computing import keep_computed
from cdp_profiles.domain.limits import Limits
from cdp_profiles.domain.merging import absorb, freeze, release
from cdp_profiles.domain.profile import Profile
from cdp_profiles.domain.updating import update
from cdp_profiles.handlers import stages
from cdp_profiles.store import MemoryProfileStore
from cdp_testkit import Crash, LocalBus

SPACE = UUID(int=23)
FULL, MASKED = Reader("full", "demo"), Reader("masked", "demo", masked=True)


@pytest.fixture
def computed(make, noon):
    """Makes the n-th message about somebody."""

    def of(n, who, /, *, at=0, version=None, **values):
        moment = noon + timedelta(seconds=at)
        return TraitsComputed(
            tenant=make.tenant, id=uuid5(SPACE, str(n)), message_id=f"m{n}", occurred_at=moment,
            received_at=moment, profile_id=make.profile_id(who), version=version or n, cause="event",
            computed_at=moment,
            traits={name: ComputedTrait(value=value, version=2, at=moment) for name, value in values.items()},
        )  # fmt: skip

    return of


def kept(profile):
    return {name: trait.value for name, trait in profile.computed.traits.items()}


def test_what_is_computed_is_kept_and_told_without_an_event(make, noon, computed):
    people = make.blank("ann")
    update(people, make.identify(1, "ann", computed="hers"), Limits(), noon)
    fact = keep_computed(people, computed(1, "ann", orders=3, tier="gold"), noon)
    assert (fact.computed, fact.event, fact.traits, fact.revision) == ({"orders": 3, "tier": "gold"}, None, {}, 2)
    assert fact.profile_id == make.profile_id("ann")
    ann = people[make.record_id("ann")]
    view = view_of(ann, FULL, EVERYTHING)
    assert (view.computed["tier"].value, view.computed["tier"].version, view.computed["tier"].at) == (
        "gold",
        2,
        noon,
    )
    assert view.traits["computed"].value == "hers"  # a sender's own trait of that name is another
    assert view_of(ann, MASKED, EVERYTHING).computed["tier"].value is None


def test_of_two_the_later_computed_counts_then_the_version(make, noon, computed):
    messages = [computed(n, "ann", at=at, version=v, n=n) for n, at, v in ((1, 0, 1), (2, 0, 2), (3, 5, 1))]
    for order in (messages, messages[::-1], [messages[2], messages[0], messages[1]]):
        people = make.blank("ann")
        told = [keep_computed(people, message, noon) for message in order]
        assert kept(people[make.record_id("ann")]) == {"n": 3}
        assert [keep_computed(people, message, noon) for message in order] == told  # told again, it is the same


def test_what_is_gone_from_the_message_is_gone(make, noon, computed):
    people = make.blank("ann")
    keep_computed(people, computed(1, "ann", orders=3), noon)
    assert keep_computed(people, computed(2, "ann"), noon).computed == {}
    assert kept(people[make.record_id("ann")]) == {}


def test_a_merge_voids_what_was_computed_of_the_absorbed(make, noon, computed):
    people = make.blank("ann", "device")
    first, late = computed(1, "device", orders=1), computed(2, "device", orders=2)
    told = keep_computed(people, first, noon)
    keep_computed(people, computed(3, "ann", orders=7), noon)
    merge = make.merge("ann", "device")
    freeze(people, [merge])
    assert keep_computed(people, late, noon) is None
    absorb(people, merge, noon)
    assert keep_computed(people, first, noon) == told  # saved, and killed before it was told
    release(people, [merge])
    assert kept(people[make.record_id("ann")]) == {"orders": 7}
    assert people[make.record_id("device")].computed is None


def test_a_record_survives_being_written_and_read(make, noon, computed):
    people = make.blank("ann")
    profile = people[make.record_id("ann")]
    assert profile.written_as == 1
    keep_computed(people, computed(1, "ann", orders=3, tier="gold", none=0.25), noon)
    assert profile.written_as == 3
    read = Profile.from_state(profile.id, bson.decode(bson.encode(profile.to_state())))
    assert read.computed == profile.computed


@pytest.mark.parametrize("step", range(1, 7))
async def test_killed_at_any_step_it_is_told_word_for_word(make, computed, step):
    bus, store = LocalBus(), MemoryProfileStore(make.pseudonyms)
    bus.attach("profiles-writer", stages(store, Limits()))
    left = step

    def fuse(action):
        nonlocal left
        left -= action.what not in ("fetched", "ticked")
        if left == 0:
            left = -1
            raise Crash

    await bus.publish(EVENTS_RESOLVED, make.event(1, "ann"), make.event(2, "device"))
    await bus.drain()
    bus.script = fuse
    await bus.publish(
        TRAITS_COMPUTED, computed(1, "ann", n=1), computed(2, "ann", n=2), computed(3, "device", n=3)
    )
    await bus.publish(IDENTITIES_MERGED, make.merge("ann", "device"))
    for _ in range(2):
        try:
            await bus.drain()
        except Crash:
            continue
    told = {message.id: message for message in bus.messages(PROFILES_UPDATED) if message.computed is not None}
    for message in bus.messages(PROFILES_UPDATED):
        assert message.computed is None or told[message.id] == message
    mine = [message for message in told.values() if message.profile_id == make.profile_id("ann")]
    assert [message.computed for message in sorted(mine, key=lambda m: m.revision)] == [{"n": 1}, {"n": 2}]
    ann = (await store.load([make.record_id("ann")]))[make.record_id("ann")]
    assert kept(ann) == {"n": 2}

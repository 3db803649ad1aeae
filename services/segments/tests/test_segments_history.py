"""What somebody entered and left: kept once, bounded, and enough to say where they were at any instant."""

from __future__ import annotations

import random
from datetime import timedelta
from uuid import UUID

import pytest
from cdp_contracts.segments_v1 import Membership, MembershipChange, MembershipChanged, Reason
from cdp_contracts.topics import MEMBERSHIP_CHANGED
from cdp_segments.domain.activity import Activity
from cdp_segments.domain.history import FLIPS_KEPT, LONGEST, REASONS_KEPT, UNSEEN, History
from cdp_segments.domain.telling import milliseconds_of
from cdp_segments.history.handlers import stages
from cdp_segments.history.store import MemoryHistoryStore
from cdp_testkit import Crash, LocalBus
from hypothesis import given
from hypothesis import strategies as st
from reading_desk import Desk
from stories import count, sliding

ANN = UUID("0198f2a0-0000-7000-8000-000000000001")
DEVICE = "d" * 32
SEGMENTS = ["a", "b", "c"]


class Teller:
    """Tells flips of one person, and knows where that left them at any instant."""

    def __init__(self, make, noon):
        self.make, self.noon = make, noon
        self.members: dict[str, Membership] = {}
        self.then: list[tuple[int, set[str]]] = []
        self.version = 0

    def flip(self, *names, at, cause="event", reasons=()):
        moment = self.noon + timedelta(seconds=at)
        changes = []
        for name in names:
            gone = self.members.pop(name, None)
            if gone is None:
                self.members[name] = Membership(since=moment)
            changes.append(
                MembershipChange(segment=name, segment_version=1, member=gone is None, cause=cause,
                                 effective_at=moment, reasons=reasons)
            )  # fmt: skip
        self.version += 1
        self.then.append((milliseconds_of(moment), {*self.members}))
        return MembershipChanged(
            tenant="demo", id=UUID(int=self.version), message_id="m", occurred_at=moment, received_at=moment,
            profile_id=ANN, version=self.version, changes=tuple(changes), memberships=dict(self.members),
            computed_at=moment,
        )  # fmt: skip


@pytest.fixture
def teller(make, noon):
    return Teller(make, noon)


FLIPS = st.lists(st.sets(st.sampled_from(SEGMENTS), min_size=1), max_size=30)


@given(flips=FLIPS, seed=st.integers(0, 9))
def test_a_history_says_where_somebody_was_at_any_instant(make, noon, flips, seed):
    teller, history = Teller(make, noon), History("demo/ann")
    messages = [teller.flip(*sorted(names), at=n) for n, names in enumerate(flips)]
    repeated = sorted([*messages, *random.Random(seed).choices(messages, k=3)] if messages else [], key=version_of)
    for message in repeated:
        history.take(message)
    again = History.from_state("demo/ann", history.to_state())
    for instant, members in teller.then:
        assert again.at(instant).keys() == members
        assert again.at(instant + 999).keys() == members
    assert again.at(milliseconds_of(noon) - 1) == {}
    assert again.members.keys() == teller.members.keys()


def version_of(message):
    return message.version


@given(flips=FLIPS, lost=st.sets(st.integers(0, 29)))
def test_what_was_never_seen_is_made_up_for_and_not_invented(make, noon, flips, lost):
    teller, history = Teller(make, noon), History("demo/ann")
    messages = [teller.flip(*sorted(names), at=n) for n, names in enumerate(flips)]
    taken = [message for n, message in enumerate(messages) if n not in lost]
    for message in taken:
        history.take(message)
    for message in taken[-1:]:
        assert history.members.keys() == message.memberships.keys()
    reach = history.reach or 0
    for (instant, members), message in zip(teller.then, messages, strict=True):
        if taken and message.version <= taken[-1].version:
            assert history.at(instant) is None if instant < reach else history.at(instant).keys() == members
    replayed: set[str] = set()
    for flip in history.flips:
        assert flip.member is (flip.segment not in replayed) or flip.cause == UNSEEN
        replayed ^= {flip.segment}
    assert replayed == history.members.keys()


def test_a_history_is_bounded(teller):
    history = History("demo/ann")
    long = Reason(condition="x" * 999, satisfied=True, threshold=["y" * 999])
    for n in range(FLIPS_KEPT + 50):
        history.take(teller.flip("a", at=n, reasons=(long,) * 20))
    assert (len(history.flips), history.forgotten) == (FLIPS_KEPT, 50)
    reasons = history.flips[-1].reasons
    assert (len(reasons), len(reasons[0].condition), reasons[0].threshold) == (REASONS_KEPT, LONGEST, None)
    first = history.flips[0].at
    assert history.at(first).keys() == {"a"}
    assert history.at(first - 1000) == {}
    assert history.at(first - 1001) is None


class Breaking(MemoryHistoryStore):
    """Kills the stage at one of its writes."""

    def __init__(self, steps):
        super().__init__()
        self.steps = steps

    def step(self):
        self.steps -= 1
        if self.steps == 0:
            raise Crash

    async def save(self, people):
        for id_, history in people.items():
            self.step()
            await super().save({id_: history})
        self.step()

    async def save_activity(self, sums):
        for id_, activity in sums.items():
            self.step()
            await super().save_activity({id_: activity})
        self.step()


async def kept(store, messages, batches):
    bus = LocalBus()
    bus.attach("segments-evaluator", stages(store))
    for size in batches:
        await bus.publish(MEMBERSHIP_CHANGED, *messages[:size])
        messages = messages[size:]
        try:
            await bus.drain()
        except Crash:
            bus.redeliver()
            await bus.drain()
    return (
        {id_: History.from_state(id_, d).to_state() for id_, d in store.people.documents.items()},
        {id_: Activity.from_state(id_, d).counts for id_, d in store.sums.documents.items()},
    )


@pytest.mark.parametrize("steps", range(1, 25))
async def test_killed_at_any_write_everything_is_counted_once(teller, steps):
    messages = [teller.flip(name, at=n * 1800) for n, name in enumerate("abacbcab")]
    messages = [*messages[:3], *messages[1:6], *messages[4:]]
    whole = await kept(Breaking(0), messages, [len(messages)])
    assert await kept(Breaking(steps), messages, [4, 3, 99]) == whole
    assert sum(sum(counts.values()) for counts in whole[1].values()) == 8


@pytest.fixture
async def desk(make, noon):
    desk = Desk(make, noon)
    desk.define(make.segment("viewed", **count("view")), make.segment("flash", **count("flash", **sliding(60))))
    await desk.write(make.event(1, "ann"), make.event(2, "ann", "flash", at=10), make.event(3, "bob", at=20))
    await desk.passes(noon + timedelta(seconds=120))
    yield desk
    await desk.client.aclose()


async def test_entries_and_exits_newest_first(desk, make):
    status, answer = await desk.get(f"/v1/profiles/{make.profile_id('ann')}/segments/history")
    assert status == 200
    assert [(f["segment"], f["entered"], f["cause"], f["at"], f["since"]) for f in answer["flips"]] == [
        ("flash", False, "timer", "2026-01-05T12:01:10Z", "2026-01-05T12:00:10Z"),
        ("flash", True, "event", "2026-01-05T12:00:10Z", None),
        ("viewed", True, "event", "2026-01-05T12:00:00Z", None),
    ]  # fmt: skip
    assert answer["flips"][1]["reasons"][0]["condition"] == "count(flash) >= 1 in the last 1 min"
    assert [m["segment"] for m in answer["memberships"]] == ["viewed"]
    assert (answer["complete_from"], answer["next"]) == (None, None)


async def test_page_by_page_and_by_segment(desk, make):
    path = f"/v1/profiles/{make.profile_id('ann')}/segments/history"
    found, cursor = [], None
    for _ in range(3):
        _, page = await desk.get(path, limit=1, **({"cursor": cursor} if cursor else {}))
        found += page["flips"]
        cursor = page["next"]
    assert cursor is None
    assert found == (await desk.get(path))[1]["flips"]
    _, flash = await desk.get(path, segment="flash")
    assert [f["entered"] for f in flash["flips"]] == [False, True]


async def test_where_somebody_was_at_an_instant(desk, make):
    path = f"/v1/profiles/{make.profile_id('ann')}/segments/history"
    _, then = await desk.get(path, as_of="2026-01-05T12:01:00Z")
    assert [(m["segment"], m["since"]) for m in then["memberships"]] == [
        ("flash", "2026-01-05T12:00:10Z"), ("viewed", "2026-01-05T12:00:00Z"),
    ]  # fmt: skip
    assert [f["segment"] for f in then["flips"]] == ["flash", "viewed"]
    _, before = await desk.get(path, as_of="2026-01-05T11:00:00Z")
    assert (before["memberships"], before["flips"]) == ([], [])


async def test_beyond_its_reach_a_history_says_so(desk, make, teller):
    teller.version = 7
    await desk.tell([teller.flip("viewed", at=0)])
    await desk.write(make.event(9, "ann"))
    desk.people.records.documents[f"demo/{ANN}"] = {
        **desk.people.records.documents[make.person_id("ann")], "_id": f"demo/{ANN}"
    }  # fmt: skip
    path = f"/v1/profiles/{ANN}/segments/history"
    _, answer = await desk.get(path, as_of="2026-01-05T11:59:59Z")
    assert (answer["memberships"], answer["complete_from"]) == (None, "2026-01-05T12:00:00Z")
    assert (await desk.get(path))[1]["memberships"][0]["segment"] == "viewed"


async def test_a_merge_is_shown_on_both_sides(desk, make, noon):
    await desk.write(make.event(5, "ann", "flash", at=130), make.merge(6, "bob", "ann", at=140))
    await desk.passes(noon + timedelta(seconds=150))
    ann, bob = make.profile_id("ann"), make.profile_id("bob")
    _, answer = await desk.get(f"/v1/profiles/{ann}/segments/history")
    assert (answer["profile_id"], answer["asked"]) == (str(bob), str(ann))
    newest = [(f["profile_id"], f["segment"], f["entered"], f["cause"]) for f in answer["flips"][:3]]
    assert sorted(newest) == sorted([
        (str(bob), "flash", True, "merge"),
        (str(ann), "viewed", False, "merge"),
        (str(ann), "flash", False, "merge"),
    ])  # fmt: skip
    assert {(m["profile_id"], m["segment"]) for m in answer["memberships"]} == {
        (str(bob), "viewed"), (str(bob), "flash"),
    }  # fmt: skip
    _, survivor = await desk.get(f"/v1/profiles/{bob}/segments/history")
    assert {f["profile_id"] for f in survivor["flips"]} == {str(bob)}


async def test_parted_everybody_keeps_their_own_past(desk, make, noon):
    await desk.write(
        make.event(10, "joe", "flash", at=130, part=DEVICE),
        make.unmerge(11, "joe", make.parting("new", DEVICE), at=140),
    )
    await desk.passes(noon + timedelta(seconds=150))
    for name, flips in {"joe": [("flash", False), ("flash", True)], "new": [("flash", True)]}.items():
        _, answer = await desk.get(f"/v1/profiles/{make.profile_id(name)}/segments/history")
        assert [(f["segment"], f["entered"]) for f in answer["flips"]] == flips
        assert answer["flips"][0]["cause"] == "merge"


async def test_nobody_reads_anothers_history(desk, make):
    path = f"/v1/profiles/{make.profile_id('ann')}/segments/history"
    assert (await desk.get(path, "token-of-other"))[0] == 404
    assert (await desk.get(path, None))[0] == 401
    assert (await desk.get(path, cursor="x"))[1]["code"] == "cursor"
    assert (await desk.get(path, limit=0))[0] == 422


async def test_members_that_are_known_are_not_sent_again(desk, make):
    bearer = {"Authorization": "Bearer token-of-demo"}
    first = await desk.client.get("/v1/segments/viewed/members", headers=bearer)
    known = {**bearer, "If-None-Match": first.headers["ETag"]}
    assert (await desk.client.get("/v1/segments/viewed/members", headers=known)).status_code == 304
    await desk.write(make.event(20, "eve", at=200))
    again = await desk.client.get("/v1/segments/viewed/members", headers=known)
    assert (again.status_code, len(again.json()["members"])) == (200, 3)

"""What readers see of how far a segment has come, and that they go by what is in force."""

from __future__ import annotations

from datetime import timedelta

import httpx
import pytest
from cdp_contracts.topics import SEGMENTS_DEFINED
from cdp_runtime.rates import Rates
from cdp_segments.api.door import Door
from cdp_segments.api.routes import build_api
from cdp_segments.catalogs import Catalogs
from cdp_segments.domain.progress import Progress, Replay
from cdp_segments.reading import memory_reading
from cdp_segments.standings import Standings
from reading_desk import TOKENS, bearing

VISITED = {"kind": "count", "event": "visit"}
VIEWED = {"kind": "count", "event": "view", "n": 3}
BOUGHT = {"kind": "count", "event": "buy"}


class Readers:
    """The read API beside an evaluator, which shares no more with it than stores and definitions."""

    def __init__(self, evaluator, make):
        self.make, self.bus = make, evaluator.bus
        catalogs = Catalogs()
        self.bus.attach("segments-http", [], [catalogs.table])
        standings = Standings(catalogs, evaluator.ledger, self.bus.clock)
        door = Door(evaluator.people, standings, TOKENS, Rates(0, 1), self.bus.clock)
        api = build_api(door, memory_reading(evaluator.people))
        self.client = httpx.AsyncClient(transport=httpx.ASGITransport(api), base_url="http://x")

    async def begin(self, *definitions):
        """Define segments, and count as little of the log as can be."""
        self.bus.max_records = 1
        await self.bus.publish(SEGMENTS_DEFINED, *definitions)
        await self.bus.tick(turns=1)
        self.bus.clock.advance(1)

    async def end(self):
        await self.bus.tick()
        self.bus.clock.advance(1)

    async def get(self, path):
        answer = await self.client.get(path, headers=bearing("token-of-demo"))
        assert answer.status_code == 200, answer.text
        return answer.json()

    async def preview(self, **when):
        answer = await self.client.post(
            "/v1/segments/preview", json={"when": when}, headers=bearing("token-of-demo")
        )
        assert answer.status_code == 200, answer.text
        return answer.json()

    async def come(self, name="viewed"):
        found = await self.get(f"/v1/segments/{name}")
        (listed,) = (s for s in (await self.get("/v1/segments"))["segments"] if s["name"] == name)
        assert listed.items() <= found.items()
        return found["status"], found["version_in_force"], found["version"]

    async def why(self, who, name="viewed"):
        return await self.get(f"/v1/segments/{name}/explain/{self.make.profile_id(who)}")


@pytest.fixture
async def running(bare_evaluator, make):
    """An evaluator with another segment, which ann is in."""
    await bare_evaluator.define(make.segment("visited", **VISITED))
    await bare_evaluator.happens(
        *(make.event(n, who) for n, who in enumerate(("ann", "ann", "ann", "bob", "cid", "dee"))),
        make.event(6, "bob", "buy"),
        make.event(7, "ann", "visit"),
    )
    return bare_evaluator


@pytest.fixture
async def readers(running, make):
    readers = Readers(running, make)
    await readers.end()
    yield readers
    await readers.client.aclose()


async def test_a_segment_that_is_counted_says_how_far_and_that_nobody_is_in_it(readers, make):
    await readers.begin(make.segment("viewed", **VIEWED))
    found = await readers.get("/v1/segments/viewed")
    assert (found["status"], found["version_in_force"], found["version"], found["size"]) == (
        "counting",
        None,
        1,
        0,
    )
    assert 0 < found["percent"] < 100
    size = await readers.get("/v1/segments/viewed/size")
    assert (size["status"], size["percent"], size["version"], size["size"]) == (
        "counting",
        found["percent"],
        None,
        0,
    )
    members = await readers.get("/v1/segments/viewed/members")
    assert members == {"status": "counting", "members": [], "next": None}
    await readers.end()
    assert await readers.come() == ("live", 1, 1)
    found = await readers.get("/v1/segments/viewed")
    assert (found["percent"], found["size"]) == (None, 1)
    assert len((await readers.get("/v1/segments/viewed/members"))["members"]) == 1


async def test_what_is_not_counted_yet_speaks_neither_for_nor_against_anybody(readers, make):
    await readers.end()
    await readers.begin(make.segment("viewed", **VIEWED))
    why = await readers.why("ann")
    percent = (await readers.get("/v1/segments/viewed"))["percent"]
    assert why["summary"] == f"nobody is in it yet: {percent} % of what happened before is counted"
    assert (why["status"], why["member"], why["satisfied"], why["why"], why["would_enter_if"]) == (
        "counting", False, False, None, None,
    )  # fmt: skip
    await readers.end()
    why = await readers.why("ann")
    assert (why["status"], why["member"], why["why"]["value"]) == ("live", True, 3)


async def test_a_preview_does_not_take_what_is_being_counted_as_counted(readers, make):
    await readers.begin(make.segment("viewed", **VIEWED))
    answer = await readers.preview(**VIEWED)
    assert (answer["exact"], answer["estimate"]) == (None, None)
    assert [part["why"] for part in answer["unknown_parts"]] == ["no live segment counts these events"]
    await readers.end()
    answer = await readers.preview(**VIEWED)
    assert (answer["exact"], answer["unknown_parts"]) == (1, [])


async def test_a_higher_number_is_not_counted_either_until_it_is_in_force(readers, make):
    await readers.begin(make.segment("viewed", **{**VIEWED, "n": 1}))
    await readers.end()
    await readers.begin(make.segment("viewed", version=2, **VIEWED))
    answer = await readers.preview(**VIEWED)
    assert [part["why"] for part in answer["unknown_parts"]] == [
        "live segments keep fewer of these events than this needs"
    ]


async def test_an_edited_segment_is_explained_by_the_version_in_force(readers, make):
    await readers.begin(make.segment("viewed", **VIEWED))
    await readers.end()
    await readers.begin(make.segment("viewed", version=2, **BOUGHT))
    assert await readers.come() == ("counting", 1, 2)
    size = await readers.get("/v1/segments/viewed/size")
    assert (size["status"], size["version"], size["size"]) == ("counting", 1, 1)
    why = await readers.why("ann")
    assert (why["segment_version"], why["member"], why["satisfied"]) == (1, True, True)
    assert why["why"]["condition"] == "count(view) >= 3 ever"
    await readers.end()
    assert await readers.come() == ("live", 2, 2)
    why = await readers.why("bob")
    assert (why["segment_version"], why["member"], why["why"]["condition"]) == (2, True, "count(buy) >= 1 ever")


async def test_drafts_pauses_and_archives(readers, make):
    await readers.begin(make.segment("viewed", state="draft", **VIEWED))
    await readers.end()
    assert await readers.come() == ("draft", 1, 1)
    why = await readers.why("ann")
    assert (why["summary"], why["why"]) == ("nobody is in a draft", None)
    await readers.begin(make.segment("viewed", version=2, **VIEWED))
    assert await readers.come() == ("counting", 1, 2)
    assert (await readers.why("ann"))["summary"].startswith("nobody is in it yet")
    await readers.end()
    await readers.begin(make.segment("viewed", version=3, state="paused", **VIEWED))
    assert await readers.come() == ("paused", 3, 3)
    assert [(await readers.why(who))["summary"] for who in ("ann", "bob")] == [
        "in, and nobody enters or leaves while it is paused",
        "not in, and nobody enters or leaves while it is paused",
    ]  # fmt: skip
    await readers.begin(make.segment("viewed", version=4, state="archived", **VIEWED))
    await readers.end()
    assert await readers.come() == ("archived", 4, 4)
    assert (await readers.why("ann"))["summary"] == "nobody is in an archived segment"


async def test_what_waits_for_its_time_is_counted_whole(readers, make):
    at = readers.bus.clock.now() + timedelta(seconds=30)
    await readers.begin(make.segment("viewed", **VIEWED).model_copy(update={"effective_at": at}))
    await readers.end()
    assert await readers.come() == ("counting", None, 1)
    assert (await readers.get("/v1/segments/viewed"))["percent"] == 100
    readers.bus.clock.advance(30)
    await readers.end()
    assert await readers.come() == ("live", 1, 1)


def test_how_much_of_what_is_needed_a_partition_has_counted():
    progress = Progress("0")
    progress.learn("demo", {"marks:a": 2})
    progress.begin(Replay(10, 15, 30), {"demo": {"marks:b": 1}})
    assert progress.share("demo", {"marks:a": 2}) == 1
    assert progress.share("demo", {"marks:a": 1, "marks:b": 1}) == 0.25
    assert progress.share("demo", {"marks:a": 3}) == progress.share("other", {"marks:b": 1}) == 0
    progress.reach(30)
    assert progress.share("demo", {"marks:a": 1, "marks:b": 1}) == 1

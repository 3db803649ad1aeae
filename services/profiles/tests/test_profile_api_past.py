"""What readers are told of the past: histories, timelines, and the profile as of then."""

from __future__ import annotations

import httpx
import pytest
from cdp_contracts.topics import PROFILES_UPDATED
from cdp_profiles.api.history_views import cursor_of, order_of
from cdp_profiles.api.readers import Readers
from cdp_profiles.api.routes import build_api
from cdp_profiles.domain.history import Bounds
from cdp_profiles.domain.limits import Limits
from cdp_profiles.handlers import absorb_profiles, keep_histories, part_profiles, update_profiles
from cdp_profiles.histories import MemoryHistories
from cdp_profiles.settings import ReadToken
from cdp_profiles.store import MemoryProfileStore
from cdp_runtime.batch import Batch
from cdp_runtime.failures import Away
from cdp_runtime.rates import Rates
from cdp_runtime.transport import Incoming
from hypothesis import given
from hypothesis import strategies as st

ALL_OF_DEMO = "read-all-of-demo"
TOKENS = [
    ReadToken(token=ALL_OF_DEMO, tenant="demo"),
    ReadToken(token="read-masked-demo", tenant="demo", role="masked"),
    ReadToken(token="read-other-tenant", tenant="other"),
]


BOUNDS = Bounds()


class World:
    """Profiles with their histories, and a reader of them."""

    def __init__(self, make, noon, client):
        self.make, self.noon, self.client = make, noon, client
        self.store, self.histories = MemoryProfileStore(make.pseudonyms), MemoryHistories()

    def batch(self, messages, emits=()):
        return Batch(
            [(m, Incoming("t", 0, n, self.noon, None, None)) for n, m in enumerate(messages)], emits, self.noon
        )

    async def tell(self, *messages, bounds=BOUNDS):
        for message in messages:
            batch = self.batch([message], [PROFILES_UPDATED])
            if hasattr(message, "absorbed"):
                await absorb_profiles(batch, self.store)
            elif hasattr(message, "partings"):
                await part_profiles(batch, self.store)
            else:
                await update_profiles(batch, self.store, Limits())
            facts = [emitted.message for emitted in batch.outbox.emitted]
            await keep_histories(self.batch(facts), self.histories, bounds)

    async def get(self, name, rest="", token=ALL_OF_DEMO, headers=None, **params):
        authorization = {"Authorization": f"Bearer {token}"}
        path = f"/v1/profiles/{self.make.profile_id(name)}{rest}"
        return await self.client.get(path, params=params, headers=authorization | (headers or {}))

    async def history(self, name, trait, **params):
        answer = await self.get(name, f"/traits/{trait}/history", **params)
        assert answer.status_code == 200, answer.text
        return answer.json()

    async def timeline(self, name, **params):
        return (await self.get(name, "/timeline", **params)).json()


@pytest.fixture
async def world(make, noon):
    async with httpx.AsyncClient(base_url="http://profiles") as client:
        world = World(make, noon, client)
        client._transport = httpx.ASGITransport(
            build_api(world.store, world.histories, Readers(TOKENS, Rates(0, 1)))
        )
        yield world


def values(history):
    return [value["value"] for value in history["history"]]


async def test_the_history_of_a_trait(make, world):
    await world.tell(
        make.identify(1, "ann", plan="free"), make.identify(3, "ann", plan=None),
        make.identify(2, "ann", plan="pro"),
        make.identify(4, "ann", plan="free", city="Oslo"), make.identify(5, "ann", plan="free"),
    )  # fmt: skip
    history = await world.history("ann", "plan")
    assert (history["id"], history["trait"]) == (str(make.profile_id("ann")), "plan")
    assert values(history) == ["free", None, "pro", "free"]
    assert history["history"][2] == {
        "value": "pro", "occurred_at": "2026-01-05T12:00:02Z", "source": "web", "message_id": "m2",
        "received_at": "2026-01-05T12:00:02Z",
    }  # fmt: skip
    assert (history["complete_since"], history["next"]) == (None, None)
    assert values(await world.history("ann", "city")) == ["Oslo"]


async def test_a_history_says_how_far_back_it_goes(make, world):
    await world.tell(*(make.identify(n, "ann", plan=n) for n in range(9)), bounds=Bounds(values=3))
    history = await world.history("ann", "plan")
    assert (values(history), history["complete_since"]) == ([8, 7, 6], "2026-01-05T12:00:05Z")


async def test_histories_and_timelines_come_in_pages(make, world):
    await world.tell(*(make.event(n, "ann", part="pqr"[n % 3], traits={"plan": n}) for n in range(7)))
    for ask, entries, name in (
        (lambda **page: world.history("ann", "plan", **page), "history", "message_id"),
        (lambda **page: world.timeline("ann", **page), "entries", "message_id"),
    ):
        pages, cursor = [], {}
        while True:
            page = await ask(limit=3, **cursor)
            pages.append([one[name] for one in page[entries]])
            if not page["next"]:
                break
            cursor = {"cursor": page["next"]}
        assert pages == [["m6", "m5", "m4"], ["m3", "m2", "m1"], ["m0"]]


async def test_the_profile_as_of_then(make, world):
    await world.tell(
        make.identify(1, "ann", plan="free", city="Oslo"), make.identify(5, "device", plan="pro"),
        make.identify(7, "ann", city=None), make.merge("ann", "device"),
    )  # fmt: skip

    async def traits(second, **more):
        answer = await world.get("ann", as_of=f"2026-01-05T13:00:{second:02}+01:00", **more)
        return {name: trait["value"] for name, trait in answer.json()["traits"].items()}

    assert await traits(0) == {}
    assert await traits(1) == {"plan": "free", "city": "Oslo"}
    assert await traits(6) == {"plan": "pro", "city": "Oslo"}
    assert await traits(9) == {"plan": "pro"}
    assert await traits(6, trait="city") == {"city": "Oslo"}
    answer = await world.get("device", as_of="2026-01-05T12:00:06Z")
    assert answer.json().keys() == {
        "id", "revision", "values", "as_of", "merged_from", "traits", "unknown_traits",
    }  # fmt: skip
    assert answer.json()["id"] == str(make.profile_id("ann"))
    assert "ETag" not in answer.headers
    assert (await world.get("ann", as_of="2026-01-05T12:00:06")).status_code == 422


async def test_what_is_not_kept_any_more_is_unknown_and_not_guessed(make, world):
    events = [make.event(n, "ann", part="pq"[n % 2], traits={"plan": n}) for n in range(9)]
    await world.tell(*events, bounds=Bounds(values=2))
    then = (await world.get("ann", as_of="2026-01-05T12:00:04Z")).json()
    assert (then["traits"], then["unknown_traits"]) == ({}, ["plan"])
    now = (await world.get("ann", as_of="2026-01-05T12:00:07Z")).json()
    assert (now["traits"]["plan"]["value"], now["unknown_traits"]) == (7, [])


async def test_a_timeline_tells_events_merges_and_partings(make, world):
    await world.tell(
        make.event(1, "ann", part="i1", properties={"sku": "a.b", "$x": [1]}),
        make.event(2, "device", part="i2", type="page", name="Home"),
        make.merge("ann", "device"), make.unmerge("ann", 1, bob=["i2"]),
    )  # fmt: skip
    ann, bob = await world.timeline("ann"), await world.timeline("bob")
    assert ann["entries"][0] == {
        "kind": "event", "type": "track", "name": "Product Viewed", "occurred_at": "2026-01-05T12:00:01Z",
        "received_at": "2026-01-05T12:00:01Z", "message_id": "m1", "source": "web", "purposes": ["analytics"],
        "properties": {"sku": "a.b", "$x": [1]}, "profiles": [],
    }  # fmt: skip
    device, ann_id, bob_id = (str(make.profile_id(name)) for name in ("device", "ann", "bob"))
    assert sorted((e["kind"], *e["profiles"]) for e in ann["entries"][1:]) == [
        ("merged", device),
        ("parted", bob_id),
    ]
    assert [(e["kind"], e["name"]) for e in bob["entries"]] == [("event", "Home"), ("parted", "parted")]
    assert bob["entries"][1]["profiles"] == [ann_id]


async def test_of_many_parts_the_newest_are_told(make, world):
    events = [make.event(n, "ann", part=f"i{n % 40}", anonymous_id=f"i{n % 40}") for n in range(100)]
    await world.tell(*events)
    page = await world.timeline("ann", limit=30)
    assert [entry["message_id"] for entry in page["entries"]] == [f"m{n}" for n in range(99, 69, -1)]


async def test_masked_readers_see_neither_values_nor_properties(make, world):
    await world.tell(make.event(1, "ann", traits={"city": "Oslo"}, properties={"street": "Karl"}))
    for rest in ("/timeline", "/traits/city/history"):
        answer = await world.get("ann", rest, token="read-masked-demo")
        assert answer.json()["values"] == "masked"
        assert "Oslo" not in answer.text
        assert "Karl" not in answer.text
    then = await world.get("ann", token="read-masked-demo", as_of="2027-01-05T12:00:06Z")
    assert then.json()["traits"]["city"]["value"] is None


async def test_with_a_purpose_only_events_that_allow_it_are_told(make, world):
    other = make.event(2, "ann", name="Paid")
    decision = other.decision.model_copy(update={"purposes": ("billing",)})
    await world.tell(make.event(1, "ann"), other.model_copy(update={"decision": decision}))
    seen = await world.timeline("ann", headers={"X-Purpose": "analytics"})
    assert ([e["name"] for e in seen["entries"]], seen["values"]) == (["Product Viewed"], "withheld")
    seen = await world.timeline("ann", headers={"X-Purpose": "billing"})
    assert ([e["name"] for e in seen["entries"]], seen["values"]) == (["Paid"], "shown")


@pytest.mark.parametrize("rest", ["", "/timeline", "/traits/plan/history"])
async def test_one_tenant_cannot_read_anothers_past(make, world, rest):
    await world.tell(make.identify(1, "ann", plan="pro"))
    answer = await world.get("ann", rest, token="read-other-tenant", as_of="2027-01-05T12:00:06Z")
    assert (answer.status_code, answer.json()["code"]) == (404, "not-found")


@pytest.mark.parametrize(
    ("rest", "params", "status", "code"),
    [
        ("/traits/nothing/history", {}, 404, "no-such-trait"),
        ("/timeline", {"cursor": "é"}, 422, "invalid"),
        ("/timeline", {"cursor": "W10"}, 422, "invalid"),
        ("/timeline", {"cursor": "WyJ4IiwiYSJd"}, 422, "invalid"),
        ("/timeline", {"limit": 0}, 422, "invalid"),
        ("/traits/plan/history", {"limit": 201}, 422, "invalid"),
    ],
)
async def test_bad_questions(make, world, *, rest, params, status, code):
    await world.tell(make.identify(1, "ann", plan="pro"))
    answer = await world.get("ann", rest, **params)
    assert (answer.status_code, answer.json()["code"]) == (status, code)


async def test_a_trait_may_have_any_name(make, world):
    await world.tell(make.identify(1, "ann", **{"a/b history": 1, "traits/x/history": 2}))
    assert values(await world.history("ann", "a%2Fb%20history")) == [1]
    assert values(await world.history("ann", "traits%2Fx%2Fhistory")) == [2]


async def test_while_histories_are_away_the_answer_says_so(make, world):
    await world.tell(make.identify(1, "ann", plan="pro"))

    async def away(*_):
        raise Away("gone")

    world.histories.load = world.histories.newest = away
    for rest, params in [("/timeline", {}), ("/traits/plan/history", {}), ("", {"as_of": "2027-01-05T12:00:06Z"})]:
        answer = await world.get("ann", rest, **params)
        assert (answer.status_code, answer.json()["code"]) == (503, "unavailable")
    assert (await world.get("ann")).status_code == 200


@given(st.integers(-(10**17) + 1, 10**17 - 1), st.text(st.characters(exclude_categories=["Cs"]), max_size=99))
def test_a_cursor_leads_back(at, id_):
    assert order_of(cursor_of((at, id_))) == (at, id_)

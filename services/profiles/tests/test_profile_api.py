"""The read API over the store in memory."""

from __future__ import annotations

import logging

import httpx
import pytest
from cdp_profiles.api.readers import Readers
from cdp_profiles.api.routes import build_api
from cdp_profiles.domain.limits import Limits
from cdp_profiles.domain.merging import absorb, freeze, release
from cdp_profiles.domain.updating import update
from cdp_profiles.histories import MemoryHistories
from cdp_profiles.settings import ReadToken
from cdp_profiles.store import MemoryProfileStore
from cdp_runtime.failures import Away
from cdp_runtime.rates import Rates

ALL_OF_DEMO = "read-all-of-demo"
TOKENS = [
    ReadToken(token=ALL_OF_DEMO, tenant="demo"),
    ReadToken(token="read-masked-demo", tenant="demo", role="masked"),
    ReadToken(token="read-other-tenant", tenant="other"),
    ReadToken(token="read-for-analytics", tenant="demo", purposes=("analytics", "marketing")),
]


class SwitchedStore(MemoryProfileStore):
    """A store that can be away."""

    away: Exception | None = None

    async def load(self, ids):
        if self.away:
            raise self.away
        return await super().load(ids)


@pytest.fixture
async def store(make, noon):
    store = SwitchedStore(make.pseudonyms)
    events = [
        make.identify(1, "device", plan="free", city="Oslo", gone=1, email="Ann@example.com"),
        make.event(2, "ann", user_id="u1", traits={"plan": "pro", "gone": None}),
        make.event(3, "bob", user_id="u2", anonymous_id="device of ann"),
        make.event(4, "device"),
    ]
    people = await store.load(make.record_id(name) for name in ("ann", "bob", "device"))
    for event in events:
        update(people, event, Limits(), noon)
    merge = make.merge("ann", "device")
    freeze(people, [merge])
    absorb(people, merge, noon)
    release(people, [merge])
    await store.save(people)
    return store


@pytest.fixture
async def get(store):
    api = build_api(store, MemoryHistories(), Readers(TOKENS, Rates(0, 1)))
    transport = httpx.ASGITransport(api)
    async with httpx.AsyncClient(transport=transport, base_url="http://profiles") as client:

        async def get(path, token=ALL_OF_DEMO, headers=None, **params):
            authorization = {"Authorization": f"Bearer {token}"} if token else {}
            return await client.get(path, params=params, headers=authorization | (headers or {}))

        yield get


async def test_a_profile_by_id(make, get):
    answer = await get(f"/v1/profiles/{make.profile_id('ann')}")
    assert answer.status_code == 200
    first = {"occurred_at": "2026-01-05T12:00:01Z", "source": "web", "message_id": "m1"}
    assert answer.json() == {
        "id": str(make.profile_id("ann")),
        "merged_from": [str(make.profile_id("device"))],
        "revision": 2,
        "values": "shown",
        "purposes": ["analytics"],
        "first_seen": "2026-01-05T12:00:01Z",
        "last_seen": "2026-01-05T12:00:04Z",
        "traits": {
            "plan": {"value": "pro", "occurred_at": "2026-01-05T12:00:02Z", "source": "web", "message_id": "m2"},
            "city": {"value": "Oslo"} | first,
            "email": {"value": "Ann@example.com"} | first,
        },
        "computed": {},
        "counters": {"Product Viewed": 2, "identify": 1},
        "identifiers": {"anonymous_id": 2, "email": 1, "user_id": 1},
    }


async def test_an_absorbed_id_answers_the_survivor(make, get):
    answer = await get(f"/v1/profiles/{make.profile_id('device')}")
    assert answer.json()["id"] == str(make.profile_id("ann"))
    assert answer.headers["Content-Location"] == f"/v1/profiles/{make.profile_id('ann')}"


@pytest.mark.parametrize(
    "identifier",
    [{"user_id": "u1"}, {"anonymous_id": "device of device"}, {"email": "ANN@example.com "}],
    ids=lambda i: next(iter(i)),
)
async def test_a_profile_by_an_identifier(make, get, identifier):
    answer = await get("/v1/profiles", **identifier)
    assert answer.json()["id"] == str(make.profile_id("ann"))


async def test_an_identifier_of_several_people_answers_who_they_are(make, get):
    answer = await get("/v1/profiles", anonymous_id="device of ann")
    assert answer.status_code == 409
    body = answer.json()
    assert body["code"] == "ambiguous"
    assert set(body["profiles"]) == {str(make.profile_id(name)) for name in ("ann", "bob")}


async def test_parts_on_request(make, get):
    path = f"/v1/profiles/{make.profile_id('ann')}"
    parts = (await get(path, include="parts")).json()["parts"]
    assert sorted(part["profile_id"] for part in parts) == sorted(
        str(make.profile_id(name)) for name in ("ann", "device")
    )  # fmt: skip
    assert {part["counters"].get("identify", 0) for part in parts} == {0, 1}
    assert (await get(path, include="everything")).status_code == 422


@pytest.mark.parametrize(
    ("path", "params"),
    [
        ("/v1/profiles/00000000-0000-0000-0000-000000000000", {}),
        ("/v1/profiles", {"user_id": "nobody"}),
        ("/v1/profiles", {"email": "u1"}),
    ],
)
async def test_nobody_there(get, path, params):
    answer = await get(path, **params)
    assert (answer.status_code, answer.json()["code"]) == (404, "not-found")


async def test_one_tenant_cannot_read_another(make, get):
    for path, params in [(f"/v1/profiles/{make.profile_id('ann')}", {}), ("/v1/profiles", {"user_id": "u1"})]:
        answer = await get(path, token="read-other-tenant", **params)
        unknown = await get("/v1/profiles", token="read-other-tenant", user_id="nobody")
        assert (answer.status_code, answer.json()) == (404, unknown.json())


@pytest.mark.parametrize("token", [None, "unknown", "read-all-of-dem", "read-all-of-demo!", "é"])
async def test_without_a_known_token_nothing_is_told(make, get, token):
    headers = {"Authorization": f"Bearer {token}".encode()} if token else {}
    for path in (f"/v1/profiles/{make.profile_id('ann')}", "/v1/profiles"):
        answer = await get(path, token=None, headers=headers)
        assert (answer.status_code, answer.json()["code"]) == (401, "unauthorized")
        assert answer.headers["WWW-Authenticate"] == "Bearer"


@pytest.mark.parametrize("scheme", ["Basic", "bearer"])
async def test_the_scheme_is_bearer(make, get, scheme):
    headers = {"Authorization": f"{scheme} read-all-of-demo"}
    answer = await get(f"/v1/profiles/{make.profile_id('ann')}", token=None, headers=headers)
    assert answer.status_code == (200 if scheme == "bearer" else 401)


@pytest.mark.parametrize("params", [{}, {"user_id": "u1", "email": "a@b.example"}, {"phone": "1"}])
async def test_exactly_one_identifier(get, params):
    answer = await get("/v1/profiles", **params)
    assert (answer.status_code, answer.json()["code"]) == (400, "one-identifier")


@pytest.mark.parametrize(
    ("path", "params", "status", "code"),
    [
        ("/v1/profiles/not-an-id", {}, 422, "invalid"),
        ("/v1/profiles", {"user_id": ""}, 422, "invalid"),
        ("/v1/profiles", {"user_id": "x" * 513}, 422, "invalid"),
        ("/v1/persons", {}, 404, "no-such-route"),
    ],
)
async def test_bad_requests_have_the_same_shape_and_echo_nothing(get, path, params, status, code):
    answer = await get(path, **params)
    assert (answer.status_code, answer.json()["code"]) == (status, code)
    assert "xxx" not in answer.text


async def test_masked_readers_see_no_values(make, get):
    answer = await get(f"/v1/profiles/{make.profile_id('ann')}", token="read-masked-demo", include="parts")
    body = answer.json()
    assert {trait["value"] for trait in body["traits"].values()} == {None}
    assert body["traits"]["plan"]["source"] == "web"
    assert "pro" not in answer.text.replace("profile_id", "")
    assert "Oslo" not in answer.text


async def test_only_the_fields_and_traits_that_were_asked_for(make, get):
    path = f"/v1/profiles/{make.profile_id('ann')}"
    some = await get(path, fields=["traits", "counters"], trait=["plan", "nothing"])
    assert some.json().keys() == {"id", "revision", "values", "traits", "counters"}
    assert some.json()["traits"].keys() == {"plan"}
    assert (await get(path, fields="first_seen")).json().keys() == {"id", "revision", "values", "first_seen"}
    parts = (await get(path, fields="parts", trait="city")).json()["parts"]
    assert {name for part in parts for name in part["traits"]} == {"city"}
    assert (await get(path, fields="secrets")).status_code == 422
    assert some.headers["ETag"] != (await get(path, fields=["traits", "counters"])).headers["ETag"]


@pytest.mark.parametrize(
    ("token", "purpose", "status", "values"),
    [
        ("read-for-analytics", "analytics", 200, "shown"),
        ("read-for-analytics", "marketing", 200, "withheld"),
        ("read-for-analytics", "sales", 403, None),
        ("read-for-analytics", None, 403, None),
        (ALL_OF_DEMO, "analytics", 200, "shown"),
        (ALL_OF_DEMO, "sales", 200, "withheld"),
        (ALL_OF_DEMO, None, 200, "shown"),
        ("read-masked-demo", "analytics", 200, "masked"),
        (ALL_OF_DEMO, "no such purpose", 422, None),
    ],
)
async def test_values_are_read_for_what_the_person_allows(make, get, *, token, purpose, status, values):
    headers = {"X-Purpose": purpose} if purpose else {}
    answer = await get(f"/v1/profiles/{make.profile_id('ann')}", token=token, headers=headers, include="parts")
    assert answer.status_code == status
    assert ("Oslo" in answer.text) == (values == "shown")
    assert answer.json().get("values") == values
    assert status != 403 or answer.json()["code"] == "purpose"


async def test_where_nothing_is_known_of_purposes_values_are_withheld(make, store, get):
    record = make.record_id("ann")
    for part in store.records.documents[record]["parts"]:
        del part["allowed"]
    answer = await get(f"/v1/profiles/{make.profile_id('ann')}", headers={"X-Purpose": "analytics"})
    assert (answer.json()["values"], answer.json()["purposes"]) == ("withheld", None)


async def test_what_did_not_change_is_not_sent_again(make, store, get, noon):
    path = f"/v1/profiles/{make.profile_id('ann')}"
    tag = (await get(path)).headers["ETag"]
    again = await get(path, headers={"If-None-Match": f'W/"x", {tag}'})
    assert (again.status_code, again.content, again.headers["ETag"]) == (304, b"", tag)
    assert (await get(path, headers={"If-None-Match": "*"})).status_code == 304
    assert (await get(path, headers={"If-None-Match": tag}, include="parts")).status_code == 200
    assert (await get(path, headers={"If-None-Match": tag}, token="read-masked-demo")).status_code == 200
    people = await store.load([make.record_id("ann")])
    update(people, make.event(9, "ann"), Limits(), noon)
    await store.save(people)
    assert (await get(path, headers={"If-None-Match": tag})).status_code == 200


@pytest.mark.parametrize("away", [Away("gone"), ConnectionError("gone")])
async def test_while_the_store_is_away_the_answer_says_so(make, store, get, away):
    store.away = away
    for path, params in [(f"/v1/profiles/{make.profile_id('ann')}", {}), ("/v1/profiles", {"user_id": "u1"})]:
        answer = await get(path, **params)
        assert (answer.status_code, answer.json()["code"]) == (503, "unavailable")
        assert answer.headers["Retry-After"].isdigit()


async def test_every_read_is_logged_without_personal_data(make, get, caplog):
    caplog.set_level(logging.INFO, logger="cdp.access")
    await get("/v1/profiles", email="Ann@example.com")
    await get("/v1/profiles", user_id="secret-somebody")
    (found, missed) = [record.getMessage() for record in caplog.records if record.name == "cdp.access"]
    assert "tenant=demo by=email status=200" in found
    assert str(make.profile_id("ann")) in found
    assert "tenant=demo by=user_id status=404 profile=-" in missed
    for line in (found, missed):
        for secret in ("example.com", "secret-somebody", "read-all-of-demo"):
            assert secret not in line


async def test_the_api_describes_itself(get):
    schema = (await get("/openapi.json", token=None)).json()
    route = schema["paths"]["/v1/profiles"]["get"]
    assert {p["name"] for p in route["parameters"]} >= {"user_id", "anonymous_id", "email", "include"}
    assert route["responses"].keys() >= {"200", "304", "400", "401", "404", "409", "503"}
    assert route["security"]


async def test_a_reader_that_asks_too_often_is_told_when_to_come_back(make, store):
    api = build_api(store, MemoryHistories(), Readers(TOKENS, Rates(0.5, 4)))
    async with httpx.AsyncClient(transport=httpx.ASGITransport(api), base_url="http://profiles") as client:
        token = {"Authorization": f"Bearer {ALL_OF_DEMO}"}
        path = f"/v1/profiles/{make.profile_id('ann')}"
        answers = [await client.get(path, headers=token) for _ in range(3)]
        assert [answer.status_code for answer in answers] == [200, 200, 429]
        assert answers[0].headers["Cache-Control"] == "private, no-store"
        assert (answers[-1].json()["code"], int(answers[-1].headers["Retry-After"])) == ("rate", 2)
        assert (await client.get(path)).status_code == 401

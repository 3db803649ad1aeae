"""Many at once: lookups by ids, and exports that say what reads say."""

from __future__ import annotations

import json
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
from cdp_runtime.rates import Rates

READER, EXPORTER, MASKED = "read-all-of-demo", "export-all-of-demo", "export-masked-demo"
TOKENS = [
    ReadToken(token=READER, tenant="demo"),
    ReadToken(token=EXPORTER, tenant="demo", export=True),
    ReadToken(token=MASKED, tenant="demo", role="masked", export=True),
    ReadToken(token="export-other", tenant="other", export=True),
]
PEOPLE = [f"person {n}" for n in range(7)]


@pytest.fixture
async def store(make, noon):
    store = MemoryProfileStore(make.pseudonyms)
    people = await store.load(make.record_id(name) for name in PEOPLE)
    for n, name in enumerate(PEOPLE):
        update(people, make.identify(n, name, plan=f"plan {n}", city="Oslo"), Limits(), noon)
    merge = make.merge("person 0", "person 6")
    freeze(people, [merge])
    absorb(people, merge, noon)
    release(people, [merge])
    await store.save(people)
    return store


@pytest.fixture
async def client(store):
    transport = httpx.ASGITransport(build_api(store, MemoryHistories(), Readers(TOKENS, Rates(0, 1))))
    async with httpx.AsyncClient(transport=transport, base_url="http://profiles") as client:
        yield client


def by(token, purpose=None):
    return {"Authorization": f"Bearer {token}"} | ({"X-Purpose": purpose} if purpose else {})


async def exported(client, token=EXPORTER, purpose=None, **params):
    lines, url = [], "/v1/exports/profiles"
    while url:
        answer = await client.get(url, params=params, headers=by(token, purpose))
        assert answer.status_code == 200, answer.text
        assert answer.headers["Content-Type"].startswith("application/x-ndjson")
        lines += [json.loads(line) for line in answer.text.splitlines()]
        follow = answer.links.get("next")
        url = "/v1/exports/profiles" if follow else None
        params |= dict(httpx.URL(follow["url"]).params) if follow else {}
    return lines


@pytest.mark.parametrize("limit", [1, 3, 1000])
@pytest.mark.parametrize(("token", "purpose"), [(EXPORTER, None), (EXPORTER, "sales"), (MASKED, None)])
async def test_an_export_says_what_reads_say(make, client, limit, token, purpose):
    lines = await exported(client, token, purpose, limit=limit)
    assert [line["id"] for line in lines] == sorted(str(make.profile_id(name)) for name in PEOPLE[:6])
    for line in lines:
        answer = await client.get(f"/v1/profiles/{line['id']}", headers=by(token, purpose))
        assert line == answer.json()


async def test_only_some_fields_are_exported(client):
    assert all(
        line.keys() == {"id", "revision", "values", "counters"}
        for line in await exported(client, fields="counters")
    )


async def test_an_export_takes_a_token_for_it(client):
    answer = await client.get("/v1/exports/profiles", headers=by(READER))
    assert (answer.status_code, answer.json()["code"]) == (403, "no-export")
    assert await exported(client, "export-other") == []


async def test_exports_are_logged_without_personal_data(client, caplog):
    caplog.set_level(logging.INFO, logger="cdp.access")
    await exported(client)
    (line,) = [record.getMessage() for record in caplog.records if record.name == "cdp.access"]
    assert "by=export status=200" in line
    assert "Oslo" not in line


async def test_up_to_a_hundred_by_their_ids(make, client, caplog):
    caplog.set_level(logging.INFO, logger="cdp.access")
    ids = [str(make.profile_id(name)) for name in ("person 1", "nobody", "person 6")]
    answer = await client.post("/v1/profiles/lookup", json={"ids": ids}, headers=by(READER))
    body = answer.json()
    assert body["missing"] == [ids[1]]
    assert [found["asked"] for found in body["found"]] == [ids[0], ids[2]]
    assert body["found"][1]["profile"]["id"] == str(make.profile_id("person 0"))
    for found in body["found"]:
        single = await client.get(f"/v1/profiles/{found['asked']}", headers=by(READER))
        assert found["profile"] == single.json()
    assert len([r for r in caplog.records if "by=ids" in r.getMessage()]) == 2


async def test_some_fields_and_traits_of_many(make, client):
    body = {"ids": [str(make.profile_id("person 1"))], "fields": ["traits"], "traits": ["plan"]}
    (found,) = (await client.post("/v1/profiles/lookup", json=body, headers=by(READER))).json()["found"]
    assert found["profile"].keys() == {"id", "revision", "values", "traits"}
    assert found["profile"]["traits"]["plan"]["value"] == "plan 1"
    assert found["profile"]["traits"].keys() == {"plan"}


async def test_many_of_another_tenant_are_nobody(make, client):
    ids = [str(make.profile_id(name)) for name in PEOPLE]
    answer = await client.post("/v1/profiles/lookup", json={"ids": ids}, headers=by("export-other"))
    assert answer.json() == {"found": [], "missing": ids}


@pytest.mark.parametrize("ids", [[], ["x"], ["00000000-0000-0000-0000-000000000000"] * 101])
async def test_bad_lookups(client, ids):
    answer = await client.post("/v1/profiles/lookup", json={"ids": ids}, headers=by(READER))
    assert (answer.status_code, answer.json()["code"]) == (422, "invalid")

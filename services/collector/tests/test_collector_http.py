"""The edge over HTTP: what is stored, and with which stamp."""

from __future__ import annotations

import base64
import gzip
import json
import re

import pytest
from collector_builders import NOON, PSEUDONYMS, WEB_KEY, at, item
from collector_edge import BASIC, batch


@pytest.mark.parametrize("path", ["batch", "b", "import"])
async def test_a_batch_is_stored_with_the_edges_stamp_and_without_the_key(edge, path):
    body = batch(item(writeKey=WEB_KEY), item(messageId="m-2"), writeKey=WEB_KEY, sentAt="2026-01-05T11:59:59Z")
    response = await edge.post(path, body)
    assert (response.status_code, response.json()) == (200, {"success": True})
    assert [event.message_id for event in edge.stored] == ["m-1", "m-2"]
    stamp = edge.stored[0].edge
    assert stamp is not None
    assert (stamp.tenant, stamp.source, stamp.received_at, stamp.sent_at) == ("demo", "web", NOON, at(-1))
    assert (stamp.gpc, stamp.jurisdiction) == (False, None)
    assert all(event.write_key is None for event in edge.stored)


@pytest.mark.parametrize(
    ("path", "kind"),
    [
        *[(kind, kind) for kind in ("identify", "track", "page", "screen", "group", "alias")],
        *zip("itpsga", ("identify", "track", "page", "screen", "group", "alias"), strict=True),
    ],
)
async def test_a_single_event_gets_its_type_from_the_route(edge, path, kind):
    response = await edge.post(path, item(type="odd"))
    assert (response.status_code, response.json()) == (200, {"success": True})
    assert [event.type for event in edge.stored] == [kind]


async def test_what_the_edge_knows_a_sender_cannot_say(edge):
    forged = {"tenant": "other", "source": "bank", "received_at": "2020-01-01T00:00:00Z"}
    await edge.post("track", item(edge=forged, write_key="k", writeKey="k"))
    assert edge.stored[0].edge.tenant == "demo"
    assert edge.stored[0].write_key is None


async def test_events_are_keyed_by_their_subject_and_the_key_is_a_pseudonym(edge):
    await edge.post("batch", batch(item(), item(anonymousId=None, userId="u-1"), item(anonymousId=None)))
    assert [taken.key for taken in edge.log.events] == [
        PSEUDONYMS.of("demo", "subject", "device:device-1"),
        PSEUDONYMS.of("demo", "subject", "user:u-1"),
        None,
    ]


async def test_a_missing_message_id_is_made_up_and_a_given_one_kept(edge):
    await edge.post("batch", batch(item(messageId=None), item(messageId=""), item(messageId=7)))
    first, second, third = (event.message_id for event in edge.stored)
    assert len(str(first)) == len(str(second)) == 36
    assert first != second
    assert third == 7


async def test_the_batchs_context_holds_where_the_event_says_nothing(edge):
    context = {"locale": "de", "library": {"name": "shop"}}
    await edge.post("b", batch(item(), item(context={"locale": "fr"}), item(context="odd"), context=context))
    assert [event.context for event in edge.stored] == [
        context, {"locale": "fr", "library": {"name": "shop"}}, "odd",
    ]  # fmt: skip


@pytest.mark.parametrize("value", [("1", True), ("0", False), ("true", False)])
async def test_global_privacy_control_is_stamped(edge, value):
    await edge.post("t", item(), **{"Sec-GPC": value[0]})
    assert edge.stored[0].edge.gpc is value[1]


@pytest.mark.parametrize(("header", "place"), [("de", "DE"), ("US-CA", "US-CA"), ("Germany", None), ("", None)])
async def test_the_place_that_a_trusted_proxy_names_is_stamped(edge, header, place):
    await edge.post("t", item(), **{"CF-IPCountry": header})
    assert edge.stored[0].edge.jurisdiction == place


@pytest.mark.parametrize(
    "authorization",
    [
        BASIC["Authorization"],
        "basic " + base64.b64encode(WEB_KEY.encode()).decode(),
        "Basic " + base64.b64encode(f"{WEB_KEY}:password".encode()).decode(),
    ],
)
async def test_a_write_key_may_come_by_basic_authentication(edge, authorization):
    assert (await edge.post("t", item(), Authorization=authorization)).status_code == 200


@pytest.mark.parametrize("authorization", ["", "Bearer token", "Basic", "Basic %%%", "Basic bm9ib2R5Og=="])
async def test_a_write_key_may_come_in_the_body(edge, authorization):
    for path, body in (("t", item(writeKey=WEB_KEY)), ("b", batch(item(), writeKey=WEB_KEY))):
        assert (await edge.post(path, body, Authorization=authorization)).status_code == 200
    refused = await edge.post("t", item(), Authorization=authorization)
    assert (refused.status_code, refused.json()["code"]) == (401, "write-key")
    assert "www-authenticate" not in refused.headers


async def test_gzip_is_told_by_its_bytes(edge):
    body = gzip.compress(json.dumps(batch(item())).encode())
    assert (await edge.post("b", body)).status_code == 200
    assert (await edge.post("b", body, **{"Content-Encoding": "gzip"})).status_code == 200
    plain = await edge.post("b", batch(item()), **{"Content-Encoding": "gzip", "Content-Type": "text/plain"})
    assert plain.status_code == 200


async def test_stored_is_not_valid(edge):
    assert (await edge.post("track", {"no": "idea"})).json() == {"success": True}


async def test_a_browser_may_ask_first(edge):
    response = await edge.client.options(
        "/v1/b",
        headers={
            "Origin": "https://shop.example",
            "Access-Control-Request-Method": "POST",
            "Access-Control-Request-Headers": "authorization,content-type",
        },
    )
    assert response.status_code == 200
    assert response.headers["access-control-allow-origin"] == "*"
    assert "authorization" in response.headers["access-control-allow-headers"].lower()
    sent = await edge.post("b", batch(item()), Origin="https://shop.example")
    assert sent.headers["access-control-allow-origin"] == "*"


async def test_the_senders_trace_is_carried_on(edge):
    trace_id = "0af7651916cd43dd8448eb211c80319c"
    await edge.post("b", batch(item()), traceparent=f"00-{trace_id}-b7ad6b7169203331-01", tracestate="a=b")
    headers = dict(edge.log.traces[0])
    assert re.fullmatch(rb"00-%s-[0-9a-f]{16}-01" % trace_id.encode(), headers["traceparent"])
    assert b"b7ad6b7169203331" not in headers["traceparent"]
    assert headers["tracestate"] == b"a=b"


async def test_a_request_without_a_trace_begins_one(edge):
    await edge.post("b", batch(item()), traceparent="nonsense")
    assert re.fullmatch(rb"00-[0-9a-f]{32}-[0-9a-f]{16}-0[0-3]", dict(edge.log.traces[0])["traceparent"])


async def test_validity_can_be_asked_at_once_and_stores_nothing(edge):
    answer = await edge.post(
        "validate",
        batch(item(), "odd", item(properties={"product_id": 7}), item(timestamp="9999-01-01T00:00:00Z")),
    )
    assert answer.status_code == 200
    results = answer.json()["results"]
    assert answer.json()["valid"] is False
    assert [(r["index"], r["valid"], r.get("rule"), r.get("pointer")) for r in results] == [
        (0, True, None, None),
        (1, False, "object", ""),
        (2, False, "plan-type", "/properties/product_id"),
        (3, False, "timestamp", "/timestamp"),
    ]
    assert edge.stored == []
    assert (await edge.post("validate", batch(item()))).json()["valid"] is True
    assert (await edge.post("validate", b"{")).status_code == 400


async def test_the_document_names_every_route_and_answers_keep_to_it(edge):
    document = (await edge.client.get("/openapi.json")).json()
    paths = document["paths"]
    assert len(paths) == 2 * 6 + 3 + 1
    for path, operation in paths.items():
        assert set(operation) == {"post"}
        assert set(operation["post"]["responses"]) == {"200", "400", "401", "429", "500", "503"}, path
        assert "requestBody" in operation["post"]
    for status, body in ((200, batch(item())), (400, b"{"), (401, None)):
        headers = {"Authorization": ""} if status == 401 else {}
        response = await edge.post("batch", body or batch(item()), **headers)
        reference = paths["/v1/batch"]["post"]["responses"][str(status)]["content"]["application/json"]["schema"]
        schema = document["components"]["schemas"][reference["$ref"].rsplit("/", 1)[-1]]
        assert set(response.json()) <= set(schema["properties"])
        assert set(schema.get("required", [])) <= set(response.json())

"""The edge's own cookie in hands that should not have it: forged, replayed, planted, sent from elsewhere."""

from __future__ import annotations

import logging
from datetime import timedelta
from typing import Any

import pytest
from cdp_collector.domain.catalogue import key_digest
from cdp_collector.domain.visitors import Visitors
from cdp_collector.settings import HttpSettings
from collector_builders import NOON, source
from collector_cookies import NAME, YES, outcomes, set_cookie, signed
from collector_edge import BASIC, COOKIES, ORIGIN, SETTINGS, EdgeUnderTest
from hypothesis import given
from hypothesis import strategies as st
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter
from prometheus_client import REGISTRY


async def failing(*_: Any) -> None:
    raise RuntimeError("what broke")


@pytest.mark.parametrize(
    "origin",
    [None, "null", "", "https://evil.example", "https://shop.example.evil.example", "http://shop.example",
     "https://shop.example:8443", "https://shop.example/", "https://SHOP.example"],
)  # fmt: skip
async def test_other_pages_get_no_cookie_and_cannot_use_one(shop: EdgeUnderTest, origin: str | None) -> None:
    async with shop.browser() as browser:
        await browser.post("/v1/track", json=YES)
        kept = browser.cookies
    before = outcomes()
    async with shop.browser(origin) as other:
        other.cookies = kept
        answer = await other.post("/v1/track", json=YES)
        asked = await other.options("/v1/track", headers={"Access-Control-Request-Method": "POST"})
    for each in (answer, asked):
        assert "set-cookie" not in each.headers
        assert "access-control-allow-credentials" not in each.headers
        assert each.headers.get("access-control-allow-origin", "*") == "*"
    counted = {name: n - before[name] for name, n in outcomes().items() if n != before[name]}
    assert counted == ({} if origin is None else {"foreign": 1}), "servers have no origin"
    assert shop.stored[-1].edge.first_party_id is None


async def test_pages_of_the_source_may_send_cookies_across_origins(shop: EdgeUnderTest) -> None:
    async with shop.browser() as browser:
        wanted = {"Access-Control-Request-Method": "POST", "Access-Control-Request-Headers": "authorization"}
        asked = await browser.options("/v1/track", headers=wanted)
        answer = await browser.post("/v1/track", json=YES)
    for each in (asked, answer):
        assert each.headers["access-control-allow-origin"] == ORIGIN
        assert each.headers["access-control-allow-credentials"] == "true"
        assert "Origin" in each.headers["vary"]


async def test_an_origin_counts_for_its_own_source_alone(shop: EdgeUnderTest) -> None:
    blog = source(name="blog", write_key_hashes=(key_digest("blog-key"),), first_party=COOKIES.model_copy(
        update={"origins": ("https://blog.example",)}
    ))  # fmt: skip
    shop.define(blog, first_party=COOKIES)
    async with shop.browser("https://blog.example") as browser:
        assert set_cookie(await browser.post("/v1/track", json=YES)) == {}
        assert set_cookie(await browser.post("/v1/track", json=YES, auth=("blog-key", "")))["name"] != NAME


async def test_a_disabled_source_opens_no_origin(shop: EdgeUnderTest) -> None:
    shop.define(first_party=COOKIES, enabled=False)
    async with shop.browser() as browser:
        asked = await browser.options("/v1/track", headers={"Access-Control-Request-Method": "POST"})
    assert "access-control-allow-credentials" not in asked.headers


async def test_another_tenants_token_is_none_though_the_key_is_the_same(shop: EdgeUnderTest) -> None:
    """Replayed under this source's name, it is another browser's forgery."""
    rival = source(tenant="rival", write_key_hashes=(key_digest("rival-key"),), first_party=COOKIES)
    shop.define(rival, first_party=COOKIES)
    async with shop.browser() as browser:
        theirs = set_cookie(await browser.post("/v1/track", json=YES, auth=("rival-key", "")))
        assert theirs["name"] != NAME
    before = outcomes()
    answer = await shop.post("track", YES, Origin=ORIGIN, Cookie=f"{NAME}={theirs['value']}")
    assert shop.stored[-1].edge.first_party_id is None
    assert outcomes()["tampered"] - before["tampered"] == 1
    assert set_cookie(answer)["value"] != theirs["value"]


@pytest.mark.parametrize(
    "forge",
    [
        lambda token: "",
        lambda token: "x" * 8000,
        lambda token: token[:-1] + ("0" if token[-1] != "0" else "1"),
        lambda token: token.replace(token[9:41], "0" * 32),
        lambda token: token + "." + token,
        lambda token: f'"{token}"',
        lambda token: f"{token}; {NAME}={token}",
        lambda token: "%0d%0aSet-Cookie: a=b",
        lambda token: "\u00e9",
    ],
)  # fmt: skip
async def test_a_forged_cookie_is_none_and_no_error(shop: EdgeUnderTest, forge: Any) -> None:
    token = await signed(shop)
    before = outcomes()
    cookie = f"{NAME}={forge(token)}".encode("latin-1")
    answer = await shop.client.post(
        "/v1/track", json=YES, headers=[(b"Origin", ORIGIN.encode()), (b"Cookie", cookie)]
    )
    assert (answer.status_code, answer.json()) == (200, {"success": True})
    assert shop.stored[-1].edge.first_party_id is None
    assert outcomes()["tampered"] - before["tampered"] == 1
    renewed = set_cookie(answer)
    assert renewed["name"] == NAME
    assert renewed["value"][9:41] not in (token[9:41], "0" * 32), "another id"


@given(st.one_of(st.text(), st.text().map(lambda text: f"{NAME}={text}"), st.text(NAME + "=;. 0a", max_size=80)))
def test_no_cookie_header_that_the_edge_did_not_sign_makes_an_id(cookies: str) -> None:
    visitors = Visitors(SETTINGS.signer(), lambda: "0" * 32, timedelta(days=390), timedelta(minutes=30))
    shop = source(first_party=COOKIES)
    found = visitors.receive(shop, origin=ORIGIN, cookies=cookies, answers=[True], now=NOON)
    assert found is not None
    assert found.outcome in ("new", "tampered")
    assert found.first_party_id is found.visit is None


async def test_other_cookies_of_the_host_are_no_matter(shop: EdgeUnderTest) -> None:
    token = await signed(shop)
    cookie = f"a=1; b; ={NAME}; {NAME}x=2;{NAME}={token} ; c={NAME}={token}"
    await shop.post("track", YES, Origin=ORIGIN, Cookie=cookie)
    assert shop.stored[-1].edge.first_party_id == f"first-party:{token[9:41]}"


async def test_the_body_cannot_say_what_the_edge_says(shop: EdgeUnderTest) -> None:
    stamp = {"tenant": "demo", "source": "web", "first_party_id": "first-party:" + "a" * 32}
    said = {"edge": stamp, "first_party_id": "x", "firstPartyId": "x", "visit": {"id": "v"}}
    await shop.post("track", {**YES, **said}, Origin=ORIGIN)
    (event,) = shop.stored
    assert event.edge.first_party_id is event.edge.visit is None
    assert "first-party:" not in event.model_dump_json()


async def test_a_new_key_takes_over_what_the_old_one_signed() -> None:
    old, new = "the first key, of 32 characters.", "the second key, of 32 characters"
    token = ""
    for keys in ((old,), (old, new), (new, old), (new,)):
        edge = EdgeUnderTest(HttpSettings(privacy=SETTINGS.privacy, token_keys=keys))
        edge.define(first_party=COOKIES)
        answer = await edge.post("track", YES, Origin=ORIGIN, **({"Cookie": f"{NAME}={token}"} if token else {}))
        renewed = set_cookie(answer)["value"]
        assert (edge.stored[0].edge.first_party_id is None) == (token == "")
        assert not token or renewed[9:41] == token[9:41]
        token = renewed


@pytest.mark.parametrize("header", ["Origin", "Cookie"])
async def test_what_a_request_says_is_not_put_into_headers(shop: EdgeUnderTest, header: str) -> None:
    """Neither a line break nor anything after it, also where a server in front would let it through."""
    token = await signed(shop)
    planted = {header: "https://shop.example\r\nSet-Cookie: planted=1", "Access-Control-Request-Method": "POST"}
    said = {"Origin": ORIGIN, "Cookie": f"{NAME}={token}", **planted}
    messages: list[Any] = []
    for method in ("POST", "OPTIONS"):
        raw = [(name.lower().encode(), value.encode()) for name, value in {**BASIC, **said}.items()]
        scope = {
            "type": "http", "asgi": {"version": "3.0"}, "http_version": "1.1", "method": method, "scheme": "https",
            "path": "/v1/track", "raw_path": b"/v1/track", "query_string": b"", "headers": raw,
            "server": ("events.shop.example", 443), "client": ("127.0.0.1", 1), "root_path": "",
        }  # fmt: skip

        async def receive() -> Any:
            return {"type": "http.request", "body": b"{}", "more_body": False}

        async def send(message: Any) -> None:
            messages.append(message)

        await shop.api(scope, receive, send)
    headers = [(name, value) for m in messages for name, value in m.get("headers", ())]
    assert headers
    assert [each for each in headers if b"planted" in each[1] or b"\n" in each[1]] == []


async def test_neither_token_nor_id_is_in_a_log_a_span_a_metric_or_an_answer(
    caplog: pytest.LogCaptureFixture,
) -> None:
    caplog.set_level(logging.DEBUG)
    spans = InMemorySpanExporter()
    provider = TracerProvider()
    provider.add_span_processor(SimpleSpanProcessor(spans))
    shop = EdgeUnderTest(tracer=provider.get_tracer("test"))
    shop.define(first_party=COOKIES)
    token = await signed(shop)
    trace = {"traceparent": f"00-{'a' * 32}-{'b' * 16}-01"}
    texts = [(await shop.post("track", YES, Origin=ORIGIN, Cookie=f"{NAME}={token}", **trace)).text]
    shop.log.append = failing  # type: ignore[method-assign]
    texts.append((await shop.post("track", YES, Origin=ORIGIN, Cookie=f"{NAME}={token}", **trace)).text)
    texts += [caplog.text, *(span.to_json() for span in spans.get_finished_spans())]
    texts += [repr(list(REGISTRY.collect())), repr(shop.log.traces), repr([t.key for t in shop.log.events])]
    secrets = (token, token[9:41], NAME, shop.stored[-1].edge.visit.id)
    assert len(spans.get_finished_spans()) == 3
    assert [secret for secret in secrets if any(secret in text for text in texts)] == []

"""The edge's routes over a log in memory."""

from __future__ import annotations

import base64
import json
from typing import Any

import httpx
from cdp_collector.app import edge_api
from cdp_collector.settings import HttpSettings
from cdp_collector.store import Definitions, MemoryLog
from cdp_contracts.definitions_v1 import FirstParty, SourceDefined
from cdp_contracts.events_v1 import EventReceived
from cdp_contracts.topics import SOURCES_DEFINED, TRACKING_PLANS_DEFINED
from cdp_runtime.clock import ManualClock
from cdp_runtime.codec import encode
from cdp_runtime.settings import PrivacySettings
from collector_builders import NOON, PEPPER, WEB_KEY, plan, source
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.trace import Tracer

BASIC = {"Authorization": "Basic " + base64.b64encode(f"{WEB_KEY}:".encode()).decode()}
SETTINGS = HttpSettings(
    privacy=PrivacySettings(pepper=PEPPER),
    retry_after_seconds=7,
    jurisdiction_header="CF-IPCountry",
    token_keys=("the first key, of 32 characters.",),
)
ORIGIN = "https://shop.example"
HOST = "https://events.shop.example"
COOKIES = FirstParty(origins=(ORIGIN,), consent=("Functional",))


class EdgeUnderTest:
    """The edge's routes over a log in memory."""

    def __init__(self, settings: HttpSettings = SETTINGS, tracer: Tracer | None = None) -> None:
        self.log = MemoryLog()
        self.definitions = Definitions()
        self.clock = ManualClock(NOON)
        tracer = tracer or TracerProvider().get_tracer("test")
        self.api = edge_api(settings, self.definitions, self.log, self.clock, tracer)
        self.client = httpx.AsyncClient(
            transport=httpx.ASGITransport(app=self.api), base_url="http://edge", headers=BASIC
        )

    def define(self, *more: SourceDefined, **changes: Any) -> None:
        """The web shop, changed as said, its plan and further sources, read to the end."""
        sources, plans = self.definitions.tables
        shop = source(tracking_plan="shop", **changes)
        for table, definition in ((sources, shop), (plans, plan()), *((sources, each) for each in more)):
            topic = SOURCES_DEFINED if table is sources else TRACKING_PLANS_DEFINED
            table.apply(definition.id, encode(topic, definition, source="test", now=NOON).value)
            table.caught_up = True

    def browser(self, origin: str | None = ORIGIN, **headers: str) -> httpx.AsyncClient:
        """A browser on a page of the shop: it keeps the cookies that it is given."""
        told = headers if origin is None else {"Origin": origin, **headers}
        return httpx.AsyncClient(
            transport=httpx.ASGITransport(app=self.api), base_url=HOST, headers={**BASIC, **told}
        )

    async def post(self, path: str, body: Any, **headers: str) -> httpx.Response:
        """Send JSON, or bytes as they are."""
        content = body if isinstance(body, bytes) else json.dumps(body).encode()
        return await self.client.post(f"/v1/{path}", content=content, headers=headers)

    @property
    def stored(self) -> list[EventReceived]:
        """What the log holds."""
        return [taken.event for taken in self.log.events]


def batch(*items: Any, **fields: Any) -> dict[str, Any]:
    return {"batch": list(items), **fields}

"""A role as a process runs it."""

from __future__ import annotations

import asyncio

import httpx
from cdp_contracts.topics import SOURCES_DEFINED
from cdp_runtime.app import role
from cdp_runtime.tables import GlobalTable
from prometheus_client import REGISTRY


async def test_a_role_without_stages_starts_without_a_broker() -> None:
    application = role("reads-http")
    async with application.start_lifespan_context():
        transport = httpx.ASGITransport(app=application)
        async with httpx.AsyncClient(transport=transport, base_url="http://role") as client:
            async with asyncio.timeout(10):
                while (await client.get("/readyz")).status_code != httpx.codes.OK:
                    await asyncio.sleep(0)
            assert (await client.get("/livez")).json() == {"status": "alive", "role": "reads-http"}


def test_what_a_role_waits_for_shows_in_its_metrics() -> None:
    table = GlobalTable.plain(SOURCES_DEFINED, required=True)
    application = role("waits-http", tables=[table])
    labels = {"role": "waits-http"}

    def shown() -> tuple[float | None, float | None]:
        by_table = REGISTRY.get_sample_value("cdp_table_ready", {**labels, "topic": SOURCES_DEFINED.name})
        return REGISTRY.get_sample_value("cdp_role_ready", labels), by_table

    application.state.started = True
    assert shown() == (0, 0)
    table.caught_up = True
    assert shown() == (0, 0), "without any source there is nobody to take events from"
    table._values["one"] = object()
    assert shown() == (1, 1)

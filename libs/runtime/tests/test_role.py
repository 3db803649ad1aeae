"""A role as a process runs it."""

from __future__ import annotations

import asyncio

import httpx
from cdp_runtime.app import role


async def test_a_role_without_stages_starts_without_a_broker() -> None:
    application = role("reads-http")
    async with application.start_lifespan_context():
        transport = httpx.ASGITransport(app=application)
        async with httpx.AsyncClient(transport=transport, base_url="http://role") as client:
            async with asyncio.timeout(10):
                while (await client.get("/readyz")).status_code != httpx.codes.OK:
                    await asyncio.sleep(0)
            assert (await client.get("/livez")).json() == {"status": "alive", "role": "reads-http"}

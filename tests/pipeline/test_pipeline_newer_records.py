"""Every service that keeps records waits for a newer version's, and none of them takes it for a fault."""

from __future__ import annotations

import asyncio
from collections.abc import Callable

import pytest
from assembly import Pipeline
from cdp_runtime.records import MemoryRecords
from prometheus_client import REGISTRY

STORES: dict[str, tuple[str, Callable[[Pipeline], MemoryRecords]]] = {  # type: ignore[type-arg]  # of any kind
    "consent-gate": ("guard_events", lambda platform: platform.subjects),
    "profiles-writer": ("update_profiles", lambda platform: platform.profile_records),
    "segments-evaluator": ("evaluate", lambda platform: platform.people_records),
}


def waits(role: str, stage: str) -> float:
    labels = {"role": role, "stage": stage, "kind": "newer"}
    return REGISTRY.get_sample_value("cdp_retries_total", labels) or 0


@pytest.mark.parametrize("role", STORES)
async def test_a_service_waits_while_a_newer_version_has_written_a_record(role: str) -> None:
    stage, records = STORES[role]
    platform = await Pipeline.ready()
    visitor = platform.shop.visitor("phone").consents().views()
    await platform.shop.play(visitor)
    before = waits(role, stage)
    documents = records(platform).documents
    written = {key: document["schema_version"] for key, document in documents.items()}
    for document in documents.values():
        document["schema_version"] = 1000
    async with asyncio.timeout(10):
        playing = asyncio.create_task(platform.shop.play(visitor.views(2)))
        while waits(role, stage) < before + 5:
            await asyncio.sleep(0)
        assert not playing.done()
        for key, document in documents.items():
            document["schema_version"] = written[key]
        await playing
    assert platform.dead_letters() == []
    assert platform.ids() == (await undisturbed()).ids()


async def undisturbed() -> Pipeline:
    """The same story where no version is newer than another."""
    platform = await Pipeline.ready()
    visitor = platform.shop.visitor("phone").consents().views()
    await platform.shop.play(visitor)
    await platform.shop.play(visitor.views(2))
    return platform

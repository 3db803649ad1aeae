"""The conformance suite's transports: the bus always, the embedded broker as wire, Apache Kafka as stack."""

from __future__ import annotations

import sys
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import pytest
from cdp_devstack.platform import kafka_settings
from cdp_devstack.servers import Stack
from cdp_runtime.settings import KafkaSettings

sys.path.insert(0, str(Path(__file__).parent))

from harness import BusHarness, Harness, Topics, WireHarness

TRANSPORTS = [
    pytest.param("bus"),
    pytest.param("embedded", marks=pytest.mark.wire),
    pytest.param("local", marks=pytest.mark.stack),
]


@pytest.fixture(scope="session")
def stacks() -> Iterator[dict[str, Stack]]:
    started: dict[str, Stack] = {}
    yield started
    for stack in started.values():
        stack.stop()


@pytest.fixture(params=TRANSPORTS)
def transport(request: pytest.FixtureRequest, stacks: dict[str, Stack]) -> KafkaSettings | None:
    """Where the stages of a test run: None for the in-memory bus."""
    kind = request.param
    if kind == "bus":
        return None
    if kind not in stacks:
        stacks[kind] = Stack.start(kind, only=("kafka",))
    return kafka_settings(stacks[kind]).model_copy(update={"send_seconds": 3, "drain_seconds": 2})


@pytest.fixture
def topics() -> Topics:
    return Topics()


@pytest.fixture
async def harness(transport: KafkaSettings | None, topics: Topics) -> AsyncIterator[Harness]:
    if transport is None:
        yield BusHarness(topics)
        return
    wire = WireHarness(topics, transport)
    await wire.open()
    yield wire
    await wire.close()

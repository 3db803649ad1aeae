"""Starts the whole platform on a stack, step by step, telling a person what it does."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from types import MappingProxyType
from typing import Final, Literal

from cdp_cli import definitions, topics
from cdp_contracts.topic_settings import topic_settings
from cdp_runtime.kafka_client import KafkaProducer
from cdp_runtime.settings import KafkaSettings

from cdp_devstack.platform import Platform, kafka_settings
from cdp_devstack.preflight import preflight
from cdp_devstack.servers import Stack
from cdp_devstack.servers.stack import Programs
from cdp_devstack.trace_sink import TraceSink

DEFINITIONS: Final = Path("infra/definitions")


@dataclass(frozen=True, slots=True)
class Running:
    """A platform that is ready."""

    stack: Stack
    platform: Platform
    kafka: KafkaSettings
    traces: TraceSink

    def url(self, role: str) -> str:
        """Where a role answers."""
        return self.platform.roles[role].url


@contextmanager
def running(
    kind: Literal["embedded", "local"],
    folder: Path,
    *,
    extra: Mapping[str, str] | None = None,
    partitions: int | None = None,
    programs: Programs = MappingProxyType({}),
) -> Iterator[Running]:
    """Servers, topics, services and definitions, in this order; all of it is ended at exit.

    `partitions` is how many the topics have that have several in the registry, if not as many as there; `programs`
    are servers in place of the kind's own.
    """
    missing = [check for check in preflight(kind) if not check.ok]
    if missing:
        raise SystemExit("\n".join(f"{check.name}: {check.found}. {check.remedy}" for check in missing))
    logging.getLogger("aiokafka").setLevel(logging.CRITICAL)  # topics that are a moment old have no leader yet
    with ExitStack() as exits:
        say(f"starting servers ({kind}): Kafka, MongoDB, Redis")
        stack = exits.enter_context(Stack.start(kind, folder / "servers", programs=programs))
        traces = exits.enter_context(TraceSink())
        for name in ("kafka", "mongo", "redis"):
            server = stack.server(name)
            print(f"    {server.title:<44} {server.url}")
        kafka = kafka_settings(stack)
        if partitions:
            several = [topic for topic in topic_settings() if topic.partitions > 1]
            asyncio.run(topics.create(kafka, [replace(topic, partitions=partitions) for topic in several], 1))
        asyncio.run(topics.apply(kafka))
        say("starting the services, each role a process of its own")
        extra = {"OTEL_EXPORTER_OTLP_ENDPOINT": traces.endpoint, **(extra or {})}
        platform = exits.enter_context(Platform(stack, folder / "roles", extra))
        asyncio.run(apply_definitions(kafka))
        platform.wait_ready()
        for role in platform.roles.values():
            print(f"    {role.name:<44} {role.url}")
        yield Running(stack, platform, kafka, traces)
        say("ending services and servers")


async def apply_definitions(kafka: KafkaSettings) -> None:
    """What `cdp apply infra/definitions` does."""
    loaded = definitions.load(DEFINITIONS)
    producer = KafkaProducer(kafka)
    try:
        await definitions.apply(loaded, producer)
    finally:
        await producer.close()
    say(f"{len(loaded)} definitions applied: sources, tracking plans, policies, identity rules, segments")


def say(what: str) -> None:
    """One step, for a person."""
    print(f"· {what}", flush=True)

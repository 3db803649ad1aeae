"""One role as one ASGI application: stages on the broker, probes, and the service's own routes."""

from __future__ import annotations

import asyncio
import gc
import logging
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from functools import partial
from typing import Any, Final, Protocol, runtime_checkable

from fastapi import FastAPI
from faststream.asgi import AsgiFastStream
from faststream.asgi.types import Receive, Scope, Send
from opentelemetry.sdk.trace import TracerProvider

from cdp_runtime import metrics
from cdp_runtime.absence import Absence, watch
from cdp_runtime.admin import Admins
from cdp_runtime.backoff import Patience
from cdp_runtime.clock import Clock, SystemClock
from cdp_runtime.failures import reason_of
from cdp_runtime.http_guard import HttpGuard
from cdp_runtime.kafka_client import KafkaProducer, PatientBroker
from cdp_runtime.kafka_stage import KafkaStage
from cdp_runtime.kafka_tables import TableReader
from cdp_runtime.lineup import Lineup, Wanted
from cdp_runtime.probes import probes
from cdp_runtime.problems import answer_failures, answer_problems
from cdp_runtime.quiet import spare_log
from cdp_runtime.runner import StageRunner
from cdp_runtime.settings import AdminSettings, KafkaSettings
from cdp_runtime.stage import Stage
from cdp_runtime.tables import AnyTable
from cdp_runtime.tracing import tracer_provider

log: Final = logging.getLogger("cdp.role")

BODY_BYTES: Final = 64 * 1024


@runtime_checkable
class Resource(Protocol):
    """Something a role holds open: a store, a cache."""

    async def ping(self) -> None:
        """Raise if it does not answer."""
        ...

    async def close(self) -> None:
        """Let go of it."""
        ...


@dataclass
class RoleState:
    """What the probes tell."""

    name: str
    stages: list[KafkaStage] = field(default_factory=list)
    tables: Sequence[AnyTable] = ()
    started: bool = False

    @property
    def ready(self) -> bool:
        """Whether it can do its work: started, and every definition table caught up."""
        return self.started and all(table.ready for table in self.tables)


class Role(AsgiFastStream):
    """FastStream's lifecycle with all HTTP routes of the role behind it."""

    def __init__(
        self,
        state: RoleState,
        api: FastAPI,
        broker: PatientBroker | None,
        lifespan: Any,
        body_bytes: int | None = BODY_BYTES,
    ) -> None:
        super().__init__(*([broker] if broker else []), lifespan=lifespan, logger=None)
        self.state = state
        self._lasting = tuple(state.stages)
        self.api = api
        self.http = HttpGuard(api, body_bytes=body_bytes)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Lifespan goes to FastStream, requests to the routes."""
        if scope["type"] == "lifespan":
            await super().__call__(scope, receive, send)
        else:
            await self.http(scope, receive, send)

    async def _start_broker(self) -> None:
        """A role without stages has no broker; FastStream would refuse to start it."""
        if self.brokers:
            await super()._start_broker()
            for stage in self._lasting:  # a line-up may have begun others of its own by now
                stage.begin()


def role(
    name: str,
    *,
    kafka: KafkaSettings | None = None,
    stages: Sequence[Stage[Any]] = (),
    lineup: Wanted | None = None,
    tables: Sequence[AnyTable] = (),
    resources: Sequence[Resource] = (),
    producer: KafkaProducer | None = None,
    api: FastAPI | None = None,
    before: Sequence[Callable[[], Awaitable[None]]] = (),
    clock: Clock | None = None,
    patience: Patience | None = None,
    provider: TracerProvider | None = None,
    admin: AdminSettings | None = None,
    body_bytes: int | None = BODY_BYTES,
) -> Role:
    """Wire a role. Nothing connects before the application starts.

    `before` runs once the process starts and is tried again until it succeeds (indexes, for instance);
    the role is not ready until then, and its stages wait. `lineup` says which stages are to run beside `stages` as
    of now; it is asked again and again. `provider` is for a role whose own routes trace.
    `body_bytes` bounds the body of a request; None for a role whose routes do that themselves.
    """
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(levelname)s %(name)s %(message)s")
    logging.getLogger("aiokafka").setLevel(logging.ERROR)
    spare_log("aiokafka")
    clock = clock or SystemClock()
    admins = Admins(admin or AdminSettings())
    provider = provider or tracer_provider(name)
    state = RoleState(name, tables=tables)
    expose(state)
    broker: PatientBroker | None = None
    changing: Lineup | None = None
    if stages:
        if kafka is None:
            raise ValueError(f"{name} has stages and needs Kafka settings")
        producer = producer or KafkaProducer(kafka)
        adapt = partial(
            adapted, state=state, kafka=kafka, producer=producer, clock=clock, patience=patience, provider=provider
        )
        broker = attached(state, [adapt(stage) for stage in stages], kafka)
        changing = Lineup(lineup, adapt, kafka, state.stages, lambda: state.ready) if lineup else None
    held = [*resources, *([producer] if producer else [])]
    readers = [TableReader(kafka, tables).run] if tables and kafka else []

    @asynccontextmanager
    async def lifespan() -> AsyncIterator[None]:
        absences = [stage.runner.absence for stage in state.stages] or [Absence(name)]
        tasks = [
            asyncio.create_task(_prepare(state, before)),
            asyncio.create_task(watch(name, held, absences)),
            *(asyncio.create_task(run()) for run in (*readers, *([changing.run] if changing else []))),
        ]
        try:
            yield
        finally:
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)
            await (changing.close() if changing else asyncio.sleep(0))
            for resource in held:
                await resource.close()
            provider.shutdown()

    api = probes(state, api or bare_api(name), admins)
    answer_failures(api)
    application = Role(state, api, broker, lifespan, body_bytes)

    async def drain() -> None:
        for adapter in state.stages:
            adapter.stopping = True
        await asyncio.gather(*(adapter.drain() for adapter in state.stages))

    application.on_shutdown(drain)
    return application


def attached(state: RoleState, adapters: Sequence[KafkaStage], kafka: KafkaSettings) -> PatientBroker:
    """The broker of these stages, which are the role's from now on."""
    broker = PatientBroker(kafka)
    for adapter in adapters:
        adapter.attach(broker)
        state.stages.append(adapter)
    return broker


def adapted(
    stage: Stage[Any],
    *,
    state: RoleState,
    kafka: KafkaSettings,
    producer: KafkaProducer,
    clock: Clock,
    patience: Patience | None,
    provider: TracerProvider,
) -> KafkaStage:
    """A stage of the role on Kafka; it waits while the role is not ready."""
    runner = StageRunner(
        stage, role=state.name, producer=producer, clock=clock, patience=patience,
        tracer=provider.get_tracer("cdp_runtime"),
    )  # fmt: skip
    return KafkaStage(runner, kafka, clock, lambda: state.ready)


def expose(state: RoleState) -> None:
    """Readiness as metrics: a role that waits answers its probes, and nobody looks at those of a pod by hand."""
    metrics.ROLE_READY.labels(state.name).set_function(partial(getattr, state, "ready"))
    for table in state.tables:
        metrics.TABLE_READY.labels(state.name, table.topic.name).set_function(partial(getattr, table, "ready"))


def bare_api(name: str) -> FastAPI:
    """The routes of a role that has none of its own: what the probes are added to."""
    api = FastAPI(title=name, openapi_url=None)
    answer_problems(api)
    return api


async def _prepare(state: RoleState, before: Sequence[Callable[[], Awaitable[None]]]) -> None:
    for action in before:
        while True:
            try:
                await action()
            except Exception as error:  # a store that is away at start is waited for
                log.warning("%s waits at start: %s", state.name, reason_of(error))
                await asyncio.sleep(1)
            else:
                break
    settle_memory()
    state.started = True


def settle_memory() -> None:
    """What was loaded at start stays: the collector need not walk it, nor look as often as by default."""
    gc.collect()
    gc.freeze()
    gc.set_threshold(50_000, 20, 100)

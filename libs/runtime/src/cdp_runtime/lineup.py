"""Stages that come and go while a role runs, as definitions do."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Iterable
from typing import Any, Final, TypeAlias

from cdp_runtime import metrics
from cdp_runtime.failures import place_of
from cdp_runtime.kafka_client import PatientBroker, ends_well
from cdp_runtime.kafka_stage import RETRY_SECONDS, KafkaStage
from cdp_runtime.settings import KafkaSettings
from cdp_runtime.stage import Stage

Wanted: TypeAlias = Callable[[], Iterable[Stage[Any]]]

log: Final = logging.getLogger("cdp.lineup")

LOOK_SECONDS: Final = 0.25


class Lineup:
    """Keeps the stages running that are wanted now, told apart by their names.

    Each has a connection and a group of its own, so none waits for another. One that is wanted no more finishes
    its batch within the drain deadline, commits, and leaves its group.
    """

    def __init__(
        self,
        wanted: Wanted,
        adapt: Callable[[Stage[Any]], KafkaStage],
        settings: KafkaSettings,
        running: list[KafkaStage],
        is_ready: Callable[[], bool],
    ) -> None:
        self._wanted = wanted
        self._adapt = adapt
        self._settings = settings
        self._running = running
        self._is_ready = is_ready
        self._hired: dict[str, _Hired] = {}
        self._leaving: set[asyncio.Task[None]] = set()

    async def run(self) -> None:
        """Look again and again, once the role is ready: what is wanted is not known before."""
        while True:
            if self._is_ready():
                self._adjust({stage.name: stage for stage in self._wanted()})
            await asyncio.sleep(LOOK_SECONDS)

    async def close(self) -> None:
        """Let go of every connection; the stages were drained before."""
        hired, self._hired = list(self._hired.values()), {}
        await asyncio.gather(*(self._dismiss(one) for one in hired), *self._leaving)

    def _adjust(self, wanted: dict[str, Stage[Any]]) -> None:
        for name in self._hired.keys() - wanted.keys():
            leaving = asyncio.create_task(self._dismiss(self._hired.pop(name)))
            self._leaving.add(leaving)
            leaving.add_done_callback(self._leaving.discard)
        for name in wanted.keys() - self._hired.keys():
            if all(adapter.runner.stage.name != name for adapter in self._running):  # else one is leaving
                self._hired[name] = self._hire(wanted[name])

    def _hire(self, stage: Stage[Any]) -> _Hired:
        broker, adapter = PatientBroker(self._settings), self._adapt(stage)
        adapter.attach(broker)
        self._running.append(adapter)
        log.info("%s begins", adapter.runner.group)
        return _Hired(adapter, broker)

    async def _dismiss(self, hired: _Hired) -> None:
        hired.adapter.stopping = True
        hired.starting.cancel()
        try:
            await hired.adapter.drain()
            await ends_well(hired.broker.stop(), self._settings.drain_seconds)
        finally:
            for gauge in (metrics.LAG_SECONDS, metrics.STALLED):
                gauge.remove(*hired.adapter.runner.labels)
            self._running.remove(hired.adapter)
            log.info("%s has ended", hired.adapter.runner.group)


class _Hired:
    """A stage that runs, and the task that starts it."""

    def __init__(self, adapter: KafkaStage, broker: PatientBroker) -> None:
        self.adapter = adapter
        self.broker = broker
        self.starting = asyncio.create_task(self._start())

    async def _start(self) -> None:
        while True:
            try:
                await self.broker.start()
            except Exception as error:
                log.error("%s does not start, trying again: %s", self.adapter.runner.group, place_of(error))  # noqa: TRY400
                await asyncio.sleep(RETRY_SECONDS)
            else:
                break
        self.adapter.begin()

"""Probes and metrics that every role answers beside its own routes."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from typing import Final, Protocol

from fastapi import FastAPI, Request, Response
from fastapi.responses import JSONResponse
from prometheus_client import CONTENT_TYPE_LATEST, generate_latest

from cdp_runtime.admin import Admins

HALT_SECONDS: Final = 5.0


class HaltableStage(Protocol):
    """A stage that a person may halt, or may have to resume."""

    @property
    def halted(self) -> str | None:
        """Why it waits for a person, if it does."""
        ...

    @property
    def alive(self) -> bool:
        """Whether its loop goes round, or waits for something in good order."""
        ...

    async def halt(self, reason: str, seconds: float) -> bool:
        """Fetch no more; whether the batch in flight was done and committed within that time."""
        ...

    def resume(self) -> None:
        """Go on."""
        ...


class State(Protocol):
    """What the probes ask."""

    @property
    def name(self) -> str:
        """The role."""
        ...

    @property
    def ready(self) -> bool:
        """Whether it can do its work."""
        ...

    @property
    def stages(self) -> Sequence[HaltableStage]:
        """Its stages."""
        ...


def probes(state: State, api: FastAPI, admins: Admins) -> FastAPI:
    """Add `/livez`, `/readyz`, `/metrics`, and for admins `POST /halt` and `POST /resume`, to a role's routes."""

    async def livez() -> Response:
        stuck = not all(stage.alive for stage in state.stages)
        body = {"status": "stuck" if stuck else "alive", "role": state.name}
        return JSONResponse(body, status_code=503 if stuck else 200)

    async def readyz() -> Response:
        halted = [stage.halted for stage in state.stages if stage.halted]
        body = {"ready": state.ready, "role": state.name, "halted": halted}
        return JSONResponse(body, status_code=200 if state.ready else 503)

    async def metrics() -> Response:
        return Response(generate_latest(), media_type=CONTENT_TYPE_LATEST)

    async def halt(request: Request) -> Response:
        admins.check(request)
        stopped = await asyncio.gather(*(stage.halt("by command", HALT_SECONDS) for stage in state.stages))
        body = {"halted": stopped.count(True), "finishing": stopped.count(False)}
        return JSONResponse(body, status_code=200 if all(stopped) else 202)

    async def resume(request: Request) -> Response:
        admins.check(request)
        halted = [stage for stage in state.stages if stage.halted]
        for stage in halted:
            stage.resume()
        return JSONResponse({"resumed": len(halted)})

    api.add_api_route("/livez", livez, include_in_schema=False)
    api.add_api_route("/readyz", readyz, include_in_schema=False)
    api.add_api_route("/metrics", metrics, include_in_schema=False)
    api.add_api_route("/halt", halt, methods=["POST"], include_in_schema=False)
    api.add_api_route("/resume", resume, methods=["POST"], include_in_schema=False)
    return api

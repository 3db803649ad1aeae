"""Probes and metrics that every role answers beside its own routes."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

from fastapi import FastAPI, Response
from fastapi.responses import JSONResponse
from prometheus_client import CONTENT_TYPE_LATEST, generate_latest


class HaltableStage(Protocol):
    """A stage that a person may have to resume."""

    halted: str | None

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


def probes(state: State, api: FastAPI) -> FastAPI:
    """Add `/livez`, `/readyz`, `/metrics` and `POST /resume` to a role's routes."""

    async def livez() -> Response:
        return JSONResponse({"status": "alive", "role": state.name})

    async def readyz() -> Response:
        halted = [stage.halted for stage in state.stages if stage.halted]
        body = {"ready": state.ready, "role": state.name, "halted": halted}
        return JSONResponse(body, status_code=200 if state.ready else 503)

    async def metrics() -> Response:
        return Response(generate_latest(), media_type=CONTENT_TYPE_LATEST)

    async def resume() -> Response:
        halted = [stage for stage in state.stages if stage.halted]
        for stage in halted:
            stage.resume()
        return JSONResponse({"resumed": len(halted)})

    api.add_api_route("/livez", livez, include_in_schema=False)
    api.add_api_route("/readyz", readyz, include_in_schema=False)
    api.add_api_route("/metrics", metrics, include_in_schema=False)
    api.add_api_route("/resume", resume, methods=["POST"], include_in_schema=False)
    return api

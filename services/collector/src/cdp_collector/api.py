"""The edge over HTTP: Segment's routes, bodies read raw for speed, every answer in one shape."""

from __future__ import annotations

import logging
import re
from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager
from typing import Any, Final, TypeAlias

from cdp_runtime.clock import Clock
from cdp_runtime.tracing import PROPAGATOR, headers_of
from cdp_runtime.transport import Headers
from fastapi import FastAPI, Request, Response
from opentelemetry.trace import SpanKind, Tracer
from pydantic import BaseModel
from starlette.exceptions import HTTPException
from starlette.requests import ClientDisconnect

from cdp_collector import metrics
from cdp_collector.answers import Accepted, Error, Validation, answer, refusal, validation
from cdp_collector.cors import Cors, origin_of
from cdp_collector.domain.intake import Edge, Envelope, Intake
from cdp_collector.domain.requests import BUSY, INTERNAL, NOT_READY, Refusal, too_large
from cdp_collector.domain.validator import Validator
from cdp_collector.handlers import take_in
from cdp_collector.openapi import BATCH, EVENT, GIVEN, body_of, document_security
from cdp_collector.settings import HttpSettings
from cdp_collector.store import Definitions, EventLog

Endpoint: TypeAlias = Callable[[Request], Awaitable[Response]]
Work: TypeAlias = Callable[[bytes, Envelope], Awaitable[Intake | Refusal | Validation]]

log: Final = logging.getLogger("cdp.edge")

SINGLE: Final = {"identify": "i", "track": "t", "page": "p", "screen": "s", "group": "g", "alias": "a"}
BATCHES: Final = ("batch", "b", "import")
PLACE: Final = re.compile(r"[A-Z]{2}(-[A-Z0-9]{1,3})?")
READ_ON: Final = 8 * 1024 * 1024
"""So many bytes of a body that is refused are read and thrown away: a sender that still writes hears no answer."""
ERRORS: Final[dict[int | str, dict[str, Any]]] = {
    400: {"model": Error, "description": "Nothing stored, and nothing to be gained by trying again"},
    401: {"model": Error, "description": "No write key of an enabled source"},
    429: {"model": Error, "description": "This source sends too often; try again after Retry-After seconds"},
    500: {"model": Error, "description": "Our failure; try again later"},
    503: {"model": Error, "description": "Not stored; try again after Retry-After seconds"},
}


class Desk:
    """Takes requests one by one: reads them, passes them on, answers. Holds a bounded number of them."""

    def __init__(
        self,
        *,
        definitions: Definitions,
        edge: Edge,
        validator: Validator,
        log: EventLog,
        settings: HttpSettings,
        clock: Clock,
        tracer: Tracer,
    ) -> None:
        self._definitions = definitions
        self._edge = edge
        self._validator = validator
        self._log = log
        self._settings = settings
        self._clock = clock
        self._tracer = tracer
        self._in_flight = 0

    async def store(self, request: Request, kind: str | None) -> Response:
        """Store the events of a request: one of that kind, or a batch."""
        with self._traced(request) as trace:

            async def work(raw: bytes, envelope: Envelope) -> Intake | Refusal:
                return await take_in(raw, kind, envelope, edge=self._edge, log=self._log, trace=trace)

            return await self._answered(request, work)

    def keeps_cookies(self, origin: str) -> bool:
        """Whether pages of this origin send for a source that keeps a cookie in their browsers."""
        return origin in self._definitions.catalogue.first_party_origins(self._clock.now())

    async def judge(self, request: Request) -> Response:
        """Say of each event of a request whether the validator would let it pass. Stores nothing."""

        async def work(raw: bytes, envelope: Envelope) -> Validation | Refusal:
            intake = self._edge.read(raw, None, envelope)
            return intake if isinstance(intake, Refusal) else validation(intake, self._validator)

        return await self._answered(request, work)

    async def _answered(self, request: Request, work: Work) -> Response:
        turned_away = self._turned_away()
        self._in_flight += 1
        try:
            raw = await read_body(request, 0 if turned_away else self._settings.max_body_bytes)
            outcome = turned_away or (
                raw if isinstance(raw, Refusal) else await work(raw, self._envelope(request))
            )
        except ClientDisconnect:
            outcome = too_large(self._settings.max_body_bytes)
        except Exception as error:  # nobody outside learns what broke; a sender may try again
            log.error("a request failed: %s", type(error).__name__)  # noqa: TRY400
            outcome = INTERNAL
        finally:
            self._in_flight -= 1
        metrics.REQUESTS.labels(outcome.code if isinstance(outcome, Refusal) else "stored").inc()
        return answer(outcome, self._settings.retry_after_seconds)

    def _turned_away(self) -> Refusal | None:
        if not self._definitions.ready:
            return NOT_READY
        return BUSY if self._in_flight >= self._settings.max_in_flight else None

    def _envelope(self, request: Request) -> Envelope:
        headers = request.headers
        place = headers.get(self._settings.jurisdiction_header or "", "").strip().upper()
        return Envelope(
            authorization=headers.get("authorization"),
            gpc=headers.get("sec-gpc", "").strip() == "1",
            jurisdiction=place if PLACE.fullmatch(place) else None,
            received_at=self._clock.now(),
            origin=origin_of(request.scope),
            cookies="; ".join(headers.getlist("cookie")),
        )

    @contextmanager
    def _traced(self, request: Request) -> Iterator[Headers]:
        """A span for the request, in the trace of its sender if it brings one; what its messages carry on."""
        carrier = {name: request.headers[name] for name in PROPAGATOR.fields if name in request.headers}
        route = request.url.path
        span = self._tracer.start_span(
            f"POST {route}",
            context=PROPAGATOR.extract(carrier),
            kind=SpanKind.SERVER,
            attributes={"http.request.method": "POST", "http.route": route},
        )
        try:
            yield headers_of(span)
        finally:
            span.end()


async def read_body(request: Request, limit: int) -> bytes | Refusal:
    """The bytes of a body; what is over the limit is read on for a while, but not kept."""
    chunks: list[bytes] = []
    size = 0
    async for chunk in request.stream():
        size += len(chunk)
        if size <= limit:
            chunks.append(chunk)
        elif size > READ_ON:
            break
    return b"".join(chunks) if size <= limit else too_large(limit)


def build_api(desk: Desk, settings: HttpSettings) -> FastAPI:
    """The routes of the role `http`."""
    api = FastAPI(
        title="Tessera collector", version="1", summary="Takes in events in the shape of Segment's HTTP API"
    )
    api.add_middleware(Cors, origins=settings.cors_origins, keeps_cookies=desk.keeps_cookies)
    for name in BATCHES:
        route(api, name, storing(desk, None), schema=BATCH, summary="Store a batch of events")
    for kind, short in SINGLE.items():
        for name in (kind, short):
            route(api, name, storing(desk, kind), schema=EVENT, summary=f"Store one {kind} event")
    summary = "Judge a batch of events without storing it"
    route(api, "validate", desk.judge, schema=BATCH, summary=summary, done=Validation)
    api.add_exception_handler(HTTPException, plainly)
    document_security(api)
    return api


def storing(desk: Desk, kind: str | None) -> Endpoint:
    """The endpoint that stores events of a kind, or batches."""

    async def endpoint(request: Request) -> Response:
        return await desk.store(request, kind)

    return endpoint


def route(
    api: FastAPI,
    name: str,
    endpoint: Endpoint,
    *,
    schema: dict[str, Any],
    summary: str,
    done: type[BaseModel] = Accepted,
) -> None:
    """Add a documented POST route."""
    api.add_api_route(
        f"/v1/{name}",
        endpoint,
        methods=["POST"],
        summary=summary,
        operation_id=name,
        response_class=Response,
        responses={200: {"model": done} | ({"headers": GIVEN} if done is Accepted else {}), **ERRORS},
        openapi_extra=body_of(schema),
    )


async def plainly(request: Request, error: Exception) -> Response:
    """Unknown paths and methods in the same shape as every other answer."""
    status = error.status_code if isinstance(error, HTTPException) else 500
    return refusal(Refusal(status, "route", "there is no such route; see /docs"), 1)

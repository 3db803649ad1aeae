"""What an admin may ask the resolver: what would other rules do, why are these one person, part them."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from typing import Final, TypeVar

from cdp_contracts.definitions_v1 import IdentityRulesDefined
from cdp_runtime.admin import Admins
from cdp_runtime.app import bare_api
from cdp_runtime.failures import is_away
from cdp_runtime.problems import problem
from cdp_runtime.pseudonyms import Pseudonymizer
from cdp_runtime.settings import AdminSettings
from fastapi import FastAPI, Request
from fastapi.responses import JSONResponse, Response
from pydantic import BaseModel

from cdp_identity.domain.identifiers import pseudonyms_of
from cdp_identity.domain.rules import RulesError, compile_rules
from cdp_identity.drawing import svg
from cdp_identity.models import About, Both, Joining, Unmerging, graph_of
from cdp_identity.stewards import Refused, Stewards
from cdp_identity.store import GraphStore
from cdp_identity.store.portrait import Portrait
from cdp_identity.store.rehearsal import Report, rehearse

MOST_LINKS: Final = 500_000
SVG: Final = "image/svg+xml"
T = TypeVar("T")


def build_api(
    store: GraphStore, pseudonyms: Pseudonymizer, stewards: Stewards, admin: AdminSettings | None = None
) -> FastAPI:
    """The routes of `identity-resolver` beside the probes; for whoever holds the admin token."""
    api, admins, busy = bare_api("identity-resolver"), Admins(admin or AdminSettings()), asyncio.Lock()

    async def dry_run(defined: IdentityRulesDefined, request: Request) -> Response:
        admins.check(request)
        try:
            rules = compile_rules(defined)
        except RulesError as error:
            return problem(422, "invalid", str(error))
        if busy.locked():
            return problem(409, "busy", "a dry run is on its way here; ask again when it has ended")
        async with busy:
            history = await store.history(defined.tenant, MOST_LINKS)
            blocked = [(kind, value) for kind, rule in defined.kinds.items() for value in rule.blocked]
            listed = frozenset(
                name for kind, value in blocked for name in pseudonyms_of(defined.tenant, kind, value, pseudonyms)
            )
            # In a thread, on a graph of its own: this role goes on resolving, at less speed.
            report: Report = await asyncio.to_thread(lambda: asyncio.run(rehearse(history, rules, listed)))
        return JSONResponse(report.model_dump())

    async def explain(both: Both, request: Request) -> Response:
        admins.check(request)
        return await answered(stewards, stewards.explain(both), json)

    async def graph(about: About, request: Request) -> Response:
        admins.check(request)
        drawn = SVG in request.headers.get("accept", "")
        return await answered(stewards, stewards.graph(about), picture if drawn else lambda p: json(graph_of(p)))

    async def unmerge(wanted: Unmerging, request: Request) -> Response:
        admins.check(request)
        return await answered(stewards, stewards.unmerge(wanted), json)

    async def join(both: Joining, request: Request) -> Response:
        admins.check(request)
        return await answered(stewards, stewards.join(both), json)

    for route in (dry_run, explain, graph, unmerge, join):
        path = f"/{route.__name__.replace('_', '-')}"
        api.add_api_route(path, route, methods=["POST"], include_in_schema=False, response_model=None)
    return api


async def answered(stewards: Stewards, asked: Awaitable[T], written: Callable[[T], Response]) -> Response:
    """The answer, why there is none, or that the store or the broker is away."""
    try:
        return written(await asked)
    except Refused as refused:
        return problem(refused.status, refused.code, refused.message)
    except Exception as error:
        if await is_away(error, (stewards.store, stewards.requests)):
            return problem(503, "unavailable", "the store or the broker is away: try again")
        raise


def json(answer: BaseModel) -> Response:
    """An answer as it is."""
    return JSONResponse(answer.model_dump(mode="json"))


def picture(portrait: Portrait) -> Response:
    """A person's graph as a picture that runs nothing."""
    return Response(svg(portrait), media_type=SVG, headers={"Content-Security-Policy": "default-src 'none'"})

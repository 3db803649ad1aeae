"""What an admin may ask the resolver: what would other rules do?"""

from __future__ import annotations

import asyncio
from typing import Final

from cdp_contracts.definitions_v1 import IdentityRulesDefined
from cdp_runtime.admin import Admins
from cdp_runtime.app import bare_api
from cdp_runtime.problems import problem
from cdp_runtime.pseudonyms import Pseudonymizer
from cdp_runtime.settings import AdminSettings
from fastapi import FastAPI, Request
from fastapi.responses import JSONResponse, Response

from cdp_identity.domain.identifiers import pseudonyms_of
from cdp_identity.domain.rules import RulesError, compile_rules
from cdp_identity.store import GraphStore
from cdp_identity.store.rehearsal import Report, rehearse

MOST_LINKS: Final = 500_000


def build_api(store: GraphStore, pseudonyms: Pseudonymizer, admin: AdminSettings | None = None) -> FastAPI:
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

    api.add_api_route("/dry-run", dry_run, methods=["POST"], include_in_schema=False, response_model=None)
    return api

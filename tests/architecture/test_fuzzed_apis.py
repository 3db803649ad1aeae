"""Whatever is sent to an HTTP role by its OpenAPI document gets an answer that the document knows; never a 500."""

from __future__ import annotations

from collections.abc import Callable
from functools import cache
from pathlib import Path

import pytest
import schemathesis
from cdp_collector.app import edge_api
from cdp_collector.domain.catalogue import key_digest
from cdp_collector.receipts import MemoryReceipts
from cdp_collector.receipts_api import receipts_api
from cdp_collector.settings import HttpSettings
from cdp_collector.store import Definitions, MemoryDedup, MemoryLog
from cdp_contracts.definitions_v1 import SourceDefined
from cdp_contracts.matches_v1 import MatchDecided
from cdp_contracts.topics import SOURCES_DEFINED
from cdp_identity.matcher.queue import Desk as MatchesDesk
from cdp_identity.matcher.queue import build_api as matches_api
from cdp_identity.matcher.store import memory_store
from cdp_profiles.api.readers import Readers
from cdp_profiles.api.routes import build_api as profiles_api
from cdp_profiles.histories import MemoryHistories
from cdp_profiles.settings import ReadToken
from cdp_profiles.store import MemoryProfileStore
from cdp_runtime.access import Tokens
from cdp_runtime.clock import SystemClock
from cdp_runtime.codec import encode
from cdp_runtime.http_guard import HttpGuard
from cdp_runtime.pseudonyms import Pseudonymizer
from cdp_runtime.rates import Rates
from cdp_runtime.settings import HttpBounds, PrivacySettings
from cdp_segments.api.door import Door
from cdp_segments.api.routes import build_api as segments_api
from cdp_segments.catalogs import Catalogs
from cdp_segments.ledger import memory_ledger
from cdp_segments.reading import memory_reading
from cdp_segments.standings import Standings
from cdp_segments.store import MemoryPersonStore
from fastapi import FastAPI
from hypothesis import HealthCheck, Phase, given, seed, settings
from hypothesis import strategies as st
from opentelemetry.sdk.trace import TracerProvider
from pydantic import SecretStr
from schemathesis.checks import not_a_server_error
from schemathesis.specs.openapi.checks import response_schema_conformance, status_code_conformance

TOKEN = "token-of-the-fuzzer"
CHECKS = [not_a_server_error, status_code_conformance, response_schema_conformance]
UNLIMITED = Rates(0, 1)
EXAMPLES = 8
EXAMPLE = Path(__file__).parents[2] / "contracts/examples/cdp.segments.defined.v1/engaged-shoppers.json"
ONE_OF_EACH_KIND = {"/v1/batch", "/v1/track", "/v1/validate"}
"""The edge has one handler a kind of body; all other paths are the same handlers."""


def collector() -> FastAPI:
    definitions, clock = Definitions(), SystemClock()
    source = SourceDefined(tenant="demo", name="web", owner="team", write_key_hashes=(key_digest(TOKEN),))
    record = encode(SOURCES_DEFINED, source, source="test", now=clock.now())
    for table in definitions.tables:
        if table.topic is SOURCES_DEFINED:
            table.apply(source.id, record.value)
        table.caught_up = True
    edge = HttpSettings(
        privacy=PrivacySettings(pepper="pepper-of-the-fuzzer"), http=HttpBounds(requests_per_second=0)
    )
    return edge_api(edge, definitions, MemoryLog(), clock, TracerProvider().get_tracer("test"))


def profiles() -> FastAPI:
    readers = Readers([ReadToken(token=SecretStr(TOKEN), tenant="demo", export=True)], UNLIMITED)
    return profiles_api(MemoryProfileStore(Pseudonymizer(b"pepper-of-the-fuzzer")), MemoryHistories(), readers)


def segments() -> FastAPI:
    catalogs = Catalogs()
    catalogs.table.apply("demo/engaged-shoppers", EXAMPLE.read_bytes())
    catalogs.table.caught_up = True
    tokens = Tokens([(SecretStr(TOKEN), "demo")])
    people = MemoryPersonStore()
    standings = Standings(catalogs, memory_ledger(), SystemClock())
    return segments_api(Door(people, standings, tokens, UNLIMITED, SystemClock()), memory_reading(people))


def receipts() -> FastAPI:
    tokens = Tokens([(SecretStr(TOKEN), "demo")])
    now = SystemClock().now
    return receipts_api(MemoryReceipts(MemoryDedup(60, now), 60, now), tokens, UNLIMITED, retention_seconds=60)


def matches() -> FastAPI:
    tokens, store = Tokens([(SecretStr(TOKEN), "demo")]), memory_store()
    return matches_api(MatchesDesk(store, NoVerdicts(), tokens, UNLIMITED, SystemClock()))


class NoVerdicts:
    """There is no pair to decide about."""

    async def write(self, verdict: MatchDecided) -> None:
        raise NotImplementedError

    async def ping(self) -> None:
        """It is there."""


ROLES: dict[str, Callable[[], FastAPI]] = {
    "collector": collector,
    "profiles": profiles,
    "segments": segments,
    "receipts": receipts,
    "matches": matches,
}


@cache
def document(name: str) -> schemathesis.BaseSchema:
    api = ROLES[name]()
    schema = schemathesis.openapi.from_dict(api.openapi())
    schema.app = HttpGuard(api, body_bytes=None)
    return schema


@pytest.mark.parametrize("name", ROLES)
@pytest.mark.parametrize("mode", [schemathesis.GenerationMode.POSITIVE, schemathesis.GenerationMode.NEGATIVE])
def test_every_answer_is_one_that_the_document_knows(name: str, mode: schemathesis.GenerationMode) -> None:
    credentials = (
        {"auth": (TOKEN, "")} if name == "collector" else {"headers": {"Authorization": f"Bearer {TOKEN}"}}
    )
    for result in document(name).get_all_operations():
        operation = result.ok()
        if name == "collector" and operation.path not in ONE_OF_EACH_KIND:
            continue

        @seed(20_261_121)
        @settings(
            max_examples=EXAMPLES,
            deadline=None,
            database=None,
            phases=[Phase.generate],
            suppress_health_check=list(HealthCheck),
        )
        @given(case=operation.as_strategy(generation_mode=mode), known=st.booleans())
        def hold(case: schemathesis.Case, known: bool) -> None:
            case.call_and_validate(checks=CHECKS, **(credentials if known else {}))

        try:
            hold()
        except schemathesis.errors.SchemathesisError as error:
            assert "negative" in str(error).lower(), error  # noqa: PT017  # nothing in it can be wrong

"""The roles of the service, wired. Nothing connects before they start."""

from __future__ import annotations

from datetime import timedelta
from uuid import uuid4

from cdp_runtime.app import Role, role
from cdp_runtime.clock import Clock, SystemClock
from cdp_runtime.kafka_client import KafkaProducer
from cdp_runtime.rates import Rates
from cdp_runtime.tracing import tracer_provider
from fastapi import FastAPI
from opentelemetry.trace import Tracer

from cdp_collector.api import Desk, build_api
from cdp_collector.domain.intake import Edge
from cdp_collector.domain.validator import Validator
from cdp_collector.domain.visitors import Visitors
from cdp_collector.handlers import receipt_stages, stages
from cdp_collector.receipts import RedisReceipts
from cdp_collector.receipts_api import receipts_api
from cdp_collector.settings import HttpSettings, ReceiptsSettings, ValidatorSettings
from cdp_collector.store import BrokerLog, Definitions, EventLog, RedisDedup

HTTP = "collector-http"
VALIDATOR = "collector-validator"
RECEIPTS = "collector-receipts"


def build_http(settings: HttpSettings | None = None) -> Role:
    """The edge: events over HTTP onto `events.received`. A bad setting fails here, by its name."""
    settings = settings or HttpSettings()
    clock = SystemClock()
    definitions = Definitions()
    producer = KafkaProducer(settings.kafka)
    log = BrokerLog(producer, clock, source=HTTP, seconds=settings.kafka.send_seconds)
    provider = tracer_provider(HTTP)
    api = edge_api(settings, definitions, log, clock, provider.get_tracer("cdp_collector"))
    return role(
        HTTP,
        kafka=settings.kafka,
        tables=definitions.tables,
        resources=[log],
        producer=producer,
        api=api,
        provider=provider,
        body_bytes=None,
    )


def edge_api(
    settings: HttpSettings, definitions: Definitions, log: EventLog, clock: Clock, tracer: Tracer
) -> FastAPI:
    """The edge's routes over any log."""
    pseudonym, limits = settings.privacy.pseudonyms.of, settings.limits()
    rates = Rates(settings.http.requests_per_second, settings.http.burst_seconds)
    edge = Edge(
        definitions.catalogue,
        pseudonym,
        limits,
        body_bytes=settings.max_body_bytes,
        mint=minted,
        wait=rates.wait,
        visitors=Visitors(
            settings.signer(),
            minted,
            lifetime=timedelta(seconds=settings.token_seconds),
            rest=timedelta(seconds=settings.visit_rest_seconds),
        ),
    )
    validator = Validator(definitions.catalogue, pseudonym, limits)
    desk = Desk(
        definitions=definitions,
        edge=edge,
        validator=validator,
        log=log,
        settings=settings,
        clock=clock,
        tracer=tracer,
    )
    return build_api(desk, settings)


def build_validator(settings: ValidatorSettings | None = None) -> Role:
    """The validator: received events in, validated and rejected ones out. A bad setting fails by its name."""
    settings = settings or ValidatorSettings()
    definitions = Definitions()
    pseudonyms = settings.privacy.pseudonyms
    validator = Validator(definitions.catalogue, pseudonyms.of, settings.limits())
    dedup = RedisDedup(settings.redis, settings.dedup_seconds, pseudonyms)
    return role(
        VALIDATOR,
        kafka=settings.kafka,
        stages=stages(validator, dedup),
        tables=definitions.tables,
        resources=[dedup],
    )


def build_receipts(settings: ReceiptsSettings | None = None) -> Role:
    """The receipts: what became of each event, kept and told. A bad setting fails by its name."""
    settings = settings or ReceiptsSettings()
    pseudonyms, share = settings.privacy.pseudonyms, settings.receipt_memory_share
    kept = RedisReceipts(settings.redis, settings.receipt_seconds, share, pseudonyms)
    rates = Rates(settings.http.requests_per_second, settings.http.burst_seconds)
    return role(
        RECEIPTS,
        kafka=settings.kafka,
        stages=receipt_stages(kept),
        resources=[kept],
        api=receipts_api(kept, settings.tokens, rates, settings.receipt_seconds),
    )


def minted() -> str:
    """An id for an event that brings none."""
    return str(uuid4())

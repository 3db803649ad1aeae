"""Wiring of the identity service. Nothing connects at import."""

from __future__ import annotations

from functools import partial

from cdp_contracts.topics import MATCHES_DECIDED, UNMERGES_REQUESTED
from cdp_runtime.app import Role, role
from cdp_runtime.clock import SystemClock
from cdp_runtime.kafka_client import KafkaProducer
from cdp_runtime.peppers import note_pepper
from cdp_runtime.rates import Rates

from cdp_identity.api import build_api
from cdp_identity.handlers import rules_table, stages
from cdp_identity.log import TopicLog
from cdp_identity.matcher.handlers import stages as matcher_stages
from cdp_identity.matcher.matcher import Matcher
from cdp_identity.matcher.queue import Desk
from cdp_identity.matcher.queue import build_api as build_queue
from cdp_identity.matcher.store import MongoMatcherStore
from cdp_identity.matcher.telling import Rules
from cdp_identity.settings import MatcherSettings, Settings
from cdp_identity.stewards import Stewards
from cdp_identity.store import IdentityGraph
from cdp_identity.store.mongo import MongoGraphStore

RESOLVER_ROLE = "identity-resolver"
MATCHER_ROLE = "identity-matcher"


def build_resolver(settings: Settings | None = None) -> Role:
    """The role `identity-resolver`: whose is each event?"""
    settings = settings or Settings()
    pseudonyms = settings.privacy.pseudonyms
    store = MongoGraphStore(settings.mongo, pepper=pseudonyms.version)
    graph = IdentityGraph(store, settings.cache_size)
    rules, clock = rules_table(), SystemClock()
    producer = KafkaProducer(settings.kafka)
    requests = TopicLog(UNMERGES_REQUESTED, RESOLVER_ROLE, producer, clock, settings.kafka.send_seconds)
    verdicts = TopicLog(MATCHES_DECIDED, RESOLVER_ROLE, producer, clock, settings.kafka.send_seconds)
    return role(
        RESOLVER_ROLE,
        kafka=settings.kafka,
        stages=stages(graph, pseudonyms, rules),
        tables=[rules],
        producer=producer,
        api=build_api(store, pseudonyms, Stewards(store, pseudonyms, requests, verdicts, clock)),
        resources=[store],
        before=[store.migrate, partial(note_pepper, store.database, pseudonyms)],
    )


def build_matcher(settings: MatcherSettings | None = None) -> Role:
    """The role `identity-matcher`: who may be one person though no identifier says so?"""
    settings = settings or MatcherSettings()
    store, clock = MongoMatcherStore(settings.mongo), SystemClock()
    rules = Rules(frozenset(settings.match_purposes), settings.match_regions, settings.match_unasked)
    producer = KafkaProducer(settings.kafka)
    rates = Rates(settings.http.requests_per_second, settings.http.burst_seconds)
    verdicts = TopicLog(MATCHES_DECIDED, MATCHER_ROLE, producer, clock, settings.kafka.send_seconds)
    return role(
        MATCHER_ROLE,
        kafka=settings.kafka,
        stages=matcher_stages(Matcher(store.records, rules, settings.privacy.lasting)),
        resources=[store],
        producer=producer,
        api=build_queue(Desk(store.records, verdicts, settings.tokens, rates, clock)),
        before=[store.migrate],
    )

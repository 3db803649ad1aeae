"""Wiring of the identity service. Nothing connects at import."""

from __future__ import annotations

from cdp_runtime.app import Role, role
from cdp_runtime.pseudonyms import Pseudonymizer

from cdp_identity.api import build_api
from cdp_identity.handlers import rules_table, stages
from cdp_identity.settings import Settings
from cdp_identity.store import IdentityGraph
from cdp_identity.store.mongo import MongoGraphStore


def build_resolver(settings: Settings | None = None) -> Role:
    """The role `identity-resolver`: whose is each event?"""
    settings = settings or Settings()
    pseudonyms = pseudonymizer(settings)
    store = MongoGraphStore(settings.mongo, pepper=pseudonyms.version)
    graph = IdentityGraph(store, settings.cache_size)
    rules = rules_table()
    return role(
        "identity-resolver",
        kafka=settings.kafka,
        stages=stages(graph, pseudonyms, rules),
        tables=[rules],
        api=build_api(store, pseudonyms),
        resources=[store],
        before=[store.migrate],
    )


def pseudonymizer(settings: Settings) -> Pseudonymizer:
    """What hashes identifiers: under the pepper, and to look them up under those before it."""
    secrets = (settings.privacy.pepper, *settings.former_peppers)
    pepper, *former = (secret.get_secret_value().encode() for secret in secrets)
    return Pseudonymizer(pepper, former)

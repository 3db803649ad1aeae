"""Wiring of the identity service. Nothing connects at import."""

from __future__ import annotations

from cdp_runtime.app import Role, role
from cdp_runtime.pseudonyms import Pseudonymizer

from cdp_identity.handlers import stages
from cdp_identity.settings import Settings
from cdp_identity.store import IdentityGraph
from cdp_identity.store.mongo import MongoGraphStore


def build_resolver(settings: Settings | None = None) -> Role:
    """The role `identity-resolver`: whose is each event?"""
    settings = settings or Settings()
    store = MongoGraphStore(settings.mongo)
    graph = IdentityGraph(store, settings.cache_size)
    pseudonyms = Pseudonymizer(settings.privacy.pepper.get_secret_value().encode())
    return role(
        "identity-resolver",
        kafka=settings.kafka,
        stages=stages(graph, pseudonyms),
        resources=[store],
        before=[store.migrate],
    )

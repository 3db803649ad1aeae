"""The roles of the service. Wiring only: nothing connects before the application starts."""

from __future__ import annotations

from functools import partial

from cdp_runtime.app import Role, role
from cdp_runtime.peppers import note_pepper
from cdp_runtime.rates import Rates

from cdp_profiles.api.readers import Readers
from cdp_profiles.api.routes import build_api
from cdp_profiles.handlers import historian_stages, stages
from cdp_profiles.histories import MongoHistories
from cdp_profiles.settings import Settings
from cdp_profiles.store import MongoProfileStore


def build_writer(settings: Settings | None = None) -> Role:
    """Applies events and merges to the records."""
    settings = settings or Settings()
    pseudonyms = settings.privacy.pseudonyms
    profiles = MongoProfileStore(settings.mongo, pseudonyms)
    return role(
        "profiles-writer",
        kafka=settings.kafka,
        stages=stages(profiles, settings.limits),
        resources=[profiles],
        before=[profiles.migrate, partial(note_pepper, profiles.database, pseudonyms)],
    )


def build_historian(settings: Settings | None = None) -> Role:
    """Keeps what is told of profiles: the values that traits have had, and the newest events."""
    settings = settings or Settings()
    histories = MongoHistories(settings.mongo)
    keeping = historian_stages(histories, settings.bounds, settings.historian_rest_seconds)
    return role("profiles-historian", kafka=settings.kafka, stages=keeping, resources=[histories])


def build_http(settings: Settings | None = None) -> Role:
    """Answers readers."""
    settings = settings or Settings()
    impatient = settings.mongo.model_copy(update={"timeout_seconds": settings.read_seconds})
    profiles = MongoProfileStore(impatient, settings.privacy.pseudonyms, only_read=True)
    histories = MongoHistories(impatient)
    rates = Rates(settings.http.requests_per_second, settings.http.burst_seconds)
    api = build_api(profiles, histories, Readers(settings.read_tokens, rates))
    return role("profiles-http", resources=[profiles, histories], api=api)

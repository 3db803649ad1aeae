"""The roles of the service. Wiring only: nothing connects before the application starts."""

from __future__ import annotations

from functools import partial

from cdp_runtime.app import Role, role
from cdp_runtime.clock import SystemClock
from cdp_runtime.kafka_history import KafkaHistory
from cdp_runtime.rates import Rates
from cdp_runtime.settings import tls_context

from cdp_segments.api.door import Door
from cdp_segments.api.previews import BODY_BYTES
from cdp_segments.api.routes import build_api
from cdp_segments.catalogs import Catalogs
from cdp_segments.census import MongoCensus
from cdp_segments.handlers import stages
from cdp_segments.history.handlers import stages as history_stages
from cdp_segments.history.store import MongoHistoryStore
from cdp_segments.ledger import mongo_ledger
from cdp_segments.lifecycle import Lifecycle
from cdp_segments.reading import Reading
from cdp_segments.sender.courier import Courier
from cdp_segments.sender.crew import Crew
from cdp_segments.sender.destinations import Destinations
from cdp_segments.sender.handlers import stages as sender_stages
from cdp_segments.sender.posting import Poster
from cdp_segments.sender.signing import SecretFiles
from cdp_segments.sender.views import Views
from cdp_segments.settings import SenderSettings, Settings
from cdp_segments.standings import Standings
from cdp_segments.store import MongoPersonStore
from cdp_segments.timers import RedisTimers


def build_evaluator(settings: Settings | None = None) -> Role:
    """Holds people against segments, at every update and by the clock."""
    settings = settings or Settings()
    catalogs = Catalogs()
    people = MongoPersonStore(settings.mongo)
    timers = RedisTimers(settings.redis)
    histories, log = MongoHistoryStore(settings.mongo), KafkaHistory(settings.kafka)
    lifecycle = Lifecycle(catalogs, people, timers, mongo_ledger(people), log)
    return role(
        "segments-evaluator",
        kafka=settings.kafka,
        stages=[*stages(catalogs, people, timers, lifecycle), *history_stages(histories)],
        tables=catalogs.tables,
        resources=[people, timers, histories, log],
        before=[people.migrate, histories.migrate],
    )


def build_http(settings: Settings | None = None) -> Role:
    """Answers readers."""
    settings = settings or Settings()
    catalogs = Catalogs()
    mongo = settings.mongo.model_copy(update={"timeout_seconds": settings.read_seconds})
    people, histories = MongoPersonStore(mongo), MongoHistoryStore(mongo)
    rates = Rates(settings.http.requests_per_second, settings.http.burst_seconds)
    standings = Standings(catalogs, mongo_ledger(people), SystemClock())
    reading = Reading(MongoCensus(people), histories, settings.preview_seconds)
    api = build_api(Door(people, standings, settings.tokens, rates, SystemClock()), reading)
    return role(
        "segments-http",
        kafka=settings.kafka,
        tables=[catalogs.table],
        resources=[people, histories],
        api=api,
        body_bytes=BODY_BYTES,
    )


def build_sender(settings: SenderSettings | None = None) -> Role:
    """Posts flips to the destinations of other teams, and keeps the views that they asked for."""
    settings = settings or SenderSettings()
    destinations = Destinations(settings.private_hosts)
    poster = Poster(tls_context(settings.destination_ca_file, None), settings.private_hosts)
    secrets = SecretFiles(settings.secrets_folder)
    courier = partial(Courier, destinations=destinations, poster=poster, secrets=secrets, clock=SystemClock())
    crew, views = Crew(destinations, courier), Views()
    return role(
        "segments-sender",
        kafka=settings.kafka,
        stages=sender_stages(destinations),
        lineup=lambda: [*crew.stages(), *views.stages()],
        tables=[destinations.table, views.table],
        resources=[poster],
    )

"""All five services in this process, on the in-memory bus, over their memory stores."""

from __future__ import annotations

from collections.abc import Iterator
from functools import cache
from pathlib import Path
from typing import Any
from uuid import UUID

import httpx
from cdp_cli import definitions
from cdp_collector.app import edge_api
from cdp_collector.domain.intake import Taken
from cdp_collector.domain.limits import Limits
from cdp_collector.domain.validator import Validator
from cdp_collector.handlers import receipt_stages
from cdp_collector.handlers import stages as validator_stages
from cdp_collector.receipts import MemoryReceipts
from cdp_collector.receipts_api import receipts_api
from cdp_collector.settings import HttpSettings
from cdp_collector.store import Definitions, MemoryDedup
from cdp_consent.handlers import policy_table
from cdp_consent.handlers import stages as gate_stages
from cdp_consent.store import ConsentStore, MemoryLedger, MemorySubjects
from cdp_contracts.profiles_v1 import ProfileUpdated
from cdp_contracts.segments_v1 import MembershipChange, MembershipChanged
from cdp_contracts.topics import EVENTS_RECEIVED, MEMBERSHIP_CHANGED, PROFILES_UPDATED, TOPICS
from cdp_identity.handlers import stages as resolver_stages
from cdp_identity.matcher.handlers import stages as matcher_stages
from cdp_identity.matcher.matcher import Matcher
from cdp_identity.matcher.store import MatcherStore, memory_store
from cdp_identity.matcher.telling import Rules
from cdp_identity.store import IdentityGraph, MemoryGraphStore
from cdp_identity.store.history import Ways
from cdp_profiles.domain.history import Bounds
from cdp_profiles.domain.limits import Limits as ProfileLimits
from cdp_profiles.domain.parts import Identifier
from cdp_profiles.domain.profile import Profile
from cdp_profiles.handlers import historian_stages
from cdp_profiles.handlers import stages as writer_stages
from cdp_profiles.histories import MemoryHistories
from cdp_profiles.store import MemoryProfileStore
from cdp_runtime.access import Tokens
from cdp_runtime.backoff import Patience
from cdp_runtime.codec import encode
from cdp_runtime.pseudonyms import Pseudonymizer
from cdp_runtime.rates import Rates
from cdp_runtime.settings import PrivacySettings
from cdp_runtime.transport import Headers, Incoming
from cdp_segments.catalogs import Catalogs
from cdp_segments.handlers import stages as evaluator_stages
from cdp_segments.history.handlers import stages as flip_stages
from cdp_segments.history.store import MemoryHistoryStore
from cdp_segments.ledger import memory_ledger
from cdp_segments.lifecycle import Lifecycle
from cdp_segments.store import MemoryPersonStore
from cdp_segments.timers import MemoryTimers
from cdp_testkit import LocalBus, Scenario
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter
from pydantic import SecretStr
from settling import settled, shape
from watching import Watched

DEFINITIONS = Path(__file__).parents[2] / "infra" / "definitions"
TENANT = "demo"
WRITE_KEY = "demo-write-key"
PEPPER = "a pepper for the pipeline's tests"
PSEUDONYMS = Pseudonymizer(PEPPER.encode())
TOKEN_KEY = SecretStr("a key for the cookies of the pipeline")
DAY = 86400
TOKENS = Tokens([(SecretStr("token"), TENANT), (SecretStr("other-token"), "other")])


@cache
def loaded() -> list[definitions.Loaded]:
    """The definitions that `cdp apply` would write."""
    return definitions.load(DEFINITIONS)


class Pipeline:
    """The platform. `restart` gives every role a new process: only stores, topics and offsets stay."""

    def __init__(self, patience: Patience | None = None) -> None:
        self.bus = LocalBus(patience=patience)
        self.privacy = PrivacySettings(pepper=SecretStr(PEPPER))
        self.shop = Scenario(self.bus, WRITE_KEY)
        self.spans = InMemorySpanExporter()
        self.provider = TracerProvider()
        self.provider.add_span_processor(SimpleSpanProcessor(self.spans))
        self.bus.tracer = self.provider.get_tracer("pipeline")
        self.subjects, self.ledger = MemorySubjects(), MemoryLedger()
        self.graph = MemoryGraphStore()
        self.profiles = MemoryProfileStore(PSEUDONYMS)
        self.profile_records = self.profiles.records
        self.profiles.records = self._watched(self.profiles.records, "profiles-writer", self.profiles)
        self.histories = MemoryHistories()
        self.flip_histories = MemoryHistoryStore()
        self.people = MemoryPersonStore()
        self.people_records = self.people.records
        self.people.records = self._watched(self.people.records, "segments-evaluator", self.people)
        self.timers = MemoryTimers()
        self.segment_ledger = memory_ledger()
        self.dedup = MemoryDedup(DAY, self.bus.clock.now)
        self.receipts = MemoryReceipts(self.dedup, DAY, self.bus.clock.now)
        self.told_receipts = False
        self.matches = memory_store()
        self.matching = False
        self.keeping = False
        self.counting = False
        self.edge_definitions = Definitions()
        self.bus.attach("collector-http", [], self.edge_definitions.tables)
        self.restart()

    @classmethod
    async def ready(cls, patience: Patience | None = None) -> Pipeline:
        """With the definitions of infra/definitions in force."""
        made = cls(patience)
        for one in loaded():
            await made.bus.publish(one.topic, one.definition)
        return made

    def change_pepper(self, pepper: str) -> None:
        """Start every role again with a new pepper and the ones before it."""
        former = (self.privacy.pepper, *self.privacy.former_peppers)
        self.privacy = PrivacySettings(pepper=SecretStr(pepper), former_peppers=former)
        self.profiles._pseudonyms = self.privacy.pseudonyms
        self.restart()

    def restart(self) -> None:
        """Start every role, or start it again after a crash: caches are empty."""
        self._start_validator()
        self._start_gate()
        graph = IdentityGraph(self._watched(self.graph, "identity-resolver"), cache_size=1000)
        self.bus.attach("identity-resolver", resolver_stages(graph, self.privacy.pseudonyms))
        self.bus.attach("profiles-writer", writer_stages(self.profiles, ProfileLimits()))
        catalogs = Catalogs()
        timers = self._watched(self.timers, "segments-evaluator")
        lifecycle = Lifecycle(catalogs, self.people, timers, self.segment_ledger, self.bus)
        stages = evaluator_stages(catalogs, self.people, timers, lifecycle)
        self.bus.attach("segments-evaluator", stages, catalogs.tables)
        if self.told_receipts:
            self.start_receipts()
        if self.matching:
            self.start_matcher()
        if self.keeping:
            self.start_historian()
        if self.counting:
            self.start_flip_keeper()

    def _start_validator(self) -> None:
        known = Definitions()
        validator = Validator(known.catalogue, self.privacy.pseudonyms.of, Limits())
        dedup = self._watched(self.dedup, "collector-validator")
        self.bus.attach("collector-validator", validator_stages(validator, dedup), known.tables)

    def start_receipts(self) -> None:
        """Start the role that nobody else needs, now and with all others from now on."""
        self.told_receipts = True
        receipts = self._watched(self.receipts, "collector-receipts")
        self.bus.attach("collector-receipts", receipt_stages(receipts))

    def start_matcher(self) -> None:
        """Start the role that nobody else needs, now and with all others from now on."""
        self.matching = True
        kept = (
            self._watched(getattr(self.matches, name), "identity-matcher")
            for name in ("entries", "blocks", "counters", "pairs")
        )
        rules = Rules(frozenset({"analytics"}), {"*": "GB"}, unasked=True)
        matcher = Matcher(MatcherStore(*kept), rules, self.privacy.lasting)
        self.bus.attach("identity-matcher", matcher_stages(matcher))

    def start_historian(self) -> None:
        """Start the role that nobody else needs, now and with all others from now on."""
        self.keeping = True
        histories = self._watched(self.histories, "profiles-historian")
        self.bus.attach("profiles-historian", historian_stages(histories, Bounds()))

    def start_flip_keeper(self) -> None:
        """Start the stage that nobody else needs, now and with all others from now on."""
        self.counting = True
        histories = self._watched(self.flip_histories, "segments-evaluator")
        self.bus.attach("segments-evaluator", flip_stages(histories))

    def receipts_desk(self) -> httpx.AsyncClient:
        """Where senders ask what became of an event."""
        api = receipts_api(self.receipts, TOKENS, Rates(0, 1), DAY)
        return httpx.AsyncClient(
            transport=httpx.ASGITransport(api), base_url="http://receipts",
            headers={"Authorization": "Bearer token"},
        )  # fmt: skip

    def _start_gate(self) -> None:
        subjects, ledger = (self._watched(store, "consent-gate") for store in (self.subjects, self.ledger))
        policies, store = policy_table(), ConsentStore(subjects, ledger)
        self.bus.attach("consent-gate", gate_stages(store, policies, self.privacy.pseudonyms), [policies])

    def _watched(self, store: Any, role: str, of: Any = None) -> Any:
        return Watched(store, self.bus, role, type(of or store).__name__)

    def edge(self, host: str = "http://edge", **headers: str) -> httpx.AsyncClient:
        """The HTTP edge, writing to the bus."""
        settings = HttpSettings(privacy=self.privacy, token_keys=(TOKEN_KEY,))
        tracer = self.provider.get_tracer("edge")
        api = edge_api(settings, self.edge_definitions, BusLog(self.bus), self.bus.clock, tracer)
        return httpx.AsyncClient(
            transport=httpx.ASGITransport(api), base_url=host, auth=(WRITE_KEY, ""), timeout=10, headers=headers
        )

    async def person(self, **identifier: str) -> Profile | None:
        """The one profile that an identifier leads to; None if there is none."""
        ((kind, value),) = identifier.items()
        found = await self.profiles.find(TENANT, Identifier(kind, value))
        assert len(found) < 2
        return found[0] if found else None

    def whose(self, pseudonym: str) -> UUID:
        """Whose an identifier is in the graph."""
        return Ways.of(self.graph.population.values()).lead(self.graph.pointing[pseudonym].entity, pseudonym)

    def flips(self, segment: str) -> list[MembershipChange]:
        """Who entered and left a segment, in the order in which the evaluator said so."""
        messages = sorted(self.memberships(), key=lambda message: message.computed_at)
        return [change for message in messages for change in message.changes if change.segment == segment]

    def members(self, segment: str) -> set[UUID]:
        """Who is in a segment, as a subscriber knows it who keeps the newest message of each person."""
        newest: dict[UUID, MembershipChanged] = {}
        for message in self.memberships():
            known = newest.get(message.profile_id)
            if known is None or message.version > known.version:
                newest[message.profile_id] = message
        return {person for person, message in newest.items() if segment in message.memberships}

    def memberships(self) -> list[MembershipChanged]:
        """Every membership message."""
        return self.bus.messages(MEMBERSHIP_CHANGED)

    def updates(self) -> list[ProfileUpdated]:
        """Every update of a profile."""
        return self.bus.messages(PROFILES_UPDATED)

    def ids(self) -> dict[str, set[str]]:
        """The ids of the messages on every topic that a service writes."""
        written = [
            topic for topic in TOPICS if not topic.name.endswith(".defined.v1") and topic != EVENTS_RECEIVED
        ]
        return {topic.name: {str(getattr(m, "id", "")) for m in self.bus.messages(topic)} for topic in written}

    def dead_letters(self) -> list[Incoming]:
        """Everything that any service set aside."""
        return [record for name in self.topics() if name.endswith(".dlq") for record in self.bus.raw(name)]

    def topics(self) -> list[str]:
        """Every topic that has been written to, dead letters too."""
        return sorted(
            {action.topic for action in self.bus.actions if action.what == "emitted"} | {EVENTS_RECEIVED.name}
        )

    def records(self) -> Iterator[Incoming]:
        """Every record of every topic."""
        for name in self.topics():
            yield from self.bus.raw(name)

    def state(self) -> dict[str, Any]:
        """What every service has stored, in plain values that can be compared."""
        return {
            "receipts": {key: record for key, (record, _) in self.receipts.records.items()},
            "consent": {"states": settled(self.subjects.documents), "ledger": self.ledger.documents},
            "identity": {
                **vars(self.graph),
                "population": {i: shape(e) for i, e in self.graph.population.items()},
            },
            "matches": {
                name: settled(getattr(self.matches, name).documents)
                for name in ("entries", "blocks", "counters", "pairs")
            },
            "profiles": settled(self.profile_records.documents),
            "histories": (settled(self.histories.records.documents), self.histories.entries),
            "segments": settled(self.people_records.documents),
            "flips": [settled(s.documents) for s in (self.flip_histories.people, self.flip_histories.sums)],
        }


class BusLog:
    """The edge's log on the bus."""

    def __init__(self, bus: LocalBus) -> None:
        self._bus = bus

    async def append(self, events: list[Taken], trace: Headers) -> None:
        for taken in events:
            self._bus.write(
                encode(
                    EVENTS_RECEIVED, taken.event, source="collector-http", now=self._bus.clock.now(), trace=trace
                )
            )

"""The registry: every topic as a value. Schemas, topic configuration, AsyncAPI and graphs come from here."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any, Final, Generic, Literal, TypeVar, cast

from cdp_contracts.computed_v1 import ComputedTraitDefined, TraitsComputed
from cdp_contracts.definitions_v1 import (
    DestinationDefined,
    IdentityRulesDefined,
    PolicyDefined,
    SegmentDefined,
    SegmentViewDefined,
    SourceDefined,
    TrackingPlanDefined,
)
from cdp_contracts.deliveries_v1 import DeliveryRequested
from cdp_contracts.envelope import Contract
from cdp_contracts.events_v1 import (
    EventPermitted,
    EventReceived,
    EventRejected,
    EventResolved,
    EventValidated,
    EventWithheld,
)
from cdp_contracts.failures_v1 import dead_letter_topic
from cdp_contracts.identities_v1 import (
    IdentitiesMerged,
    IdentitiesMergeRefused,
    IdentitiesUnmerged,
    UnmergeRequested,
)
from cdp_contracts.matches_v1 import MatchDecided, MatchProposed
from cdp_contracts.profiles_v1 import ProfileUpdated
from cdp_contracts.segments_v1 import MembershipChanged, SegmentViewEntry

M_co = TypeVar("M_co", bound=Contract, covariant=True)
S = TypeVar("S", bound=Contract)

DAY: Final = 24
DEAD_LETTER_HOURS: Final = 14 * DAY
DEAD_LETTER_READERS: Final = ("collector-receipts", "operators")
OUTSIDERS: Final = ("product-systems", "subscribers", "source-owners", "data-stewards", "operators")


@dataclass(frozen=True, slots=True, kw_only=True)
class Topic(Generic[M_co]):
    """One topic. `key` names the field of the model that becomes the message key; empty: any key.

    `outcome` is what became of an event once a message of this topic follows from it: one of the sender's and the
    person's exits, or it goes on. `kept_while` names a field that makes a record a null value once it is false.
    """

    name: str
    model: type[M_co]
    key: str
    owner: str
    description: str
    producers: tuple[str, ...]
    consumers: tuple[str, ...]
    retention_hours: int | None
    partitions: int = 6
    compacted: bool = False
    min_compaction_lag_hours: int = 0
    personal: bool = False
    on_poison: Literal["dead_letter", "halt"] = "dead_letter"
    outcome: Literal["emitted", "rejected", "withheld"] = "emitted"
    kept_while: str = ""

    def key_of(self, message: Contract) -> str | None:
        """The message key, or None where any will do."""
        return str(getattr(message, self.key)) if self.key else None

    def seen_as(self, model: type[S]) -> Topic[S]:
        """The same topic to a reader who needs no more of its messages than the fields of this model."""
        return cast("Topic[S]", replace(self, model=cast("Any", model)))

    @property
    def open(self) -> bool:
        """Whether somebody outside writes here: then unreadable bytes are no sign of a bad deploy."""
        return any(producer in OUTSIDERS for producer in self.producers)

    @property
    def table(self) -> bool:
        """Whether it holds definitions, which are read as a table: a bad one leaves the last good in force."""
        return self.producers == ("operators",)

    def keeps(self, message: Contract) -> bool:
        """Whether the message is a value; if not, its record is a null value under its key."""
        return not self.kept_while or bool(getattr(message, self.kept_while))

    def dead_letters(self, service: str) -> str:
        """The name of the dead-letter topic of a service that reads this topic."""
        return dead_letter_topic(self.name, service)


EVENTS_RECEIVED: Final = Topic(
    name="cdp.events.received.v1", model=EventReceived, key="", owner="collector", personal=True,
    description="Events as their senders wrote them, before anything is checked.",
    producers=("collector-http", "product-systems"), consumers=("collector-validator",), retention_hours=3 * DAY,
)  # fmt: skip
EVENTS_REJECTED: Final = Topic(
    name="cdp.events.rejected.v1", model=EventRejected, key="message_id", owner="collector",
    description="The sender's mistakes: rule, pointer, what was expected; never a value.",
    producers=("collector-validator",), consumers=("collector-receipts", "source-owners"),
    retention_hours=7 * DAY, outcome="rejected",
)  # fmt: skip
EVENTS_VALIDATED: Final = Topic(
    name="cdp.events.validated.v1", model=EventValidated, key="subject", owner="collector", personal=True,
    description="Well-formed, de-duplicated events in the order of their subject.",
    producers=("collector-validator",), consumers=("consent-gate",), retention_hours=3 * DAY,
)  # fmt: skip
EVENTS_WITHHELD: Final = Topic(
    name="cdp.events.withheld.v1", model=EventWithheld, key="subject", owner="consent",
    description="The person's choice: what was stopped and for which purpose, without personal data.",
    producers=("consent-gate",), consumers=("collector-receipts", "source-owners"),
    retention_hours=7 * DAY, outcome="withheld",
)  # fmt: skip
EVENTS_PERMITTED: Final = Topic(
    name="cdp.events.permitted.v1", model=EventPermitted, key="subject", owner="consent", personal=True,
    description="Events with the consent decision that let them pass.",
    producers=("consent-gate",), consumers=("identity-resolver",), retention_hours=3 * DAY,
)  # fmt: skip
EVENTS_RESOLVED: Final = Topic(
    name="cdp.events.resolved.v1", model=EventResolved, key="profile_id", owner="identity", personal=True,
    description="Events with the person they belong to.",
    producers=("identity-resolver",), consumers=("profiles-writer", "identity-matcher", "collector-receipts"),
    retention_hours=7 * DAY,
)  # fmt: skip
IDENTITIES_MERGED: Final = Topic(
    name="cdp.identities.merged.v1", model=IdentitiesMerged, key="profile_id", owner="identity",
    description="Two profiles were found to be one person.", on_poison="halt",
    producers=("identity-resolver",), consumers=("profiles-writer", "identity-matcher", "collector-receipts"),
    retention_hours=21 * DAY,
)  # fmt: skip
IDENTITIES_UNMERGED: Final = Topic(
    name="cdp.identities.unmerged.v1", model=IdentitiesUnmerged, key="profile_id", owner="identity",
    description="A profile was found to be several people.", on_poison="halt",
    producers=("identity-resolver",),
    consumers=("profiles-writer", "identity-matcher", "collector-receipts", "data-stewards"),
    retention_hours=21 * DAY,
)  # fmt: skip
UNMERGES_REQUESTED: Final = Topic(
    name="cdp.unmerges.requested.v1", model=UnmergeRequested, key="profile_id", owner="identity",
    description="Somebody wants a profile to be several people.",
    producers=("identity-resolver",), consumers=("identity-resolver", "data-stewards"), retention_hours=21 * DAY,
)  # fmt: skip
IDENTITIES_MERGE_REFUSED: Final = Topic(
    name="cdp.identities.merge-refused.v1", model=IdentitiesMergeRefused, key="profile_id", owner="identity",
    description="A merge that a limit forbade: two people, or a shared device.",
    producers=("identity-resolver",), consumers=("data-stewards",), retention_hours=7 * DAY,
)  # fmt: skip
MATCHES_PROPOSED: Final = Topic(
    name="cdp.matches.proposed.v1", model=MatchProposed, key="profile_id", owner="identity",
    description="Two profiles that may be one person, with a score for each field.",
    producers=("identity-matcher",), consumers=("data-stewards",), retention_hours=21 * DAY,
)  # fmt: skip
MATCHES_DECIDED: Final = Topic(
    name="cdp.matches.decided.v1", model=MatchDecided, key="profile_id", owner="identity",
    description="Whether two profiles are one person, by a person or by a score that asks nobody.",
    producers=("identity-matcher", "identity-resolver"),
    consumers=("identity-resolver", "identity-matcher", "data-stewards"),
    retention_hours=21 * DAY,
)  # fmt: skip
PROFILES_UPDATED: Final = Topic(
    name="cdp.profiles.updated.v1", model=ProfileUpdated, key="profile_id", owner="profiles", personal=True,
    description="What an event or a merge changed on a person's profile.",
    producers=("profiles-writer",), consumers=("segments-evaluator", "profiles-historian"),
    retention_hours=21 * DAY,
)  # fmt: skip
MEMBERSHIP_CHANGED: Final = Topic(
    name="cdp.segments.membership-changed.v1", model=MembershipChanged, key="profile_id", owner="segments",
    description="Who entered or left which segment, and the whole membership map of the person.",
    producers=("segments-evaluator",),
    consumers=("segments-evaluator", "segments-sender", "collector-receipts", "subscribers"),
    retention_hours=None, compacted=True, min_compaction_lag_hours=14 * DAY,
)  # fmt: skip
TRAITS_COMPUTED: Final = Topic(
    name="cdp.traits.computed.v1", model=TraitsComputed, key="profile_id", owner="segments", personal=True,
    description="What was computed from a person's events: all computed traits, whenever one changed.",
    producers=("segments-evaluator",), consumers=("profiles-writer",), retention_hours=7 * DAY,
)  # fmt: skip
DELIVERIES_REQUESTED: Final = Topic(
    name="cdp.deliveries.requested.v1", model=DeliveryRequested, key="destination_id", owner="segments",
    description="Flips on their way to the destinations of other teams, each to one.",
    producers=("segments-sender",), consumers=("segments-sender",), retention_hours=7 * DAY,
)  # fmt: skip
SEGMENT_VIEWS_MAINTAINED: Final = Topic(
    name="cdp.segment-views.maintained.v1", model=SegmentViewEntry, key="entry_id", owner="segments",
    description="The members of the segments that somebody asked a view of; null once they are none.",
    producers=("segments-sender",), consumers=("segments-sender", "subscribers"),
    retention_hours=None, compacted=True, min_compaction_lag_hours=14 * DAY, kept_while="member",
)  # fmt: skip
SOURCES_DEFINED: Final = Topic(
    name="cdp.sources.defined.v1", model=SourceDefined, key="id", owner="collector", partitions=1,
    description="The systems that may send events.", producers=("operators",),
    consumers=("collector-http", "collector-validator"), retention_hours=None, compacted=True,
)  # fmt: skip
TRACKING_PLANS_DEFINED: Final = Topic(
    name="cdp.tracking-plans.defined.v1", model=TrackingPlanDefined, key="id", owner="collector", partitions=1,
    description="Which events a source may send and what they carry.", producers=("operators",),
    consumers=("collector-http", "collector-validator"), retention_hours=None, compacted=True,
)  # fmt: skip
POLICIES_DEFINED: Final = Topic(
    name="cdp.policies.defined.v1", model=PolicyDefined, key="id", owner="consent", partitions=1,
    description="Which purposes a person must allow, per jurisdiction.", producers=("operators",),
    consumers=("consent-gate",), retention_hours=None, compacted=True,
)  # fmt: skip
IDENTITY_RULES_DEFINED: Final = Topic(
    name="cdp.identity-rules.defined.v1", model=IdentityRulesDefined, key="id", owner="identity", partitions=1,
    description="By which rules identifiers make persons.", producers=("operators",),
    consumers=("identity-resolver",), retention_hours=None, compacted=True,
)  # fmt: skip
SEGMENTS_DEFINED: Final = Topic(
    name="cdp.segments.defined.v1", model=SegmentDefined, key="id", owner="segments", partitions=1,
    description="The segments and their conditions.", producers=("operators",),
    consumers=("segments-evaluator", "segments-http"), retention_hours=None, compacted=True,
)  # fmt: skip
COMPUTED_TRAITS_DEFINED: Final = Topic(
    name="cdp.computed-traits.defined.v1", model=ComputedTraitDefined, key="id", owner="segments", partitions=1,
    description="The traits that are computed from events, and how.", producers=("operators",),
    consumers=("segments-evaluator",), retention_hours=None, compacted=True,
)  # fmt: skip
DESTINATIONS_DEFINED: Final = Topic(
    name="cdp.destinations.defined.v1", model=DestinationDefined, key="id", owner="segments", partitions=1,
    description="Where flips of segments are posted to.", producers=("operators",),
    consumers=("segments-sender",), retention_hours=None, compacted=True,
)  # fmt: skip
SEGMENT_VIEWS_DEFINED: Final = Topic(
    name="cdp.segment-views.defined.v1", model=SegmentViewDefined, key="id", owner="segments", partitions=1,
    description="Of which segments a view is kept.", producers=("operators",),
    consumers=("segments-sender",), retention_hours=None, compacted=True,
)  # fmt: skip

TOPICS: Final[tuple[Topic[Contract], ...]] = (
    EVENTS_RECEIVED, EVENTS_REJECTED, EVENTS_VALIDATED, EVENTS_WITHHELD, EVENTS_PERMITTED, EVENTS_RESOLVED,
    IDENTITIES_MERGED, IDENTITIES_UNMERGED, UNMERGES_REQUESTED, IDENTITIES_MERGE_REFUSED, MATCHES_PROPOSED,
    MATCHES_DECIDED, PROFILES_UPDATED, MEMBERSHIP_CHANGED, TRAITS_COMPUTED, DELIVERIES_REQUESTED,
    SEGMENT_VIEWS_MAINTAINED,
    SOURCES_DEFINED, TRACKING_PLANS_DEFINED, POLICIES_DEFINED, IDENTITY_RULES_DEFINED, SEGMENTS_DEFINED,
    COMPUTED_TRAITS_DEFINED, DESTINATIONS_DEFINED, SEGMENT_VIEWS_DEFINED,
)  # fmt: skip


def topic_named(name: str) -> Topic[Contract]:
    """The topic of that name; KeyError if the registry has none."""
    return {topic.name: topic for topic in TOPICS}[name]


def roles_reading(topic: Topic[Contract]) -> tuple[str, ...]:
    """The roles of ours that consume a topic."""
    return tuple(role for role in topic.consumers if role not in OUTSIDERS)


def dead_letter_topics() -> tuple[str, ...]:
    """The name of every dead-letter topic that can exist."""
    return tuple(topic.name for topic in dead_letter_streams())


def dead_letter_streams() -> tuple[Topic[Contract], ...]:
    """Every dead-letter topic that can exist: one a topic and reading service; tables have none.

    The values are those of the source topic, whatever was wrong with them: the model is no promise here.
    """
    return tuple(
        _letters_of(topic, service)
        for topic in TOPICS
        if not topic.table
        for service in dict.fromkeys(role.split("-")[0] for role in roles_reading(topic))
    )


def _letters_of(topic: Topic[Contract], service: str) -> Topic[Contract]:
    return replace(
        topic, name=topic.dead_letters(service), key="", owner=service, partitions=1, compacted=False,
        description=f"What {service} could not handle of {topic.name}.", consumers=DEAD_LETTER_READERS,
        producers=tuple(role for role in roles_reading(topic) if role.startswith(f"{service}-")),
        retention_hours=DEAD_LETTER_HOURS, min_compaction_lag_hours=0, on_poison="dead_letter", kept_while="",
    )  # fmt: skip

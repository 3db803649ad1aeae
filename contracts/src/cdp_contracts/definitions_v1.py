"""Definitions are messages too: services read them to the end before their first event, then follow."""

from __future__ import annotations

from typing import Annotated, Literal, TypeAlias

from pydantic import Field

from cdp_contracts.conditions_v1 import Condition
from cdp_contracts.envelope import Contract, Tenant, UtcDatetime
from cdp_contracts.events_v1 import Purpose

PropertyType: TypeAlias = Literal["string", "number", "integer", "boolean", "object", "array", "date-time"]
Slug: TypeAlias = str
SegmentState: TypeAlias = Literal["draft", "live", "paused", "archived"]
SharedDevices: TypeAlias = Literal["per_device", "first_owner", "last_authenticated"]


class Definition(Contract):
    """A versioned definition. `id` is the key of its message, `<tenant>/<name>`."""

    tenant: Tenant
    name: str = Field(pattern=r"^[a-z0-9][a-z0-9-]{0,99}$")
    version: int = Field(default=1, ge=1)
    effective_at: UtcDatetime | None = Field(default=None, description="compared with an event's received_at")

    @property
    def id(self) -> str:
        """The key of the message."""
        return f"{self.tenant}/{self.name}"


Origin: TypeAlias = Annotated[
    str,
    Field(pattern=r"^(https://[a-z0-9.-]+|http://(localhost|127\.0\.0\.1))(:[0-9]{1,5})?$", max_length=300),
]
ConsentNames: TypeAlias = Annotated[tuple[Annotated[str, Field(min_length=1)], ...], Field(min_length=1)]


class FirstParty(Contract):
    """The edge keeps a random id and the visit in a cookie that no script can read."""

    origins: tuple[Origin, ...] = Field(
        min_length=1, description="of the pages that send, such as https://shop.example; others get no cookie"
    )
    consent: ConsentNames = Field(
        description="names in consent.categoryPreferences that must all be true on the event itself: it is storage"
        " on the person's device, which no default allows"
    )


class SourceDefined(Definition):
    """A system that may send events, and who owns it."""

    write_key_hashes: tuple[str, ...] = Field(description="SHA-256 of each accepted write key, hex")
    owner: str
    enabled: bool = True
    tracking_plan: str | None = Field(default=None, description="the plan its events are held against")
    jurisdiction: str | None = Field(default=None, description="where its people are, unless an event says")
    first_party: FirstParty | None = Field(default=None, description="null: no cookie is set or read")
    fingerprint_consent: ConsentNames | None = Field(
        default=None,
        description="names that must all be true on an event for context.device.fingerprint to be kept, as a keyed"
        " hash; null: it never is",
    )


class PropertyRule(Contract):
    """What a property must be."""

    type: PropertyType
    required: bool = False
    one_of: tuple[str, ...] | None = None
    minimum: float | None = None
    maximum: float | None = None


class EventRule(Contract):
    """What an event of a name must carry."""

    properties: dict[str, PropertyRule] = Field(default_factory=dict)
    unknown_properties: Literal["allow", "reject"] = "allow"


class TrackingPlanDefined(Definition):
    """The events a source may send. Consent events are never held against a plan."""

    events: dict[str, EventRule]
    traits: dict[str, PropertyRule] = Field(default_factory=dict)
    unknown_events: Literal["allow", "flag", "reject"] = "allow"


class PurposeRule(Contract):
    """What holds for a purpose while the person has not chosen."""

    default: Literal["granted", "denied"]
    gpc_denies: bool = Field(default=False, description="Sec-GPC: 1 denies it, an earlier grant included")


class PolicyDefined(Definition):
    """Which purposes exist, which a person must allow, per jurisdiction. `strictest` fills every gap."""

    requires: tuple[Purpose, ...] = Field(min_length=1, description="an event passes only if all are allowed")
    jurisdictions: dict[str, dict[Purpose, PurposeRule]] = Field(description="such as EU, US-CA, default")
    strictest: dict[Purpose, PurposeRule] = Field(description="for an unknown place")
    categories: dict[str, Purpose] = Field(
        default_factory=dict, description="how senders call a purpose, such as Advertising: marketing"
    )


class IdentifierLimit(Contract):
    """How many identifiers of a kind one person may have."""

    count: int = Field(ge=1, le=50)
    days: int | None = Field(default=None, ge=1, le=3650, description="within so many days; null: ever")


class IdentifierRule(Contract):
    """A kind of identifier. What is left open is as shipped."""

    priority: int | None = Field(default=None, ge=1, le=9999, description="the lowest number attributes the event")
    limit: IdentifierLimit | None = None
    blocked: tuple[str, ...] = Field(
        default=(),
        description="values that stand for nobody, in any case, beside the built-in ones: such as kiosk",
    )


class SourceTrust(Contract):
    """What a source may say about who is who."""

    asserts: tuple[str, ...] | None = Field(default=None, description="the kinds it may assert; null: all")
    merges: bool = Field(default=True, description="false: it may add identifiers to persons, and join no two")
    region: str | None = Field(
        default=None, pattern="^[A-Z]{2}$", description="ISO 3166: how its phone numbers without a plus are read"
    )


class IdentityRulesDefined(Definition):
    """By which rules identifiers make persons. A person has one user_id, ever: no rule can change that."""

    kinds: dict[str, IdentifierRule] = Field(
        default_factory=dict, description="such as email, phone, anonymous_id, external.loyalty"
    )
    sources: dict[str, SourceTrust] = Field(default_factory=dict)
    shared_devices: SharedDevices = Field(
        default="per_device", description="whose the anonymous events are on a device that several users log in on"
    )
    identifiers_per_person: int = Field(default=1000, ge=1, le=1000)
    merges_per_person: int = Field(default=100, ge=0, le=100)
    identifiers_per_event: int = Field(default=20, ge=1, le=20)
    fan_in: int = Field(
        default=100, ge=2, le=10_000, description="an identifier is blocked when so many ask for it in 24 hours"
    )


class SegmentDefined(Definition):
    """A segment: a name, a meaning in words, a condition."""

    title: str = Field(min_length=1, max_length=200)
    description: str = ""
    owner: str = ""
    when: Condition
    state: SegmentState = Field(
        default="live",
        description="what is wanted; draft: compiled, never told; paused: who is in it stays, and nothing is told;"
        " archived: nobody is in it",
    )


class SegmentViewDefined(Definition):
    """Somebody needs the members of the segment of this name as a compacted topic of their own."""

    owner: str = Field(min_length=1, description="the team that reads it")
    state: Literal["live", "archived"] = Field(
        default="live", description="archived: its entries are taken back. Live again: with a higher version"
    )


WebhookUrl: TypeAlias = Annotated[
    str,
    Field(pattern=r"^https?://[A-Za-z0-9.-]+(:[0-9]{1,5})?(/[!-~]*)?$", max_length=1000),
]


class DestinationDefined(Definition):
    """An endpoint of another team, to which flips of segments are posted as signed webhooks."""

    url: WebhookUrl = Field(description="https, without credentials; redirects are not followed")
    secret: str = Field(
        pattern=r"^[a-z0-9][a-z0-9-]{0,99}$",
        description="which secret signs: the name of the file `destination-<secret>` where the sender runs",
    )
    segments: tuple[Annotated[str, Field(min_length=1)], ...] = Field(min_length=1, description="by their names")
    flips: tuple[Literal["entered", "left"], ...] = Field(default=("entered", "left"), min_length=1)
    owner: str = Field(min_length=1, description="the team that runs the endpoint")
    requests_per_second: float = Field(default=10, gt=0, le=1000, description="tries, the first included")
    concurrency: int = Field(default=4, ge=1, le=32, description="requests at once; of one person always one")
    timeout_seconds: float = Field(default=10, gt=0, le=30, description="of one try, from name lookup to status")
    tries: int = Field(default=20, ge=1, le=100, description="of one flip; then it is dead-lettered")
    give_up_seconds: int = Field(
        default=86_400, ge=1, le=259_200, description="a flip that waits for longer is dead-lettered"
    )
    state: Literal["live", "archived"] = Field(default="live", description="archived: what still waits is dropped")

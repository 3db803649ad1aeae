"""Definitions are messages too: services read them to the end before their first event, then follow."""

from __future__ import annotations

from typing import Literal, TypeAlias

from pydantic import Field

from cdp_contracts.conditions_v1 import Condition
from cdp_contracts.envelope import Contract, Tenant, UtcDatetime
from cdp_contracts.events_v1 import Purpose

PropertyType: TypeAlias = Literal["string", "number", "integer", "boolean", "object", "array", "date-time"]
Slug: TypeAlias = str


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


class SourceDefined(Definition):
    """A system that may send events, and who owns it."""

    write_key_hashes: tuple[str, ...] = Field(description="SHA-256 of each accepted write key, hex")
    owner: str
    enabled: bool = True
    tracking_plan: str | None = Field(default=None, description="the plan its events are held against")
    jurisdiction: str | None = Field(default=None, description="where its people are, unless an event says")


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


class SegmentDefined(Definition):
    """A segment: a name, a meaning in words, a condition."""

    title: str = Field(min_length=1, max_length=200)
    description: str = ""
    owner: str = ""
    when: Condition
    state: Literal["live", "archived"] = "live"

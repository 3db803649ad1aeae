"""An event on its way through the platform, from what the sender wrote to whose it is."""

from __future__ import annotations

from typing import Literal, TypeAlias
from uuid import UUID

from pydantic import ConfigDict, Field, JsonValue
from pydantic.alias_generators import to_camel

from cdp_contracts.envelope import Contract, JsonObject, Message, Pseudonym, Tenant, UtcDatetime

EventType: TypeAlias = Literal["track", "identify", "page", "screen", "group", "alias", "consent"]
Purpose: TypeAlias = str


class Visit(Contract):
    """What a browser did without half an hour's rest, as the edge saw it."""

    id: str = Field(max_length=64)
    since: UtcDatetime = Field(description="what happened before this belongs to an earlier visit, sent late")


class EdgeStamp(Contract):
    """What the HTTP edge knows of a request; absent on events that producers put straight on the broker."""

    tenant: Tenant
    source: str
    received_at: UtcDatetime
    sent_at: UtcDatetime | None = None
    gpc: bool = Field(default=False, description="the request carried Sec-GPC: 1")
    jurisdiction: str | None = Field(default=None, max_length=16, description="such as EU or US-CA")
    first_party_id: str | None = Field(
        default=None, max_length=64, description="the browser's, by a signed cookie of the edge's that came back"
    )
    visit: Visit | None = Field(default=None, description="by the same cookie")


class EventReceived(Contract):
    """An event as its sender wrote it, in the shape of the Segment specification (camel case).

    Nothing in it is trusted: every field may hold any JSON and is judged by the validator, which answers
    with `events.rejected`. A producer on the broker names its source by `writeKey`; the edge has checked
    the key already and stamps `edge` instead.
    """

    model_config = ConfigDict(alias_generator=to_camel, populate_by_name=True)

    type: JsonValue = None
    event: JsonValue = None
    name: JsonValue = None
    user_id: JsonValue = None
    anonymous_id: JsonValue = None
    previous_id: JsonValue = None
    group_id: JsonValue = None
    message_id: JsonValue = None
    timestamp: JsonValue = None
    original_timestamp: JsonValue = None
    sent_at: JsonValue = None
    properties: JsonValue = None
    traits: JsonValue = None
    context: JsonValue = None
    write_key: JsonValue = None
    edge: EdgeStamp | None = None


class EventRejected(Message):
    """The sender's mistake: which rule, where, what was expected. Never a value of the event."""

    source: str
    rule: str
    pointer: str = Field(description="JSON pointer into the event as sent")
    expected: str
    got: str = Field(description="the JSON type found, never the value")
    owner: str = Field(default="", description="who owns the source")


class ConsentSignals(Contract):
    """What an event says about the person's choices, before any policy is applied."""

    choices: dict[Purpose, bool] | None = Field(default=None, description="None: the event says nothing")
    unparsable: bool = Field(default=False, description="a choice was sent that could not be read")
    gpc: bool = False
    jurisdiction: str | None = None


class Event(Contract):
    """A normalized event."""

    type: EventType
    name: str = Field(description="what was tracked; the page or screen; else the type")
    user_id: str | None = None
    anonymous_id: str | None = None
    previous_id: str | None = Field(default=None, description="alias only: the id known before")
    group_id: str | None = None
    first_party_id: str | None = Field(
        default=None, description="the browser's, set by the edge; no sender can say it, and no script can read it"
    )
    properties: JsonObject = Field(default_factory=dict)
    traits: JsonObject = Field(default_factory=dict)
    context: JsonObject = Field(default_factory=dict)


def subject_text(anonymous_id: str | None, user_id: str | None) -> str | None:
    """What a `subject` is the keyed hash of: the device, else the user. None if there is neither."""
    if anonymous_id is not None:
        return f"device:{anonymous_id}"
    return None if user_id is None else f"user:{user_id}"


class EventValidated(Message):
    """A well-formed, de-duplicated event. Order of one subject is promised from here on."""

    subject: Pseudonym = Field(description="keyed hash of the device, else of the user")
    source: str
    event: Event
    signals: ConsentSignals = ConsentSignals()
    flags: tuple[str, ...] = Field(default=(), description="quality marks, such as clock-corrected")


class Decision(Contract):
    """What the gate decided, and on what ground."""

    purposes: tuple[Purpose, ...] = Field(description="the purposes the event may be used for")
    basis: dict[Purpose, str] = Field(
        default_factory=dict, description="per purpose: granted or default where it is allowed, else why not"
    )
    jurisdiction: str
    policy: str
    policy_version: int


class EventWithheld(Message):
    """The person's choice: the event stops here. No identifier, property or trait of it is kept."""

    subject: Pseudonym
    source: str
    purposes: tuple[Purpose, ...] = Field(description="the purposes that were missing")
    reason: str = Field(description="a code: not-asked, denied, withdrawn, gpc, unparsable or no-policy")


class EventPermitted(EventValidated):
    """An event with the decision that let it pass."""

    decision: Decision


class EventResolved(EventPermitted):
    """A permitted event with the person it belongs to."""

    profile_id: UUID
    part: Pseudonym = Field(description="keyed hash of the identifier that attributed the event")

"""Traits that are computed from a person's events: how, and what came of it."""

from __future__ import annotations

from typing import Annotated, Final, Literal, TypeAlias
from uuid import UUID

from pydantic import Field, JsonValue

from cdp_contracts.conditions_v1 import AggregateOf, ClockWindow, CountOf, Lifetime, PropertyFilter
from cdp_contracts.definitions_v1 import Definition
from cdp_contracts.envelope import Contract, Message, UtcDatetime

DAY: Final = 86_400


class Recency(Contract):
    """How many whole days of 24 hours have passed since the latest event of its kind. It rises by the clock."""

    kind: Literal["recency"] = "recency"
    event: str = Field(min_length=1, max_length=200)
    where: tuple[PropertyFilter, ...] = ()
    most_days: int = Field(default=365, ge=1, le=3660, description="it rises no further than this")


class Weight(Contract):
    """What one event of its kind adds to a score at the instant it happens."""

    event: str = Field(min_length=1, max_length=200)
    where: tuple[PropertyFilter, ...] = ()
    weight: float = Field(default=1, gt=0, le=1e6)


class Score(Contract):
    """The sum of the weights of all events, each of which halves with every half-life. Three decimals.

    Only the newest 512 events of each kind count. The value is that of the instant it is stated for: it is stated
    anew with each event, and after `refresh_seconds` without one, until it is 0.
    """

    kind: Literal["score"] = "score"
    of: tuple[Weight, ...] = Field(min_length=1, max_length=32)
    half_life_seconds: float = Field(ge=60, le=3660 * DAY)
    refresh_seconds: float = Field(default=DAY, ge=60, le=366 * DAY)


class Favourite(Contract):
    """The most frequent value of a property over the newest 512 events in a window.

    Of values that are equally frequent the one that came latest, of those of one instant the smallest: numbers
    before texts before booleans. Texts of more than 200 characters, lists, objects and numbers beyond 1e15 are
    passed over.
    """

    kind: Literal["favourite"] = "favourite"
    event: str = Field(min_length=1, max_length=200)
    property: str = Field(pattern=r"^[A-Za-z_][\w $-]*(\.[A-Za-z_][\w $-]*)*$", max_length=200)
    where: tuple[PropertyFilter, ...] = ()
    window: ClockWindow = Lifetime()


class TierStep(Contract):
    """A tier begins at a value."""

    name: str = Field(min_length=1, max_length=100)
    at_least: float


class Tier(Contract):
    """The highest tier that another quantity reaches. Below the lowest there is none."""

    kind: Literal["tier"] = "tier"
    of: Annotated[CountOf | AggregateOf | Score, Field(discriminator="kind")]
    tiers: tuple[TierStep, ...] = Field(min_length=1, max_length=32, description="each higher than the one before")


Computation: TypeAlias = Annotated[
    CountOf | AggregateOf | Recency | Score | Favourite | Tier, Field(discriminator="kind")
]


class ComputedTraitDefined(Definition):
    """A trait and how it is computed. Conditions ask for it as the trait `computed.<name>`."""

    name: str = Field(pattern=r"^[a-z][a-z0-9-]{0,99}$")
    title: str = Field(min_length=1, max_length=200)
    description: str = ""
    owner: str = ""
    compute: Computation
    state: Literal["live", "archived"] = Field(default="live", description="archived: nobody has it any more")


class ComputedTrait(Contract):
    """A value, the version of the definition it was computed by, and the instant it is stated for."""

    value: JsonValue
    version: int = Field(ge=1)
    at: UtcDatetime = Field(description="since then it has not changed, or not been stated anew")
    note: str | None = Field(default=None, description="what the value leaves out, if anything")


class TraitsComputed(Message):
    """All computed traits of one person after one of them changed.

    Of two messages the one computed later counts, then the one with the higher version. Whoever never did what a
    trait counts has no such trait. After a merge the absorbed profile's are void, and the survivor's are computed
    anew.
    """

    profile_id: UUID
    version: int = Field(ge=1, description="rises by one with each message about this profile")
    cause: Literal["event", "timer", "merge", "definition"]
    traits: dict[str, ComputedTrait]
    computed_at: UtcDatetime

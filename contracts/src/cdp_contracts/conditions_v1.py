"""The condition language of segments: one tree, discriminated by `kind`, one window type."""

from __future__ import annotations

from typing import Annotated, Literal, TypeAlias

from pydantic import Field, JsonValue

from cdp_contracts.envelope import Contract
from cdp_contracts.sequences_v1 import Dwell, EventSequence
from cdp_contracts.windows_v1 import (
    Between,
    Calendar,
    CalendarUnit,
    ClockWindow,
    CompareOp,
    Lifetime,
    PropertyFilter,
    Session,
    Sliding,
    TraitOp,
    Window,
)

__all__ = [  # what other modules look for here, beside what is defined below
    "Between", "Calendar", "CalendarUnit", "ClockWindow", "CompareOp", "Dwell", "EventSequence", "Lifetime",
    "PropertyFilter", "Session", "Sliding", "TraitOp", "Window",
]  # fmt: skip

AggregateFunction: TypeAlias = Literal["sum", "average", "min", "max", "last", "distinct"]


class Trait(Contract):
    """A trait of the profile compares like this. A missing trait fulfils only `missing` and `!=`."""

    kind: Literal["trait"] = "trait"
    trait: str = Field(pattern=r"^[A-Za-z_][\w $-]*(\.[A-Za-z_][\w $-]*)*$", max_length=200)
    op: TraitOp
    value: JsonValue = None


class Count(Contract):
    """How often an event happened in a window."""

    kind: Literal["count"] = "count"
    event: str = Field(min_length=1, max_length=200)
    where: tuple[PropertyFilter, ...] = ()
    window: Window = Lifetime()
    op: CompareOp = ">="
    n: int = Field(default=1, ge=0, le=256)


class Aggregate(Contract):
    """What a property amounts to over the events in a window. Only the newest 512 events that have it count.

    All but `distinct` need a number of at most 1e15: events where the property is none are passed over. `distinct`
    says how many different numbers, texts and booleans there are. Sums and averages are rounded to six decimals.
    The sum of no event is 0; of no event there is no average, min, max or last, which fulfils only `!=`.
    """

    kind: Literal["aggregate"] = "aggregate"
    function: AggregateFunction
    event: str = Field(min_length=1, max_length=200)
    property: str = Field(pattern=r"^[A-Za-z_][\w $-]*(\.[A-Za-z_][\w $-]*)*$", max_length=200)
    where: tuple[PropertyFilter, ...] = ()
    window: Window = Lifetime()
    op: CompareOp = ">="
    value: float


class CountOf(Contract):
    """How often an event happened in a window: of the newest 512."""

    kind: Literal["count"] = "count"
    event: str = Field(min_length=1, max_length=200)
    where: tuple[PropertyFilter, ...] = ()
    window: ClockWindow = Lifetime()


class AggregateOf(Contract):
    """What a property amounts to, as in `aggregate`."""

    kind: Literal["aggregate"] = "aggregate"
    function: AggregateFunction
    event: str = Field(min_length=1, max_length=200)
    property: str = Field(pattern=r"^[A-Za-z_][\w $-]*(\.[A-Za-z_][\w $-]*)*$", max_length=200)
    where: tuple[PropertyFilter, ...] = ()
    window: ClockWindow = Lifetime()


Measurable: TypeAlias = Annotated[CountOf | AggregateOf, Field(discriminator="kind")]


class Ratio(Contract):
    """One count or aggregate divided by another, such as the share of views that were of expensive products.

    It holds only where the denominator is at least `min_denominator` and both have a value.
    """

    kind: Literal["ratio"] = "ratio"
    numerator: Measurable
    denominator: Measurable
    min_denominator: float = Field(default=1, ge=1e-6)
    op: CompareOp = ">="
    value: float


class Absence(Contract):
    """An event has not happened for a while, such as no purchase in the last 30 days. Entered by the clock."""

    kind: Literal["absence"] = "absence"
    event: str = Field(min_length=1, max_length=200)
    where: tuple[PropertyFilter, ...] = ()
    window: Sliding
    require_age: bool = Field(
        description="true: only of somebody whose first event, of any kind, is at least as long ago"
    )


class First(Contract):
    """The first event ever of its kind lies in the window, such as a first purchase in the last 7 days."""

    kind: Literal["first"] = "first"
    event: str = Field(min_length=1, max_length=200)
    where: tuple[PropertyFilter, ...] = ()
    window: Annotated[Sliding | Between | Calendar, Field(discriminator="kind")]


class Last(Contract):
    """The latest event of its kind lies in the window, such as a last purchase 30 to 90 days ago."""

    kind: Literal["last"] = "last"
    event: str = Field(min_length=1, max_length=200)
    where: tuple[PropertyFilter, ...] = ()
    window: Annotated[Sliding | Between | Calendar, Field(discriminator="kind")]


class InSegment(Contract):
    """The person is in another live segment. Segments in a circle, or nested more than 32 deep, hold of nobody."""

    kind: Literal["in_segment"] = "in_segment"
    segment: str = Field(pattern=r"^[a-z0-9][a-z0-9-]{0,99}$")


class Bucket(Contract):
    """A share of all people, the same for ever: those whose number is at least `low` and less than `high`.

    The number, from 0 up to 0.9999, is GrowthBook's hash, version 2, of the seed and the profile's id. Buckets of
    different seeds are independent; raising `high` takes nobody out. After a merge the survivor's id counts.
    """

    kind: Literal["bucket"] = "bucket"
    seed: str = Field(min_length=1, max_length=100)
    low: float = Field(default=0, ge=0, le=1)
    high: float = Field(ge=0, le=1)


class InSession(Contract):
    """Some one visit fulfils all of these counts together, such as a cart without a purchase.

    A visit counts as it stands now: a purchase later in the same visit takes the truth away again.
    """

    kind: Literal["in_session"] = "in_session"
    session: Session = Session()
    all: tuple[SessionCount, ...] = Field(min_length=1)


class SessionCount(Contract):
    """How often an event happened within the visit."""

    event: str = Field(min_length=1, max_length=200)
    where: tuple[PropertyFilter, ...] = ()
    op: CompareOp = ">="
    n: int = Field(default=1, ge=0, le=256)


class And(Contract):
    """All of them."""

    kind: Literal["and"] = "and"
    of: tuple[Condition, ...] = Field(min_length=1)


class Or(Contract):
    """Any of them."""

    kind: Literal["or"] = "or"
    of: tuple[Condition, ...] = Field(min_length=1)


class Not(Contract):
    """The opposite."""

    kind: Literal["not"] = "not"
    of: Condition


Condition: TypeAlias = Annotated[
    And
    | Or
    | Not
    | Trait
    | Dwell
    | Count
    | Aggregate
    | Ratio
    | EventSequence
    | Absence
    | First
    | Last
    | InSession
    | InSegment
    | Bucket,
    Field(discriminator="kind"),
]

InSession.model_rebuild()
And.model_rebuild()
Or.model_rebuild()
Not.model_rebuild()

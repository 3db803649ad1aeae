"""Windows, operators and filters: what the conditions of segments are made of."""

from __future__ import annotations

from typing import Annotated, Literal, TypeAlias

from pydantic import Field, JsonValue

from cdp_contracts.envelope import Contract

CompareOp: TypeAlias = Literal["==", "!=", ">", ">=", "<", "<="]
CalendarUnit: TypeAlias = Literal["day", "week", "month"]
TraitOp: TypeAlias = Literal["==", "!=", ">", ">=", "<", "<=", "contains", "in", "exists", "missing"]


class Sliding(Contract):
    """The last `seconds`, to the millisecond: exits happen by the clock."""

    kind: Literal["sliding"] = "sliding"
    seconds: float = Field(gt=0, le=366 * 86400)


class Session(Contract):
    """One visit: events with less than `gap_seconds` between them. True if any visit ever fulfils it."""

    kind: Literal["session"] = "session"
    gap_seconds: float = Field(default=1800, gt=0, le=86400)


class Lifetime(Contract):
    """Ever."""

    kind: Literal["lifetime"] = "lifetime"


class Between(Contract):
    """Between two ages, such as 30 to 90 days ago: an event comes in at the one age and falls out at the other."""

    kind: Literal["between"] = "between"
    from_seconds: float = Field(gt=0, le=3660 * 86400)
    to_seconds: float | None = Field(
        default=None, gt=0, le=3660 * 86400, description="greater than from_seconds; null: however long ago"
    )


class Calendar(Contract):
    """The current day, week (from Monday) or month and the n - 1 before it, or the last n full ones.

    Units begin at midnight in the time zone, daylight saving included: a day may have 23 or 25 hours.
    """

    kind: Literal["calendar"] = "calendar"
    unit: CalendarUnit
    n: int = Field(default=1, ge=1, le=366)
    full: bool = Field(default=False, description="only full units: those before the current one")
    time_zone: str = Field(
        default="UTC", pattern=r"^[A-Za-z0-9_+-]+(/[A-Za-z0-9_+-]+)*$", max_length=64, description="IANA name"
    )


Window: TypeAlias = Annotated[Sliding | Session | Between | Calendar | Lifetime, Field(discriminator="kind")]
ClockWindow: TypeAlias = Annotated[Sliding | Between | Calendar | Lifetime, Field(discriminator="kind")]


class PropertyFilter(Contract):
    """Only events whose property (dotted path into `properties`) compares like this."""

    property: str = Field(pattern=r"^[A-Za-z_][\w $-]*(\.[A-Za-z_][\w $-]*)*$", max_length=200)
    op: TraitOp
    value: JsonValue = None

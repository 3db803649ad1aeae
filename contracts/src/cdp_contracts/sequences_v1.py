"""Conditions about the order of things: events one after another, and how long a trait has been what it is."""

from __future__ import annotations

from typing import Final, Literal

from pydantic import Field, JsonValue

from cdp_contracts.envelope import Contract
from cdp_contracts.windows_v1 import ClockWindow, Lifetime, PropertyFilter, TraitOp

LONGEST_SECONDS: Final = 366 * 86400


class Interruption(Contract):
    """An event that must not happen."""

    event: str = Field(min_length=1, max_length=200)
    where: tuple[PropertyFilter, ...] = ()
    same: bool = Field(
        default=False, description="only one in which the property `same` of the sequence is that of its steps"
    )


class NotAfter(Interruption):
    """An event that must not happen after the last step, and less than `within_seconds` after it."""

    within_seconds: float = Field(gt=0, le=LONGEST_SECONDS)


class SequenceStep(Contract):
    """An event of a sequence: later than the one of the step before. At the same millisecond is not later."""

    event: str = Field(min_length=1, max_length=200)
    where: tuple[PropertyFilter, ...] = ()
    within_seconds: float | None = Field(
        default=None, gt=0, le=LONGEST_SECONDS, description="it is less than that after the step before"
    )
    not_between: tuple[Interruption, ...] = Field(
        default=(), max_length=4, description="none of these is after the step before and before this one"
    )


class EventSequence(Contract):
    """Events one after another, whatever else happens between them, such as a product viewed, then bought.

    It has happened as often as there are events that end it: those of the last step for which there is an event of
    each step before, each in its place. The window holds the last step. With `not_after` it holds once the time is
    up, by the clock, and a single step is enough. Of each kind of event only the newest 512 count, with `same` of
    those in which the property is a number, a text or a boolean.
    """

    kind: Literal["sequence"] = "sequence"
    steps: tuple[SequenceStep, ...] = Field(min_length=1, max_length=8)
    within_seconds: float | None = Field(
        default=None, gt=0, le=LONGEST_SECONDS, description="the last step is less than that after the first"
    )
    not_after: NotAfter | None = None
    same: str | None = Field(
        default=None,
        pattern=r"^[A-Za-z_][\w $-]*(\.[A-Za-z_][\w $-]*)*$",
        max_length=200,
        description="a property (dotted path) that has the same value in all steps",
    )
    window: ClockWindow = Lifetime()
    times: int = Field(default=1, ge=1, le=256, description="at least so often")


class Dwell(Contract):
    """A trait has compared like this without interruption, such as a plan that has been trial for 14 days.

    It counts from when an event first told a value that does, with none since that does not; a value told again
    goes on. Of two told at the same millisecond one is the later, in whatever order they come. Until an event
    tells the trait, it fulfils nothing. Only the newest 512 events that told it count.
    """

    kind: Literal["dwell"] = "dwell"
    trait: str = Field(pattern=r"^[A-Za-z_][\w $-]*(\.[A-Za-z_][\w $-]*)*$", max_length=200)
    op: TraitOp = "=="
    value: JsonValue = None
    at_least_seconds: float | None = Field(default=None, gt=0, le=3660 * 86400)
    less_than_seconds: float | None = Field(
        default=None, gt=0, le=3660 * 86400, description="greater than at_least_seconds; one of the two is needed"
    )

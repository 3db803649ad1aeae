"""What events amount to: a count, or an aggregate of a property's values."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from math import fsum
from typing import Final, Literal, TypeAlias

from cdp_contracts.conditions_v1 import AggregateFunction, AggregateOf, CountOf

from cdp_segments.domain.asking import Ask, Measured
from cdp_segments.domain.marks import Ring
from cdp_segments.domain.selectors import Selector
from cdp_segments.domain.windows import Reach, reach_of

Function: TypeAlias = AggregateFunction | Literal["count"]

MARKS_KEPT: Final = 512
"""So many of the newest events decide what the newest n + 1 do not decide."""

DECIMALS: Final = 6


def amount(function: Function, marks: Ring) -> float | None:
    """What these events amount to. Of no event there is no average, minimum, maximum or last value.

    Sums, averages and ratios are rounded to six decimals, so that ten times 0.1 is 1, in whatever order it came.
    """
    if function == "count":
        return len(marks)
    values = [mark[2] for mark in marks if len(mark) == 3]
    return AGGREGATES[function](values) if values or function in OF_NOTHING_TOO else None


def rounded(value: float) -> float:
    """To six decimals."""
    return round(value, DECIMALS)


AGGREGATES: Final[Mapping[AggregateFunction, Callable[[Sequence[float]], float]]] = {
    "sum": lambda values: rounded(fsum(values)),
    "average": lambda values: rounded(fsum(values) / len(values)),
    "min": min,
    "max": max,
    "last": lambda values: values[-1],
    "distinct": lambda values: len(set(values)),
}
OF_NOTHING_TOO: Final = frozenset({"sum", "distinct"})


@dataclass(frozen=True, slots=True)
class Quantity:
    """A count or an aggregate over the newest 512 events of a selector, as far as a window holds them."""

    function: Function
    ask: Ask

    @classmethod
    def of(cls, function: Function, selector: Selector, reach: Reach) -> Quantity:
        """The quantity of a selector's events in a window."""
        return cls(function, Ask(selector, MARKS_KEPT, reach))

    def measure(self, person: Measured, now: int) -> float | None:
        """What the events in the window amount to."""
        return amount(self.function, self.ask.held(person, now))

    def capped(self, person: Measured, now: int) -> bool:
        """Whether older events than those kept may be in the window, or have yet to come in."""
        ring = self.ask.ring(person)
        return len(ring) >= MARKS_KEPT and ring[0][0] > self.ask.reach.after(now)


def quantity_of(condition: CountOf | AggregateOf) -> Quantity:
    """The quantity of a condition; ValueError naming the field and the rule if it makes no sense."""
    match condition:
        case CountOf():
            return Quantity.of("count", Selector.of(condition), reach_of(condition.window))
        case AggregateOf(function=function):
            return Quantity.of(function, Selector.valued(condition), reach_of(condition.window))

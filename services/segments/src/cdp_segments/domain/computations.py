"""How a trait is computed from what is kept of a person's events."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise
from math import ceil, fsum, log2
from typing import Final, Protocol, TypeAlias

from cdp_contracts.computed_v1 import Computation as Definition
from cdp_contracts.computed_v1 import Favourite, Recency, Score, Tier, TierStep
from cdp_contracts.conditions_v1 import AggregateOf, CountOf
from pydantic import JsonValue

from cdp_segments.domain.asking import Ask, Measured
from cdp_segments.domain.quantities import MARKS_KEPT, Quantity, quantity_of
from cdp_segments.domain.selectors import Selector
from cdp_segments.domain.windows import FOREVER, Ever, milliseconds, next_change, reach_of
from cdp_segments.domain.words import Word, most_frequent

DAY: Final = 86_400_000
SCORE_DECIMALS: Final = 3


class Traced(Measured, Protocol):
    """What a trait can be computed from."""

    def words(self, selector: str) -> dict[float, Word]:
        """The values behind the marks of a selector."""
        ...


class Computation(Protocol):
    """A way to compute a trait."""

    @property
    def asks(self) -> tuple[Ask, ...]:
        """The marks it looks at."""
        ...

    def value(self, person: Traced, now: int) -> JsonValue:
        """The value at an instant; None if there is none."""
        ...

    def due(self, person: Traced, now: int) -> int | None:
        """The first instant after now at which the clock may change the value; None if it never does."""
        ...

    def capped(self, person: Traced, now: int) -> bool:
        """Whether the value may leave out events that are not kept."""
        ...


@dataclass(frozen=True, slots=True)
class Measure:
    """A count or an aggregate, of whom there ever was such an event."""

    quantity: Quantity

    @property
    def asks(self) -> tuple[Ask, ...]:
        """The one."""
        return (self.quantity.ask,)

    def value(self, person: Traced, now: int) -> float | None:
        """What the events in the window amount to."""
        return self.quantity.measure(person, now) if self.quantity.ask.ring(person) else None

    def due(self, person: Traced, now: int) -> int | None:
        """When a mark comes in or falls out."""
        return due_by_window(self.quantity.ask, person, now)

    def capped(self, person: Traced, now: int) -> bool:
        """Whether the window may hold events that are not kept."""
        return self.quantity.capped(person, now)


@dataclass(frozen=True, slots=True)
class DaysSince:
    """Whole days since the latest event, as far as they are counted."""

    ask: Ask
    most: int

    @property
    def asks(self) -> tuple[Ask, ...]:
        """The one."""
        return (self.ask,)

    def value(self, person: Traced, now: int) -> int | None:
        """How many they are."""
        ring = self.ask.ring(person)
        return min(self.most, max(0, now - ring[-1][0]) // DAY) if ring else None

    def due(self, person: Traced, now: int) -> int | None:
        """When the next one is over."""
        days = self.value(person, now)
        return None if days is None or days == self.most else self.ask.ring(person)[-1][0] + (days + 1) * DAY

    def capped(self, person: Traced, now: int) -> bool:
        """Never."""
        return False


@dataclass(frozen=True, slots=True)
class Decaying:
    """Weights of events, each of which halves with every half-life (milliseconds)."""

    weights: tuple[tuple[Ask, float], ...]
    half_life: int
    refresh: int

    @property
    def asks(self) -> tuple[Ask, ...]:
        """One a weight."""
        return tuple(ask for ask, _ in self.weights)

    def amount(self, person: Traced, now: int) -> float | None:
        """The sum, not rounded."""
        parts = [
            weight * 0.5 ** (max(0, now - mark[0]) / self.half_life)
            for ask, weight in self.weights
            for mark in ask.ring(person)
        ]
        return fsum(parts) if parts else None

    def value(self, person: Traced, now: int) -> float | None:
        """The sum to three decimals."""
        amount = self.amount(person, now)
        return None if amount is None else round(amount, SCORE_DECIMALS)

    def due(self, person: Traced, now: int) -> int | None:
        """When it is stated anew, unless it is 0."""
        return now + self.refresh if self.value(person, now) else None

    def falls_below(self, person: Traced, now: int, threshold: float) -> int:
        """When the sum will be less than it is required to be at least, if nothing happens."""
        amount = self.amount(person, now) or 0
        return now + max(1, ceil(self.half_life * log2(amount / threshold)))

    def capped(self, person: Traced, now: int) -> bool:
        """Whether of some kind there are more events than are kept."""
        return any(len(ask.ring(person)) >= MARKS_KEPT for ask in self.asks)


@dataclass(frozen=True, slots=True)
class MostFrequent:
    """The most frequent value in a window."""

    ask: Ask

    @property
    def asks(self) -> tuple[Ask, ...]:
        """The one."""
        return (self.ask,)

    def value(self, person: Traced, now: int) -> Word | None:
        """Which it is."""
        return most_frequent(self.ask.held(person, now), person.words(self.ask.selector.key))

    def due(self, person: Traced, now: int) -> int | None:
        """When a mark comes in or falls out."""
        return due_by_window(self.ask, person, now)

    def capped(self, person: Traced, now: int) -> bool:
        """Whether the window may hold events that are not kept."""
        return Quantity("count", self.ask).capped(person, now)


@dataclass(frozen=True, slots=True)
class Tiers:
    """The highest step that another quantity reaches."""

    of: Measure | Decaying
    steps: tuple[TierStep, ...]

    @property
    def asks(self) -> tuple[Ask, ...]:
        """Those of the quantity."""
        return self.of.asks

    def value(self, person: Traced, now: int) -> str | None:
        """The name of the step."""
        step = self._reached(person, now)
        return None if step is None else step.name

    def due(self, person: Traced, now: int) -> int | None:
        """When the quantity changes; of a score, when it falls below the step."""
        if isinstance(self.of, Measure):
            return self.of.due(person, now)
        step = self._reached(person, now)
        return self.of.falls_below(person, now, step.at_least) if step and step.at_least > 0 else None

    def capped(self, person: Traced, now: int) -> bool:
        """Whether the quantity is."""
        return self.of.capped(person, now)

    def _reached(self, person: Traced, now: int) -> TierStep | None:
        amount = self.of.value(person, now) if isinstance(self.of, Measure) else self.of.amount(person, now)
        reached = (step for step in reversed(self.steps) if amount is not None and amount >= step.at_least)
        return next(reached, None)


Compiled: TypeAlias = Measure | DaysSince | Decaying | MostFrequent | Tiers


def due_by_window(ask: Ask, person: Traced, now: int) -> int | None:
    """When a mark comes into the window or falls out of it."""
    change = next_change(ask.reach, ask.ring(person), now)
    return None if change == FOREVER else change


def computation_of(definition: Definition) -> Compiled:
    """The computation of a definition; ValueError naming the field and the rule if it makes no sense."""
    match definition:
        case Recency(event=event, where=where, most_days=most):
            return DaysSince(Ask(Selector.of(CountOf(event=event, where=where)), 1, Ever()), most)
        case Favourite(window=window):
            return MostFrequent(Ask(Selector.worded_by(definition), MARKS_KEPT, reach_of(window)))
        case Tier(of=of, tiers=tiers):
            check_rising(tiers)
            return Tiers(decaying_of(of) if isinstance(of, Score) else Measure(quantity_of(of)), tiers)
        case Score():
            return decaying_of(definition)
        case CountOf() | AggregateOf():
            return Measure(quantity_of(definition))


def decaying_of(score: Score) -> Decaying:
    """The computation of a score."""
    asks = (Ask(Selector.of(CountOf(event=w.event, where=w.where)), MARKS_KEPT, Ever()) for w in score.of)
    weights = tuple(zip(asks, (weight.weight for weight in score.of), strict=True))
    return Decaying(weights, milliseconds(score.half_life_seconds), milliseconds(score.refresh_seconds))


def check_rising(tiers: Sequence[TierStep]) -> None:
    """ValueError unless each tier begins higher than the one before."""
    if any(low.at_least >= high.at_least for low, high in pairwise(tiers)):
        raise ValueError("tiers: at_least must rise from each tier to the next")

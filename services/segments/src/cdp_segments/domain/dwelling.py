"""Leaves about how long a trait has been what it is."""

from __future__ import annotations

from dataclasses import dataclass

from cdp_contracts.conditions_v1 import Trait
from cdp_contracts.sequences_v1 import Dwell
from pydantic import JsonValue

from cdp_segments.domain import quantities
from cdp_segments.domain.asking import Ask, Measured
from cdp_segments.domain.marks import Ring
from cdp_segments.domain.remedies import Remedy, trait_remedy
from cdp_segments.domain.selectors import content_key
from cdp_segments.domain.telling import moment_of
from cdp_segments.domain.trait_changes import TraitTold
from cdp_segments.domain.windows import Ago, Lately, Reach, milliseconds
from cdp_segments.domain.wording import words


@dataclass(frozen=True, slots=True)
class DwellLeaf:
    """A trait has compared like this for so long."""

    condition: Dwell
    words: str
    ask: Ask
    key: str

    @property
    def asks(self) -> tuple[Ask, ...]:
        """The one."""
        return (self.ask,)

    def since(self, person: Measured) -> Ring:
        """The mark since which it has; none if it does not."""
        return self.ask.selector.watched(self.ask.ring(person))

    def measure(self, person: Measured, now: int) -> float | None:
        """For how many seconds it has."""
        since = self.since(person)
        return (now - since[0][0]) / 1000 if since else None

    def holds(self, person: Measured, now: int) -> bool:
        """Whether that is long enough, and short enough."""
        since, reach = self.since(person), self.ask.reach
        return bool(since) and reach.after(now) < since[0][0] <= reach.upto(now)

    @property
    def threshold(self) -> JsonValue:
        """From how many seconds on, and up to how many."""
        return [self.condition.at_least_seconds, self.condition.less_than_seconds]

    def lacks(self, person: Measured, now: int) -> Remedy | None:
        """The value, or another; while it is not long enough, time."""
        trait = Trait(trait=self.condition.trait, op=self.condition.op, value=self.condition.value)
        since, holds = self.since(person), self.holds(person, now)
        if holds:
            return trait_remedy(trait, holds=True)
        if not since:
            at = moment_of(self.ask.reach.enters(now)) if self.ask.reach.delayed else None
            return Remedy(kind="trait", words=self.words if at else words(trait), at=at)
        if since[0][0] > self.ask.reach.after(now):
            return None
        return Remedy(kind="trait", words=f"{trait_remedy(trait, holds=True).words}, and then anew {self.words}")

    def capped(self, person: Measured) -> bool:
        """Whether it may have begun before the events that are kept."""
        ring = self.ask.ring(person)
        return len(ring) >= quantities.MARKS_KEPT and self.since(person) == ring[:1]


def dwell_leaf(condition: Dwell) -> DwellLeaf:
    """The leaf of a dwell; ValueError naming the field and the rule if it makes no sense."""
    selector, reach = TraitTold.of(condition), length_of(condition)
    ask = Ask(selector, quantities.MARKS_KEPT, reach, (1,))
    return DwellLeaf(condition, words(condition), ask, content_key("dwell", selector.key, repr(reach)))


def length_of(condition: Dwell) -> Reach:
    """The window that the beginning must lie in."""
    least, most = condition.at_least_seconds, condition.less_than_seconds
    if least is not None:
        if most is not None and milliseconds(most) <= milliseconds(least):
            raise ValueError("less_than_seconds must be greater than at_least_seconds")
        return Ago(milliseconds(least), None if most is None else milliseconds(most))
    if most is None:
        raise ValueError("dwell: at_least_seconds or less_than_seconds is needed")
    return Lately(milliseconds(most))

"""Leaves about one event: the first of its kind, the latest, or that it has not happened for a while."""

from __future__ import annotations

from dataclasses import dataclass

from cdp_contracts.conditions_v1 import Absence, First, Last

from cdp_segments.domain.asking import Ask, Measured
from cdp_segments.domain.remedies import Remedy, once_more
from cdp_segments.domain.selectors import FIRST_OF_ALL, Selector, content_key
from cdp_segments.domain.telling import moment_of
from cdp_segments.domain.windows import reach_of
from cdp_segments.domain.wording import events_of, words


@dataclass(frozen=True, slots=True)
class OccurrenceLeaf:
    """The first or the latest event of its kind lies in the window."""

    condition: First | Last
    words: str
    ask: Ask
    key: str

    @property
    def asks(self) -> tuple[Ask, ...]:
        """The one."""
        return (self.ask,)

    def holds(self, person: Measured, now: int) -> bool:
        """Whether there is one and it does. Of a first one only the oldest mark is kept."""
        ring, reach = self.ask.ring(person), self.ask.reach
        return bool(ring) and reach.after(now) < ring[-1][0] <= reach.upto(now)

    def lacks(self, person: Measured, now: int) -> Remedy | None:
        """One event, if there is none yet or a later one makes a difference."""
        ring, reach = self.ask.ring(person), self.ask.reach
        if ring and isinstance(self.condition, First):
            return None
        holds = self.holds(person, now)
        helps = reach.delayed if holds else not ring or ring[-1][0] <= reach.after(now)
        at = reach.enters(now) if reach.delayed and not holds else None
        return once_more(self.condition.event, events_of(self.condition), at) if helps else None


@dataclass(frozen=True, slots=True)
class AbsenceLeaf:
    """No event of its kind lies in the window, and none of any kind needs to be older than that, or one does."""

    condition: Absence
    words: str
    ask: Ask
    age: Ask | None
    key: str

    @property
    def asks(self) -> tuple[Ask, ...]:
        """One, and one more if the age matters."""
        return (self.ask,) if self.age is None else (self.ask, self.age)

    def happened(self, person: Measured, now: int) -> bool:
        """Whether one does lie in the window."""
        ring = self.ask.ring(person)
        return bool(ring) and ring[-1][0] > self.ask.reach.after(now)

    def known_for_long(self, person: Measured, now: int) -> bool:
        """Whether the first event of any kind is at least as old as the window, if that matters."""
        if self.age is None:
            return True
        ring = self.age.ring(person)
        return bool(ring) and ring[0][0] <= self.age.reach.after(now)

    def holds(self, person: Measured, now: int) -> bool:
        """Whether it has not happened."""
        return not self.happened(person, now) and self.known_for_long(person, now)

    def lacks(self, person: Measured, now: int) -> Remedy | None:
        """One event if that is absent; of somebody who has done nothing at all, any event, and then time."""
        if self.holds(person, now):
            return once_more(self.condition.event, events_of(self.condition))
        if self.age is None or self.age.ring(person) or self.happened(person, now):
            return None
        at = moment_of(self.age.reach.leaves(now))
        return Remedy(kind="events", words=f"1 event, and then none until {at.isoformat()}", count=1, at=at)


def occurrence_leaf(condition: First | Last) -> OccurrenceLeaf:
    """The leaf of a first or last event."""
    selector = Selector.first(condition) if isinstance(condition, First) else Selector.of(condition)
    reach = reach_of(condition.window)
    key = content_key(condition.kind, selector.key, repr(reach))
    return OccurrenceLeaf(condition, words(condition), Ask(selector, 1, reach, (1,)), key)


def absence_leaf(condition: Absence) -> AbsenceLeaf:
    """The leaf of an absence."""
    selector, reach = Selector.of(condition), reach_of(condition.window)
    age = Ask(FIRST_OF_ALL, 1, reach, (1,)) if condition.require_age else None
    key = content_key("absence", selector.key, repr(reach), condition.require_age)
    return AbsenceLeaf(condition, words(condition), Ask(selector, 1, reach, (1,)), age, key)

"""What a leaf asks of the marks of a selector."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Protocol

from pydantic import JsonValue

from cdp_segments.domain.marks import EMPTY, Found, Ring
from cdp_segments.domain.selectors import Selector
from cdp_segments.domain.trait_changes import TraitTold
from cdp_segments.domain.visits import Visits
from cdp_segments.domain.windows import Ever, Reach, held


class Measured(Protocol):
    """What a condition can be held against: the state of a person's record."""

    profile_id: str
    rings: dict[str, Ring]
    visits: dict[int, Visits]
    ever: set[str]
    found: dict[str, Found]

    def trait(self, path: str) -> JsonValue:
        """The value of a trait; None if it is missing."""
        ...


@dataclass(frozen=True, slots=True)
class Ask:
    """How many of the newest marks of a selector, and through which window a leaf looks at them.

    `places`, counted from the newest, are those whose leaving the window may change the truth; None: any mark's.
    With `before`, the newest mark changes nothing unless there is a later one of that selector.
    """

    selector: Selector | TraitTold
    capacity: int
    reach: Reach
    places: tuple[int, ...] | None = None
    before: str | None = None

    @property
    def clocked(self) -> bool:
        """Whether the clock alone can change what is seen."""
        return not isinstance(self.reach, Ever)

    def ring(self, person: Measured) -> Ring:
        """The marks there are."""
        return person.rings.get(self.selector.key, EMPTY)

    def held(self, person: Measured, now: int) -> Ring:
        """Those in the window."""
        return held(self.reach, self.ring(person), now)

    def instants(self, person: Measured) -> Iterator[int]:
        """When the clock alone may change the truth, in any order."""
        ring = self.selector.watched(self.ring(person))
        watched = ring if self.places is None else [ring[-k] for k in self.places if k <= len(ring)]
        for at, *_ in watched if self.clocked else ():
            yield self.reach.leaves(at)
            if self.reach.delayed:
                yield self.reach.enters(at)

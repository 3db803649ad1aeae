"""What events tell of a trait: each told value is a mark that says whether it compares as it should."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar, Final

from cdp_contracts.events_v1 import Event
from cdp_contracts.sequences_v1 import Dwell

from cdp_segments.domain.comparing import COMPARISONS, check_operand, lookup
from cdp_segments.domain.marks import EMPTY, Mark, Ring
from cdp_segments.domain.selectors import content_key

YES: Final = 1.0


@dataclass(frozen=True, slots=True)
class TraitTold:
    """Events that tell a trait. What is kept of a value is whether it compares like this."""

    key: str
    path: tuple[str, ...]
    condition: Dwell
    oldest: ClassVar = False

    @classmethod
    def of(cls, dwell: Dwell) -> TraitTold:
        """The selector of a trait's changes; ValueError naming the trait and the rule if it makes no sense."""
        check_operand(dwell.op, dwell.value, f"trait {dwell.trait}")
        return cls(content_key("told", dwell.trait, dwell.op, dwell.value), tuple(dwell.trait.split(".")), dwell)

    def accepts(self, event: Event) -> bool:
        """Whether an event tells the trait. The traits of a group call are the group's."""
        return self.path[0] in event.traits and event.type != "group"

    def mark(self, mark: Mark, event: Event) -> Mark:
        """The mark of an event that does."""
        found = COMPARISONS[self.condition.op](lookup(event.traits, self.path), self.condition.value)
        return (mark[0], mark[1], float(found))

    def watched(self, ring: Ring) -> Ring:
        """The mark since which all say yes, if the newest does: the clock looks at no other."""
        if not ring or ring[-1][-1] != YES:
            return EMPTY
        first = len(ring) - 1
        while first and ring[first - 1][-1] == YES:
            first -= 1
        return ring[first : first + 1]

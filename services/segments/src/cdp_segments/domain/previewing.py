"""How many people a condition would hold of, if it were a segment."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from cdp_contracts.conditions_v1 import Condition

from cdp_segments.domain.belonging import Truth
from cdp_segments.domain.catalog import Catalog
from cdp_segments.domain.compiling import Compiler
from cdp_segments.domain.estimating import Estimate, estimate
from cdp_segments.domain.faults import BadCondition, Fault, check_references
from cdp_segments.domain.keeping import Kept, UnknownPart, bounded, truths, unknown_parts
from cdp_segments.domain.person import Person


@dataclass(frozen=True, slots=True)
class Preview:
    """A condition ready to be held against people who are there: surely, and possibly if a part is not known."""

    unknown: tuple[UnknownPart, ...]
    surely: Truth
    possibly: Truth

    @classmethod
    def of(cls, condition: Condition, catalog: Catalog) -> Preview:
        """Compile; BadCondition if that is not possible."""
        check_references(condition, catalog.segments)
        whole = compiled(condition, catalog)
        kept = Kept.by(catalog)
        unknown = (*unknown_parts(condition, kept),)
        if not unknown:
            return cls((), whole, whole)
        surely = compiled(bounded(condition, kept, unknown=False), catalog)
        return cls(unknown, surely, compiled(bounded(condition, kept, unknown=True), catalog))


@dataclass(slots=True)
class Poll:
    """How many of those asked the condition holds of, surely and possibly."""

    preview: Preview
    now: int
    asked: int = 0
    surely: int = 0
    possibly: int = 0

    def ask(self, people: Iterable[Person]) -> None:
        """Hold more people against it, as of now or as of when they were last looked at."""
        for person in people:
            now = max(self.now, person.evaluated_at)
            self.asked += 1
            surely = self.preview.surely(person, now)
            self.surely += surely
            self.possibly += surely or (bool(self.preview.unknown) and self.preview.possibly(person, now))

    def estimates(self, population: int) -> tuple[Estimate, Estimate]:
        """What that says of everybody: surely and possibly."""
        return estimate(self.surely, self.asked, population), estimate(self.possibly, self.asked, population)


def compiled(condition: Condition, catalog: Catalog) -> Truth:
    """The condition's function; BadCondition naming the rule if it has none."""
    try:
        return Compiler(truths(catalog)).compile(condition)
    except ValueError as error:
        raise BadCondition([Fault(path="when", expected=str(error).removeprefix("when: "))]) from None

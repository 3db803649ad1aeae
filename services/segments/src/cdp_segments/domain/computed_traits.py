"""The computed traits of a tenant: definitions with their compiled computations, by what they look at."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Set
from dataclasses import dataclass
from typing import Final

from cdp_contracts.computed_v1 import ComputedTraitDefined

from cdp_segments.domain.asking import Ask
from cdp_segments.domain.computations import Compiled, computation_of
from cdp_segments.domain.selectors import content_key


@dataclass(frozen=True, slots=True, eq=False)
class ComputedTrait:
    """A definition and its computation."""

    definition: ComputedTraitDefined
    computation: Compiled
    content: str

    @property
    def name(self) -> str:
        """The name of the trait, without the namespace."""
        return self.definition.name


def compile_trait(definition: ComputedTraitDefined) -> ComputedTrait:
    """Compile a definition; ValueError naming the field and the rule if it makes no sense."""
    content = content_key(definition.model_dump(mode="json", include={"name", "version", "compute"}))
    return ComputedTrait(definition, computation_of(definition.compute), content)


class ComputedTraits:
    """The live computed traits of one tenant."""

    def __init__(self, traits: Iterable[ComputedTrait] = ()) -> None:
        live = sorted((t for t in traits if t.definition.state == "live"), key=lambda trait: trait.name)
        self.by_name: dict[str, ComputedTrait] = {trait.name: trait for trait in live}
        self.fingerprint: str = content_key(*(trait.content for trait in live)) if live else ""
        self._asking: dict[str, set[str]] = defaultdict(set)
        self.asks: tuple[Ask, ...] = tuple(ask for trait in live for ask in trait.computation.asks)
        for trait in live:
            for ask in trait.computation.asks:
                self._asking[ask.selector.key].add(trait.name)

    def looking_at(self, selectors: Set[str]) -> set[str]:
        """The names of the traits that look at marks of any of these selectors."""
        return {name for key in selectors & self._asking.keys() for name in self._asking[key]}


NO_TRAITS: Final = ComputedTraits()

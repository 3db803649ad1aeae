"""Which conditions can be held against people as they are: those whose state is kept because a live segment asks.

Of a condition with others in it only bounds can be told: what holds whatever these say, and what may.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Final, NamedTuple

from cdp_contracts.conditions_v1 import And, Bucket, Condition, Not, Or, Trait

from cdp_segments.domain.belonging import BucketLeaf, SegmentLeaf, Truth
from cdp_segments.domain.catalog import Catalog
from cdp_segments.domain.leaves import Leaf, TraitLeaf, leaf_of
from cdp_segments.domain.sessions import SessionLeaf

EVERYBODY: Final = Bucket(seed="everybody", high=1)
NOBODY: Final = Trait(trait="nothing", op="in", value=[])
NO_TRAIT: Final = "no live segment asks for this trait"
NOT_COUNTED: Final = "no live segment counts these events"
TOO_FEW: Final = "live segments keep fewer of these events than this needs"
NO_VISITS: Final = "no live segment asks for this of visits"
NOT_KEPT: Final = "nothing is kept of this"


class UnknownPart(NamedTuple):
    """A condition that cannot be known, where it stands, and why."""

    path: str
    condition: str
    why: str


@dataclass(frozen=True, slots=True)
class Kept:
    """What is kept of people because live segments ask for it: marks by selector, traits, leaves of visits."""

    marks: Mapping[str, int]
    traits: frozenset[str]
    visits: frozenset[str]

    @classmethod
    def by(cls, catalog: Catalog) -> Kept:
        """What the live segments of a tenant ask for."""
        leaves = [leaf for segment in catalog.segments.values() for leaf in segment.inner]
        marks: dict[str, int] = {}
        for ask in (ask for leaf in leaves for ask in leaf.asks):
            marks[ask.selector.key] = max(marks.get(ask.selector.key, 0), ask.capacity)
        traits = frozenset(leaf.path for leaf in leaves if isinstance(leaf, TraitLeaf))
        return cls(marks, traits, frozenset(leaf.key for leaf in leaves if isinstance(leaf, SessionLeaf)))

    def lacks(self, leaf: Leaf) -> str | None:
        """Why a leaf cannot be known of people; None if it can."""
        match leaf:
            case TraitLeaf(path=path):
                return None if path in self.traits else NO_TRAIT
            case SessionLeaf(key=key):
                return None if key in self.visits else NO_VISITS
            case SegmentLeaf() | BucketLeaf():
                return None
            case _:
                return self._lacks_marks(leaf)

    def _lacks_marks(self, leaf: Leaf) -> str | None:
        if not leaf.asks:
            return NOT_KEPT
        found = [(ask.capacity, self.marks.get(ask.selector.key, 0)) for ask in leaf.asks]
        if not all(kept for _, kept in found):
            return NOT_COUNTED
        return TOO_FEW if any(kept < wanted for wanted, kept in found) else None


def unknown_parts(condition: Condition, kept: Kept, path: str = "when") -> Iterator[UnknownPart]:
    """Every part of a condition that cannot be known of people, from left to right."""
    match condition:
        case And(of=parts) | Or(of=parts):
            for n, part in enumerate(parts):
                yield from unknown_parts(part, kept, f"{path}/of/{n}")
        case Not(of=part):
            yield from unknown_parts(part, kept, f"{path}/of")
        case _:
            leaf = leaf_of(condition)
            if why := kept.lacks(leaf):
                yield UnknownPart(path, leaf.words, why)


def bounded(condition: Condition, kept: Kept, *, unknown: bool) -> Condition:
    """The condition with `unknown` for every part that cannot be known; what is under a `not`, the opposite."""
    match condition:
        case And(of=parts):
            return And(of=tuple(bounded(part, kept, unknown=unknown) for part in parts))
        case Or(of=parts):
            return Or(of=tuple(bounded(part, kept, unknown=unknown) for part in parts))
        case Not(of=part):
            return Not(of=bounded(part, kept, unknown=not unknown))
        case _:
            if kept.lacks(leaf_of(condition)) is None:
                return condition
            return EVERYBODY if unknown else NOBODY


def truths(catalog: Catalog) -> Mapping[str, Truth]:
    """Those of the live segments, for conditions that refer to them."""
    return {name: segment.truth for name, segment in catalog.segments.items()}

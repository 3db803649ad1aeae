"""Which conditions can be held against people as they are: those whose state is kept because a live segment asks.

Of a condition with others in it only bounds can be told: what holds whatever these say, and what may.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
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


def missing(leaf: Leaf, catalog: Catalog) -> str | None:
    """Why a leaf cannot be known of people; None if it can."""
    match leaf:
        case TraitLeaf(path=path):
            parts = tuple(path.split("."))
            return None if parts in catalog.traits.get(parts[0], {}) else NO_TRAIT
        case SessionLeaf(gap=gap, key=key):
            plan = catalog.visits.get(gap)
            return None if plan and key in plan.leaves else NO_VISITS
        case SegmentLeaf() | BucketLeaf():
            return None
        case _:
            return _marks_missing(leaf, catalog)


def _marks_missing(leaf: Leaf, catalog: Catalog) -> str | None:
    if not leaf.asks:
        return NOT_KEPT
    tallies = [(ask, catalog.tallies.get(ask.selector.key)) for ask in leaf.asks]
    if any(tally is None or not tally.capacity for _, tally in tallies):
        return NOT_COUNTED
    return TOO_FEW if any(tally and tally.capacity < ask.capacity for ask, tally in tallies) else None


def unknown_parts(condition: Condition, catalog: Catalog, path: str = "when") -> Iterator[UnknownPart]:
    """Every part of a condition that cannot be known of people, from left to right."""
    match condition:
        case And(of=parts) | Or(of=parts):
            for n, part in enumerate(parts):
                yield from unknown_parts(part, catalog, f"{path}/of/{n}")
        case Not(of=part):
            yield from unknown_parts(part, catalog, f"{path}/of")
        case _:
            leaf = leaf_of(condition, truths(catalog))
            if why := missing(leaf, catalog):
                yield UnknownPart(path, leaf.words, why)


def bounded(condition: Condition, catalog: Catalog, *, unknown: bool) -> Condition:
    """The condition with `unknown` for every part that cannot be known; what is under a `not`, the opposite."""
    match condition:
        case And(of=parts):
            return And(of=tuple(bounded(part, catalog, unknown=unknown) for part in parts))
        case Or(of=parts):
            return Or(of=tuple(bounded(part, catalog, unknown=unknown) for part in parts))
        case Not(of=part):
            return Not(of=bounded(part, catalog, unknown=not unknown))
        case _:
            if missing(leaf_of(condition, truths(catalog)), catalog) is None:
                return condition
            return EVERYBODY if unknown else NOBODY


def truths(catalog: Catalog) -> Mapping[str, Truth]:
    """Those of the live segments, for conditions that refer to them."""
    return {name: segment.truth for name, segment in catalog.segments.items()}

"""What visits fulfil for good, each share for itself and all of somebody's shares together.

A share latches what its own visits fulfil, as if it were alone. Somebody with several also latches what their
visits fulfil together; of a visit that is forgotten it is kept who had a part in it, so that the latch goes when
one of those does.

What is not known after a parting: what somebody with several identifiers would have latched of forgotten visits in
which somebody else had a part. That is decided by the visits that are kept, and by what each share latched.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Final

from cdp_segments.domain.catalog import Catalog, VisitPlan
from cdp_segments.domain.person import Latch, Person
from cdp_segments.domain.shares import Share
from cdp_segments.domain.visits import Span, Visits

VISITS_KEPT: Final = 64


def latch(state: Share, plan: VisitPlan, visits: Visits, leaves: Iterable[str], spans: Iterable[Span]) -> None:
    """Note for good what no later event can take away from these visits."""
    for key in leaves:
        leaf = plan.leaves[key]
        if leaf.latches and key not in state.ever and any(leaf.fulfilled(visits, span) for span in spans):
            state.ever.add(key)


def keep_newest(state: Share, plan: VisitPlan, visits: Visits, person: Person) -> None:
    """Let go of visits beyond those kept; what they fulfil stays fulfilled."""
    old = visits.spans[:-VISITS_KEPT]
    if old:
        fulfilled = [
            (key, span) for key, leaf in plan.leaves.items() for span in old if leaf.fulfilled(visits, span)
        ]
        state.ever.update(key for key, _ in fulfilled)
        if state is person.joint and len(person.shares) > 1:
            person.latches |= {Latch(key, _who_took_part(person, plan.gap, span)) for key, span in fulfilled}
        visits.forget(len(old))


def _who_took_part(person: Person, gap: int, span: Span) -> frozenset[str]:
    shares = ((part, share.visits.get(gap)) for part, share in person.shares.items())
    return frozenset(part for part, visits in shares if visits and visits.reach(span))


def look_again(person: Person, catalog: Catalog) -> None:
    """Latch what the visits fulfil, after they or the definitions changed as a whole."""
    for share in person.shares.values():
        _look_again(share, person, catalog)
    if len(person.shares) > 1:
        latch_jointly(person, catalog)
        _look_again(person.joint, person, catalog)


def _look_again(state: Share, person: Person, catalog: Catalog) -> None:
    for gap, visits in state.visits.items():
        if plan := catalog.visits.get(gap):
            latch(state, plan, visits, plan.leaves, visits.spans)
            keep_newest(state, plan, visits, person)


def latch_jointly(person: Person, catalog: Catalog) -> None:
    """What holds of several shares because it held of some of them.

    What one of them latched for itself holds if no event of another can take it away from its visits; what a
    forgotten visit fulfilled, if all who had a part in it are still there.
    """
    rising = {key for plan in catalog.visits.values() for key, leaf in plan.leaves.items() if leaf.latches}
    person.joint.ever.update(*(share.ever & rising for share in person.shares.values()))
    person.joint.ever.update(leaf for leaf, parts in person.latches if parts <= person.shares.keys())

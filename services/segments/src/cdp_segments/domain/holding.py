"""Holding people against definitions that came into force, whether anything happens to them or not."""

from __future__ import annotations

from cdp_segments.domain.catalog import Catalog
from cdp_segments.domain.engine import pass_time
from cdp_segments.domain.flipping import take_over_definitions
from cdp_segments.domain.person import Person
from cdp_segments.domain.telling import Messages, tell_by_clock


def hold(person: Person, until: int, catalog: Catalog) -> Messages:
    """What the definitions in force flip for somebody, as of an instant; nothing if that was done.

    What the clock flipped before that comes first. Nobody is held against them whose last message may be untold:
    that is told by the timer first.
    """
    if person.fired is not None or person.into is not None:
        return ()
    changes = pass_time(person, until, catalog)
    changes += take_over_definitions(person, catalog, person.evaluated_at)
    return tell_by_clock(person, changes, until)

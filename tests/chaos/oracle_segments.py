"""Who must be in which of the demo's segments, from a person's events, as their definitions read.

Of the two with a window of time, one is of seconds (nobody is left in it once it has passed) and one of a day,
which no event of a story crosses.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Final

from tests.chaos.oracle import Person, counted_as
from tests.chaos.story import Event

DAY: Final = 24 * 3_600_000
GAP: Final = 30 * 60_000
ACTS: Final = ("track", "page", "screen")


def segments_of(person: Person) -> frozenset[str]:
    """Every segment that the person is in, once the windows of seconds have passed."""
    views = named(person.events, "Product Viewed")
    orders = named(person.events, "Order Completed")
    told = {name: value for name, (value, _, _) in person.traits.items()}
    rules = {
        "active-shoppers-24h": any(event.occurred > -DAY for event in views),
        "browses-rarely-buys": len(views) >= 20 and len(orders) <= 1,
        "cart-no-purchase": any(
            named(visit, "Product Added") and not named(visit, "Order Completed") for visit in visits(person)
        ),
        "engaged-shoppers": any(len(named(visit, "Product Viewed")) > 3 for visit in visits(person)),
        "flash-visitors": False,
        "loyal-mobile": told.get("platform") == "mobile" and told.get("lifecycle") == "loyal",
        "offer-seen": bool(named(person.events, "Flash Offer Viewed")),
        "third-view": len(views) >= 3,
    }
    return frozenset(name for name, holds in rules.items() if holds)


def named(events: Iterable[Event], name: str) -> list[Event]:
    """The tracked events of a name."""
    return [event for event in events if event.type == "track" and event.name == name]


def visits(person: Person) -> list[list[Event]]:
    """Runs of what the person did, with less than half an hour between one and the next."""
    runs: list[list[Event]] = []
    acts = [event for event in person.events if event.type in ACTS and counted_as(event) != "consent"]
    for event in sorted(acts, key=lambda event: event.occurred):
        if runs and event.occurred - runs[-1][-1].occurred < GAP:
            runs[-1].append(event)
        else:
            runs.append([event])
    return runs

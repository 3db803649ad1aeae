"""People of whom something happens, and the conditions they are held against, in few words."""

from __future__ import annotations

from cdp_segments.domain.engine import react, wake
from cdp_segments.domain.explaining import explain
from cdp_segments.domain.person import Person
from cdp_segments.domain.statuses import Come
from cdp_segments.domain.telling import Delivery, acknowledge, milliseconds_of

DAY = 86400


class Story:
    """People, a catalog, and what happens to them; the clock follows the events."""

    def __init__(self, make, *definitions, people=("ann",)):
        self.make = make
        self.catalog = make.catalog(*definitions)
        self.people = {make.person_id(name): Person(make.person_id(name)) for name in people}
        self.offset = 0

    def happens(self, *updates):
        messages = []
        for update in updates:
            self.offset += 1
            delivery = Delivery(0, self.offset, milliseconds_of(update.received_at))
            messages += react(self.people, update, delivery, self.catalog)
        return messages

    def passes(self, until, who="ann"):
        messages = wake(self.person(who), milliseconds_of(until), self.catalog)
        acknowledge(self.person(who))
        return messages

    def person(self, who="ann"):
        return self.people[self.make.person_id(who)]

    def segments(self, who="ann"):
        return set(self.person(who).members)

    def explained(self, name="s", now=None):
        segment, person = self.catalog.segments[name], self.person()
        come = Come(segment, segment, "live", None)
        return explain(come, person, self.catalog, person.evaluated_at if now is None else now)


def count(event="view", op=">=", n=1, **more):
    return {"kind": "count", "event": event, "op": op, "n": n, **more}


def sliding(seconds):
    return {"window": {"kind": "sliding", "seconds": seconds}}


def between(young, old=None):
    return {"window": {"kind": "between", "from_seconds": young, "to_seconds": old}}


def calendar(unit, **more):
    return {"window": {"kind": "calendar", "unit": unit, **more}}


SESSION = {"window": {"kind": "session"}}

"""A generated population whose truth is known: who owns which identifier, and what their events look like."""

from __future__ import annotations

import random
from dataclasses import dataclass, field
from typing import Any, Final

from cdp_contracts.events_v1 import EventPermitted
from identity_builders import permitted

NULLISH: Final = ("null", "undefined", "[object Object]", "0", "{{user.id}}", "anonymous", " ", "'None'")
NO_IDFA: Final = "00000000-0000-0000-0000-000000000000"


@dataclass
class Population:
    """Events of people who log in, log out and come back; `owner` says whose each user id and visitor id is.

    Everybody has a phone of their own. `shared` tablets pass from hand to hand; whoever logs out of one leaves its
    device id behind and gets a new visitor id.
    """

    dice: random.Random
    people: int
    shared: int = 0
    events: list[EventPermitted] = field(default_factory=list)
    owner: dict[str, int] = field(default_factory=dict)

    def live(self, sessions: int) -> list[EventPermitted]:
        """So many sessions, in the order in which they happened, copies included."""
        for number in range(sessions):
            person = self.dice.randrange(self.people)
            tablet = self.dice.randrange(self.shared) if self.shared and self.dice.random() < 0.4 else None
            self.session(number, person, tablet)
        return self.events

    def session(self, number: int, person: int, tablet: int | None) -> None:
        """Looks around, mostly logs in, and goes on; on a tablet the visitor is new each time."""
        own = f"visitor-{person}-{self.dice.randrange(3)}"
        visitor = own if tablet is None else f"visitor-on-{tablet}-{number}"
        device = f"phone-{person}" if tablet is None else f"tablet-{tablet}"
        logged_in = tablet is not None or self.dice.random() < 0.7
        self.owner[visitor] = person
        self.say(anonymous_id=visitor, context=self.context(device))
        if logged_in:
            self.owner[f"user-{person}"] = person
            said: dict[str, Any] = {"user_id": f"user-{person}", "anonymous_id": visitor}
            email = {"email": f"person{person}@shop.org"} if self.dice.random() < 0.7 else {}
            self.say(type="identify", traits=email, context=self.context(device), **said)
            self.say(context=self.context(device), **said)
        if tablet is None and self.dice.random() < 0.3:  # aliases among one's own visitor ids: circles, in time
            self.owner[other := f"visitor-{person}-{self.dice.randrange(3)}"] = person
            self.say(type="alias", user_id=f"user-{person}", previous_id=other, anonymous_id=visitor)
            self.owner[f"user-{person}"] = person
        if self.dice.random() < 0.2:
            self.say(user_id=self.dice.choice(NULLISH), anonymous_id=visitor, traits={"email": "test@test.com"})

    def context(self, device: str) -> dict[str, Any]:
        """Of a platform that sends zeros instead of an advertising id."""
        return {"device": {"id": device, "advertisingId": NO_IDFA, "adTrackingEnabled": True}}

    def say(self, **said: Any) -> None:
        """One event, sometimes twice."""
        event = permitted(len(self.events), **said)
        self.events += [event] * (2 if self.dice.random() < 0.1 else 1)

    def bomb(self, size: int) -> None:
        """One user under whom a broken client aliases whoever it sees, one by one and many at once."""
        for n in range(size):
            self.say(anonymous_id=f"stranger-{n}")
            self.say(type="alias", user_id="user-0", previous_id=f"stranger-{n}")
        external = [{"id": f"stranger-{n}", "type": "anonymous_id"} for n in range(10_000)]
        self.say(user_id="user-0", context={"externalIds": external})

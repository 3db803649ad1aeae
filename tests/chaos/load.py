"""Draws a story from a seed, such that its outcome does not hang on which of two partitions was read first.

What is left out for that reason, because the rules themselves leave it to the order of arrival:

- a refusal that names a user who has several devices (their partitions are read in any order): such a person
  refuses for one device at a time. Every device accepts or refuses for itself before its first event;
- a copy over another path, unless the event itself says yes and nobody refuses in its lane;
- choices within a batch of one request, for they share the moment at which they were received;
- a late event that says no, and Sec-GPC, which makes a state of its own out of a header of the request;
- two users on one device whose visits there are not told by the device itself, in its order.

Times lie in the last 19 hours, or more than 26 hours ago: no day passes while the story is told.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from random import Random
from typing import Any, Final, Literal

from tests.chaos.parting import parted
from tests.chaos.story import ACCEPTED, BROKEN, Event, Lane, Sending, Story

MINUTE: Final = 60_000
HOUR: Final = 60 * MINUTE
REFUSED: Final[Mapping[str, bool]] = {"Analytics": False, "Functional": False, "Advertising": False}
ESSENTIAL: Final[Mapping[str, bool]] = {"Analytics": True, "Functional": False, "Advertising": False}
CLICKS: Final = ("Product Viewed",) * 5 + ("Product Added", "Order Completed", "Search", "home", "menu")
WRONG: Final[tuple[tuple[str, Mapping[str, Any]], ...]] = (
    ("plan-required", {"name": "Order Completed", "properties": {"order_id": "x"}}),
    ("plan-one-of", {"name": "Search", "traits": {"platform": "fridge"}}),
    ("plan-range", {"name": "Order Completed", "properties": {"order_id": "x", "revenue": -1.0}}),
    ("identifier", {"name": "Search", "device": "undefined", "user": None}),
    ("event-type", {"type": "tracked", "name": "Search"}),
    ("event-name", {"name": ""}),
    ("timestamp", {"name": "Search", "occurred": 40 * 24 * HOUR}),
)


@dataclass
class Writer:
    """Writes one lane after the other. `seconds` is how long the story takes to tell."""

    rng: Random
    prefix: str
    seconds: float
    lanes: list[Lane] = field(default_factory=list)
    joined: dict[str, list[str]] = field(default_factory=dict)
    """Devices that are one person with a user, whatever is read first."""
    told: int = 0

    def message_id(self) -> str:
        """Unlike any other; their order is by chance."""
        self.told += 1
        return f"{self.prefix}{self.rng.getrandbits(24):06x}-{self.told}"

    def id(self, kind: str) -> str:
        """A new id of somebody or something."""
        self.told += 1
        return f"{self.prefix}{kind}{self.told}"

    def event(self, at: int, **what: Any) -> Event:
        """An event that happens when it is sent, unless something else is said."""
        return Event(**{"message_id": self.message_id(), "occurred": at, **what})

    def moments(self, count: int, begin: float = 0.0) -> list[int]:
        """When a lane sends, in order."""
        return sorted(int(1000 * self.seconds * self.rng.uniform(begin, 1.0)) for _ in range(count))

    def lane(self, events: list[tuple[int, Event]], path: Literal["http", "broker"] | None = None) -> None:
        """A lane out of its events: some sent twice, some several in one request."""
        path = path or ("broker" if self.rng.random() < 0.25 else "http")
        sendings: list[Sending] = []
        for at, event in events:
            last = sendings[-1] if sendings else None
            together = last and not any(e.choices or e.wrong for e in (*last.events, event))
            if last and together and self.rng.random() < 0.25:
                sendings[-1] = Sending(at, (*last.events, event))
            else:
                sendings.append(Sending(at, (event,)))
            if not event.wrong and self.rng.random() < 0.12:
                sendings.append(Sending(at + self.rng.randrange(2000), (event,)))
                sendings = in_time(sendings)
        self.lanes.append(Lane(f"{self.prefix}lane{len(self.lanes)}", path, tuple(in_time(sendings))))

    def stray(self, at: int, event: Event) -> None:
        """The same event over another path, which may be the quicker one."""
        moment = at + self.rng.randrange(500)
        self.lanes.append(Lane(f"{self.prefix}lane{len(self.lanes)}", "broker", (Sending(moment, (event,)),)))


def in_time(sendings: list[Sending]) -> list[Sending]:
    """The same order, with times that never fall: who comes behind another waits for it."""
    latest, kept = 0, []
    for sending in sendings:
        latest = max(latest, sending.at)
        kept.append(replace(sending, at=latest))
    return kept


def draw(seed: int, *, people: int = 20, seconds: float = 10.0) -> Story:
    """The story of a seed: the same every time."""
    writer = Writer(Random(f"story {seed}"), f"c{seed}-", seconds)
    kinds = (wanderer, wanderer, single, single, several, several, sharing, californian, viewer)
    for n in range(people):
        kinds[n % len(kinds)](writer)
    return parted(Story(writer.prefix, tuple(writer.lanes)), writer.joined, Random(f"parting {seed}"), seconds)


def clicks(writer: Writer, moments: list[int], **who: Any) -> list[tuple[int, Event]]:
    """What somebody does: now, or visits of long ago that are told late and in any order."""
    rng = writer.rng
    visits = [-rng.choice((3, 7, 15, 40, 90)) * HOUR for _ in range(2)]
    done: list[tuple[int, Event]] = []
    for at in moments:
        name = rng.choice(CLICKS)
        late = rng.random() < 0.6
        occurred = rng.choice(visits) + rng.randrange(60) * MINUTE if late else at
        done.append((at, writer.event(at, **click(rng, name), **{**who, "occurred": occurred})))
        if rng.random() < 0.06:
            rule, what = rng.choice(WRONG)
            done.append((at, writer.event(at, **{**who, **what, "wrong": rule})))
        if rng.random() < 0.05:
            done.append((at, writer.event(at, name="Flash Offer Viewed", **who)))
    return done


def click(rng: Random, name: str) -> dict[str, Any]:
    """The shape of an event of that name."""
    match name:
        case "home":
            return {"type": "page", "name": name}
        case "menu":
            return {"type": "screen", "name": name}
        case "Order Completed":
            order = {"order_id": "o", "revenue": float(rng.randrange(1, 99)), "currency": "EUR"}
            return {"name": name, "properties": order}
        case _:
            return {"name": name, "properties": {"platform": "mobile"}}


def traits(rng: Random) -> dict[str, str | int | None]:
    """What a login tells; a null takes a trait away."""
    drawn: dict[str, str | int | None] = {
        "platform": rng.choice(("desktop", "mobile", "tablet")),
        "lifecycle": rng.choice(("new", "loyal", "loyal", None)),
        "visits": rng.randrange(9),
    }
    return {name: value for name, value in drawn.items() if rng.random() < 0.8}


def address(rng: Random, user: str) -> str:
    """An e-mail address, in capitals or hashed by the sender."""
    plain = f"{user}@example.com"
    return rng.choice((plain, plain.upper(), hashlib.sha256(plain.encode()).hexdigest()))


def consent(writer: Writer, at: int, choices: Mapping[str, bool] | str, **who: Any) -> tuple[int, Event]:
    """A choice, as an event of its own."""
    shape = writer.rng.choice(({"type": "consent"}, {"name": "Segment Consent Preference Updated"}))
    return at, writer.event(at, choices=choices, **shape, **who)


def choosing(writer: Writer, done: list[tuple[int, Event]], **who: Any) -> list[tuple[int, Event]]:
    """Changes of mind between what somebody does, by events and by objects on events."""
    rng = writer.rng
    told = list(done)
    for _ in range(rng.randrange(1, 4)):
        place = rng.randrange(len(told) + 1)
        at = told[place][0] if place < len(told) else told[-1][0]
        choice = rng.choice((REFUSED, REFUSED, ACCEPTED, ACCEPTED, ESSENTIAL, BROKEN))
        told.insert(place, consent(writer, at, choice, **who))
    for n, (at, event) in enumerate(told):
        if event.choices is None and not event.wrong and rng.random() < 0.15:
            now = event.occurred == at
            told[n] = at, replace(event, choices=rng.choice((ACCEPTED, REFUSED)) if now else ACCEPTED)
    return told


def wanderer(writer: Writer) -> None:
    """A device that nobody logs in on; may never choose, choose late, and change its mind."""
    device = writer.id("d")
    done = clicks(writer, writer.moments(10), device=device)
    writer.lane(choosing(writer, done, device=device) if writer.rng.random() < 0.8 else done)


def single(writer: Writer) -> None:
    """A device and its user, who refuses and accepts under both ids."""
    device, user = writer.id("d"), writer.id("u")
    moments = writer.moments(14)
    cut = writer.rng.randrange(2, 8)
    before = clicks(writer, moments[:cut], device=device)
    after = clicks(writer, moments[cut:], device=device, user=user)
    login = identify(writer, moments[cut], user=user, device=device)
    told = [consent(writer, moments[0], ACCEPTED, device=device), *before, login]
    writer.joined[user] = [device]
    writer.lane([*told, *choosing(writer, after, device=device, user=user)])


def several(writer: Writer) -> None:
    """Devices that become one person by user id, by e-mail address or by an alias; each accepts by itself."""
    rng, user = writer.rng, writer.id("u")
    devices = writer.joined[user] = [writer.id("d") for _ in range(rng.randrange(2, 4))]
    for n, device in enumerate(devices):
        moments = writer.moments(8)
        first = consent(writer, moments[0], ACCEPTED, device=device)
        before = clicks(writer, moments[:3], device=device)
        known = {"device": device, "user": user} if rng.random() < 0.7 else {"device": device}
        login = identify(writer, moments[3], **known, mail=user)
        after = clicks(writer, moments[3:], **known)
        if n == 0:
            joined = {"previous": devices[1], "user": user, "device": device, "choices": ACCEPTED}
            after.insert(0, (moments[3], writer.event(moments[3], type="alias", **joined)))
        elif n > 1 and rng.random() < 0.5:  # the second device is the alias's, and its choices the first one's too
            after = [(at, replace(event, user=None)) for at, event in after]
            after = choosing(writer, after, device=device)
        elif rng.random() < 0.7:
            after = [(at, accepting(event)) for at, event in after]
            for at, event in after[:3]:
                if not event.wrong:
                    writer.stray(at, event)
        writer.lane([first, *before, login, *after])


def accepting(event: Event) -> Event:
    """The same, saying yes."""
    return replace(event, choices=ACCEPTED)


def sharing(writer: Writer) -> None:
    """Two users on one device, one of whom may have another device: the shared one stays with the first."""
    rng, device = writer.rng, writer.id("d")
    users = [writer.id("u"), writer.id("u")]
    moments = writer.moments(15)
    told = [consent(writer, moments[0], ACCEPTED, device=device)]
    if rng.random() < 0.5:
        told += clicks(writer, moments[:3], device=device)
    for user, span in zip(users, (moments[3:8], moments[8:13]), strict=True):
        told.append(identify(writer, span[0], user=user, device=device))
        told += clicks(writer, span, user=user, device=device)
        if rng.random() < 0.5:
            own = writer.id("d")
            at = writer.moments(4)
            first = consent(writer, at[0], ACCEPTED, device=own)
            writer.lane([first, *clicks(writer, at, device=own, user=user)])
    writer.lane([*told, *clicks(writer, moments[13:], device=device)])


def californian(writer: Writer) -> None:
    """Lives where what is not refused is allowed."""
    device = writer.id("d")
    told = clicks(writer, writer.moments(8), device=device)
    if writer.rng.random() < 0.5:
        told = choosing(writer, told, device=device)
    writer.lane([(at, replace(event, place="US-CA")) for at, event in told])


def viewer(writer: Writer) -> None:
    """Looks at much, all at once and in any order: a key that is busier than the others."""
    device = writer.id("d")
    moments = writer.moments(writer.rng.randrange(17, 26))
    done = [(at, writer.event(at, device=device, name="Product Viewed", choices=ACCEPTED)) for at in moments]
    late = [(at, replace(e, occurred=-20 * MINUTE * writer.rng.randrange(50))) for at, e in done[::2]]
    writer.lane(sorted([*late, *done[1::2]], key=lambda item: item[0]))


def identify(writer: Writer, at: int, mail: str | None = None, **who: Any) -> tuple[int, Event]:
    """A login, at times with an e-mail address (always, if one is given)."""
    rng = writer.rng
    told = traits(rng)
    if mail or rng.random() < 0.5:
        told["email"] = address(rng, mail or who["user"])
    return at, writer.event(at, type="identify", traits=told, **who)

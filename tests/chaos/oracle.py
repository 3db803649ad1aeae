"""What must come out, computed from the story and the rules alone.

The rules are those of the pages of the services (`services/*/README.md`), written down once more in the plainest
way: no code of a service is used here, only the words of its messages. Nothing is said about what hangs on the
clock while the story runs (the instants of flips, how often somebody entered a window of seconds, revisions and
versions by number), nor about ids that are drawn by chance.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from hashlib import sha256
from itertools import combinations
from typing import Final, Literal, TypeAlias

from tests.chaos.story import BROKEN, Event, Id, Story, Unmerge, by_time

PURPOSES: Final[Mapping[str, str]] = {
    "analytics": "Analytics", "personalization": "Functional", "marketing": "Advertising",
}  # fmt: skip
WORST: Final = ("withdrawn", "denied", "not-asked", "granted")
DELIBERATE: Final = "Segment Consent Preference Updated"
HEX: Final = re.compile(r"[0-9a-f]{64}")

Standing: TypeAlias = Literal["granted", "denied", "withdrawn", "not-asked"]


@dataclass
class Choice:
    """What stands for one id and purpose, and when that happened by the sender's clock."""

    standing: Standing
    occurred: int


@dataclass
class Consents:
    """What stands for every id."""

    standing: dict[tuple[Id, str], Choice] = field(default_factory=dict)

    def hear(self, event: Event) -> None:
        """Let what an event says stand for every id on it. Events come in the order in which they are received."""
        for purpose, category in PURPOSES.items():
            for one in event.ids:
                old = self.standing.get((one, purpose))
                new = heard(old, event, category)
                if new is not None:
                    self.standing[one, purpose] = new

    def of(self, event: Event, purpose: str) -> Standing:
        """The most restrictive of all that stands for its ids; else what holds where the person is."""
        found = {c.standing for one in concerned(event) if (c := self.standing.get((one, purpose)))}
        default: Standing = "not-asked" if event.place == "EU" else "granted"
        return min(found, key=WORST.index, default=default)


def heard(old: Choice | None, event: Event, category: str) -> Choice | None:
    """What newly stands for a purpose, by the table of the consent page; None: what stood before."""
    if event.choices is None:
        return None
    if event.choices == BROKEN:
        return Choice("not-asked", event.occurred)
    if event.choices[category]:
        deliberate = event.type == "consent" or event.name == DELIBERATE
        stale = old is not None and old.standing != "granted" and event.occurred < old.occurred
        return None if stale and not deliberate else Choice("granted", event.occurred)
    after_a_yes = old is not None and old.standing in ("granted", "withdrawn")
    return Choice("withdrawn" if after_a_yes else "denied", event.occurred)


def concerned(event: Event) -> tuple[Id, ...]:
    """Whose choices count for an event: an alias's previous id, which it does not speak for, as both kinds."""
    before = (("user_id", event.previous), ("anonymous_id", event.previous)) if event.previous else ()
    return (*event.ids, *before)


@dataclass
class People:
    """Which ids are one person: joined by events, never with two users in one, parted by requests."""

    parents: dict[Id, Id] = field(default_factory=dict)
    users: dict[Id, str] = field(default_factory=dict)
    """The user of each person that has one, by the id that stands for the person."""
    refused: set[frozenset[Id]] = field(default_factory=set)
    shared: set[Id] = field(default_factory=set)
    """Devices that two users logged in on: nobody is joined through them any more."""
    apart: set[frozenset[Id]] = field(default_factory=set)
    """Ids whose persons were parted, and never meet again."""
    parted: set[Id] = field(default_factory=set)
    """Ids that lead to whom they are now, whoever's events name them."""
    nobodys: set[str] = field(default_factory=set)
    """Events that only a shared device stands on: they are the device's own."""

    def find(self, one: Id) -> Id:
        """The id that stands for the person of an id."""
        if one not in self.parents:
            self.parents[one] = one
            if one[0] == "user_id":
                self.users[one] = one[1]
        while (parent := self.parents[one]) != one:
            one = parent
        return one

    def see(self, event: Event) -> None:
        """Join what stands on an event, in the order of priority. What would join two users stays where it is."""
        first, *others = identifiers(event)
        self.find(first)
        if first in self.shared:
            self.nobodys.add(event.message_id)
        for other in others:
            one, two = self.find(first), self.find(other)
            if one == two:
                continue
            if one in self.users and two in self.users:
                self.refused.add(frozenset((first, other)))
                self.shared |= {other} if other[0] == "anonymous_id" else set()
            elif self.are_apart(one, two) or not self.shared.isdisjoint((first, other)):
                self.refused.add(frozenset((first, other)))
            else:
                self.parents[two] = one
                self.users |= {one: self.users[two]} if two in self.users else {}

    def are_apart(self, one: Id, two: Id) -> bool:
        """Whether two persons, or what they were before, were parted."""
        return any({self.find(a), self.find(b)} == {one, two} for a, b in map(tuple, self.apart))

    def part(self, unmerge: Unmerge) -> None:
        """Make each group of devices a person, and what is left another one."""
        root = self.find(("user_id", unmerge.user))
        members = [one for one in self.parents if self.find(one) == root]
        groups = [[("anonymous_id", device) for device in group] for group in unmerge.groups]
        left = [one for one in members if not any(one in group for group in groups)]
        user = self.users.pop(root)
        for group in (left, *groups):
            self.parents |= dict.fromkeys(group, group[0])
        self.users[left[0]] = user
        self.parted.update(*groups)
        self.apart |= {frozenset(pair) for pair in combinations((left[0], *(g[0] for g in groups)), 2)}


def identifiers(event: Event) -> list[Id]:
    """Whose an event may be, by priority."""
    named = {"user_id": event.user, "email": hashed(event), "anonymous_id": event.device}
    found = [(kind, value) for kind, value in named.items() if value]
    return found + ([("anonymous_id", event.previous)] if event.previous else [])


def hashed(event: Event) -> str | None:
    """The address on an event, as its SHA-256."""
    mail = event.traits.get("email")
    if not isinstance(mail, str):
        return None
    return mail if HEX.fullmatch(mail) else sha256(mail.lower().encode()).hexdigest()


@dataclass
class Person:
    """What is known of one person."""

    events: list[Event] = field(default_factory=list)
    away: set[Id] = field(default_factory=set)
    """Ids on the person's events that were parted from it."""

    @property
    def traits(self) -> dict[str, tuple[str | int, int, str]]:
        """Value, time and message of each trait: the newest, then the greater message id; a null is none."""
        newest: dict[str, tuple[int, str, str | int | None]] = {}
        for event in self.events:
            for name, value in event.traits.items():
                told = (event.occurred, event.message_id, value)
                if name not in newest or told[:2] > newest[name][:2]:
                    newest[name] = told
        return {name: (value, at, by) for name, (at, by, value) in sorted(newest.items()) if value is not None}

    @property
    def counters(self) -> dict[str, int]:
        """Tracked events by name, all others by type."""
        return dict(sorted(Counter(counted_as(event) for event in self.events).items()))

    @property
    def seen(self) -> tuple[int, int]:
        """The first and the last time."""
        times = [event.occurred for event in self.events]
        return min(times), max(times)

    @property
    def ids(self) -> frozenset[Id]:
        """The user and device ids on the person's events."""
        return frozenset(one for event in self.events for one in event.ids)


def counted_as(event: Event) -> str:
    """A tracked choice is a consent event."""
    if event.name == DELIBERATE:
        return "consent"
    return event.name if event.type == "track" else event.type


@dataclass
class Outcome:
    """Everything that must be so in the end."""

    rejected: dict[str, str] = field(default_factory=dict)
    withheld: dict[str, Standing] = field(default_factory=dict)
    permitted: dict[str, tuple[str, ...]] = field(default_factory=dict)
    """The purposes for which each event may be used."""
    restricted_later: set[str] = field(default_factory=set)
    """Permitted events whose person said no afterwards: a copy out of a redelivery may be withheld."""
    consents: Consents = field(default_factory=Consents)
    people: People = field(default_factory=People)
    persons: dict[Id, Person] = field(default_factory=dict)


def outcome(story: Story) -> Outcome:
    """What must come of a story."""
    return come_of(by_time(story.lanes), story.unmerges, by_time(story.later))


def come_of(arrived: Iterable[Event], unmerges: Iterable[Unmerge] = (), later: Iterable[Event] = ()) -> Outcome:
    """What must come of events that arrive in this order, and are parted in between. A copy counts for nothing."""
    out = Outcome()
    allowed: list[Event] = []
    for event in judged(out, allowed, arrived):
        out.people.see(event)
    for unmerge in unmerges:
        out.people.part(unmerge)
    for event in judged(out, allowed, later):
        out.people.see(event)
    for event in allowed:
        first = identifiers(event)[0]
        root = ("device", first[1]) if event.message_id in out.people.nobodys else out.people.find(first)
        out.persons.setdefault(root, Person()).events.append(event)
    for root, person in out.persons.items():
        person.away = {one for one in person.ids & out.people.parted if out.people.find(one) != root}
    return out


def judged(out: Outcome, allowed: list[Event], arrived: Iterable[Event]) -> Sequence[Event]:
    """Which exit each event takes; those that are permitted, which are added to all that were."""
    before = len(allowed)
    for event in arrived:
        if any(event.message_id in exit_ for exit_ in (out.rejected, out.withheld, out.permitted)):
            continue
        if event.wrong:
            out.rejected[event.message_id] = event.wrong
            continue
        out.consents.hear(event)
        standing = out.consents.of(event, "analytics")
        if standing == "granted":
            purposes = tuple(p for p in PURPOSES if out.consents.of(event, p) == "granted")
            out.permitted[event.message_id] = tuple(sorted(purposes))
            allowed.append(event)
        else:
            out.withheld[event.message_id] = standing
        out.restricted_later |= taken_back(event, allowed)
    return allowed[before:]


def taken_back(event: Event, allowed: list[Event]) -> set[str]:
    """What was permitted before this event says something against it."""
    if event.choices is None or (event.choices != BROKEN and event.choices["Analytics"]):
        return set()
    return {known.message_id for known in allowed if not set(event.ids).isdisjoint(concerned(known))}

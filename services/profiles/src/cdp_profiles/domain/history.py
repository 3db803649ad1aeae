"""The values that a trait has had, each with the message that said so.

They are kept beside the records, by the part they belong to: only one record ever adds to a part, and a merge or
a parting moves parts, never what is in them. So nothing here is moved, and everything stays what it was.

A history is a join (commutative, associative, idempotent): the newest of all that was said, back to a floor. What
falls off raises the floor, and nothing at or below it is taken in again, in whatever order it comes.
"""

from __future__ import annotations

import json
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from itertools import pairwise
from typing import Final, NamedTuple, TypeAlias

from cdp_contracts.profiles_v1 import ProfileUpdated
from cdp_runtime.records import Record, State
from pydantic import JsonValue

from cdp_profiles.domain.events import person_traits
from cdp_profiles.domain.parts import ENCODER, canonical, micros
from cdp_profiles.domain.profile import Profile

HOUR: Final = 3_600_000_000

Floor: TypeAlias = tuple[int, str] | None


class Said(NamedTuple):
    """A value that a message gave a trait: when, in which message, what, and whence.

    Times are microseconds; `received_at` is 0 where it is not known yet.
    """

    at: int
    message_id: str
    text: str
    source: str
    received_at: int

    @property
    def key(self) -> tuple[int, str]:
        """What orders the values of a trait: the greater one counts."""
        return self.at, self.message_id

    @property
    def value(self) -> JsonValue:
        """The value; None where the sender took the trait away."""
        value: JsonValue = json.loads(self.text)
        return value


@dataclass(frozen=True, slots=True)
class Bounds:
    """The most that is kept of a trait on a part, and of the events of a part."""

    values: int = 32
    bytes: int = 8 * 1024
    events: int = 200
    event_bytes: int = 2 * 1024


@dataclass(frozen=True, slots=True)
class History:
    """What was said of one trait, oldest first. All of it, or all above the floor."""

    said: tuple[Said, ...] = ()
    floor: Floor = None

    def joined(self, other: History, bounds: Bounds) -> History:
        """What both know, as far back as the bounds allow."""
        floor = max((f for f in (self.floor, other.floor) if f is not None), default=None)
        known: dict[tuple[int, str], Said] = {}
        for said in (*self.said, *other.said):
            if floor is None or said.key > floor:
                known[said.key] = max(said, known.get(said.key, said))
        return _bounded(_without_repeats(sorted(known.values())), floor, bounds)

    def add(self, said: Said, bounds: Bounds) -> History:
        """This history and one more value."""
        return self if said in self.said else self.joined(History((said,)), bounds)


def _without_repeats(said: list[Said]) -> list[Said]:
    """Less the values that only say again what held, but for those of the last hour: a late one may part them."""
    if not said:
        return said
    settled = said[-1].at - HOUR
    return said[:1] + [new for old, new in pairwise(said) if new.text != old.text or new.at >= settled]


def _bounded(said: list[Said], floor: Floor, bounds: Bounds) -> History:
    size, kept = 0, len(said)
    for n, one in enumerate(reversed(said)):
        size += len(one.text.encode())
        if n >= bounds.values or size > bounds.bytes:
            kept = n
            break
    dropped = said[: len(said) - kept]
    return History(tuple(said[len(said) - kept :]), dropped[-1].key if dropped else floor)


class Chronicle(Record):
    """The histories of the traits of one part. Written again it is the same: it remembers no messages."""

    def __init__(self, id: str) -> None:  # noqa: A002  # as the record names it
        super().__init__(id)
        self.traits: dict[str, History] = {}

    def add(self, name: str, said: Said, bounds: Bounds) -> None:
        """Take in what was said of a trait."""
        before = self.traits.get(name, History())
        after = before.add(said, bounds)
        if after != before:
            self.traits[name] = after
            self.touch()

    def to_state(self) -> State:
        """See Record. One JSON text: many small values would cost the store more than they hold."""
        return {"traits": ENCODER.encode({name: [h.floor, h.said] for name, h in self.traits.items()})}

    @classmethod
    def from_state(cls, id: str, state: State) -> Chronicle:  # noqa: A002
        """See Record."""
        chronicle = cls(id)
        for name, (floor, said) in json.loads(state["traits"]).items():
            at_least = None if floor is None else (floor[0], floor[1])
            chronicle.traits[name] = History(tuple(Said(*one) for one in said), at_least)
        return chronicle


def place_of(tenant: str, profile_id: str, identifier: str = "") -> str:
    """Where a part keeps its histories and events; without an identifier, a profile its regroupings."""
    return f"{tenant}/{profile_id}/{identifier}"


def place_told(fact: ProfileUpdated) -> str:
    """The place of the part that an update tells of."""
    return place_of(fact.tenant, str(fact.profile_id), fact.part or "")


def says_traits(fact: ProfileUpdated) -> bool:
    """Whether there is anything for a history in an update."""
    return fact.event is not None and bool(person_traits(fact.event))


def note_traits(chronicles: Mapping[str, Chronicle], fact: ProfileUpdated, bounds: Bounds) -> None:
    """Take what an update says of traits into the history of its part."""
    if fact.event is not None:
        at, received = micros(fact.occurred_at), micros(fact.received_at)
        for name, value in person_traits(fact.event).items():
            said = Said(at, fact.message_id, canonical(value), fact.source or "", received)
            chronicles[place_told(fact)].add(name, said, bounds)


def places_of(profile: Profile) -> dict[str, int]:
    """The places of all parts that a profile is made of and when each was last seen, the newest first."""
    places: dict[str, int] = {}
    for key, part in profile.parts.items():
        if key.identifier not in profile.leaving:
            place = place_of(profile.tenant, key.home, key.identifier)
            places[place] = max(part.last_seen, places.get(place, part.last_seen))
    return dict(sorted(places.items(), key=lambda item: item[1], reverse=True))


def places_of_regroupings(profile: Profile) -> list[str]:
    """The places where it is kept what became one with a profile, or was parted from it."""
    return [place_of(profile.tenant, home) for home in (profile.profile_id, *sorted(profile.absorbed))]


def trait_histories(profile: Profile, chronicles: Iterable[Chronicle]) -> dict[str, Told]:
    """The history of every trait, with what the record says by now though it may not be in the chronicles yet."""
    found: dict[str, list[History]] = defaultdict(list)
    for key, part in profile.parts.items():
        for name, trait in part.traits.items() if key.identifier not in profile.leaving else ():
            found[name].append(History((Said(trait.at, trait.message_id, trait.text, trait.source, 0),)))
    for chronicle in chronicles:
        for name, history in chronicle.traits.items():
            found[name].append(history)
    return {name: told(histories) for name, histories in found.items()}


@dataclass(slots=True)
class Told:
    """The history of one trait over all parts of a person, as a reader is told it."""

    said: list[Said] = field(default_factory=list)
    floor: Floor = None

    def at(self, instant: int) -> Said | None:
        """The newest value known from before an instant, or of it."""
        return next((one for one in reversed(self.said) if one.at <= instant), None)

    def is_known(self, instant: int) -> bool:
        """Whether nothing that is not kept any more can have been newer than that."""
        held = self.at(instant)
        return self.floor is None or (held is not None and held.key > self.floor)


def told(histories: Iterable[History]) -> Told:
    """Several histories of one trait as one: each value once it came to hold, oldest first."""
    parts = list(histories)
    every = sorted({one.key: one for part in parts for one in part.said}.values())
    floor = max((part.floor for part in parts if part.floor is not None), default=None)
    return Told(list(_changes(every, floor)), floor)


def _changes(said: Iterable[Said], floor: Floor) -> Iterator[Said]:
    before: Said | None = None
    for one in said:
        first_known = floor is not None and before is not None and before.key <= floor < one.key
        if before is None or one.text != before.text or first_known:
            yield one
        before = one

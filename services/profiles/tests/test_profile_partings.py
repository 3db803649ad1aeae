"""Profiles are parted again, whatever else happens meanwhile and in whatever order it is told."""

from __future__ import annotations

import asyncio
import random
from collections import defaultdict
from dataclasses import dataclass, field

import pytest
from cdp_profiles.domain.events import part_of
from cdp_profiles.domain.history import History, Said, places_of, told, trait_histories
from cdp_profiles.domain.parts import Joined, canonical, micros
from cdp_profiles.domain.profile import Profile
from profile_scheduler import Schedule, SwitchingStore, kept_of

SCHEDULES = 1000


@dataclass
class Person:
    """Somebody as the identity service knows him: the identifiers, in order of age, and the version."""

    identifiers: list[str]
    version: int = 0


@dataclass
class Story(Schedule):
    """Identifiers come up, meet and are parted; their events and what was decided are told in any order."""

    make: object
    seed: int
    now: object
    told: list = field(default_factory=list)

    def __post_init__(self):
        self.random = random.Random(self.seed)
        self.store = SwitchingStore(self.make.pseudonyms)
        self.people: dict[str, Person] = {}
        self.into: dict[str, str] = {}
        self.events: list[tuple[str, object]] = []
        self.queue: list = []
        for n in range(self.random.randint(2, 24)):
            self.random.choices([self.appear, self.act, self.merge, self.part], [2, 5, 4, 4])[0](n)
        for identifier, event in self.events:
            if self.random.random() < 0.3:  # resolved again, when all of that has come to pass
                owner = self.make.profile_id(self.owner(identifier))
                self.queue.append(event.model_copy(update={"profile_id": owner}))
        self.queue += self.random.choices(self.queue, k=self.random.randint(0, 6)) if self.queue else []
        self.random.shuffle(self.queue)

    def owner(self, identifier):
        return next(name for name, person in self.people.items() if identifier in person.identifiers)

    def appear(self, n):
        self.people[f"p{n:02}"] = Person([f"i{n:02}"])

    def act(self, n):
        if not self.people:
            return
        owner = self.random.choice(list(self.people))
        identifier = self.random.choice(self.people[owner].identifiers)
        event = self.make.event(
            n, owner, at=self.random.randint(0, 3), part=identifier, anonymous_id=identifier,
            name=self.random.choice(["Viewed", "Bought"]), traits={self.random.choice("abc"): n},
        )  # fmt: skip
        self.events.append((identifier, event))
        self.queue.append(event)

    def merge(self, n):
        if len(self.people) < 2:
            return
        survivor, absorbed = sorted(self.random.sample(list(self.people), 2))
        gone = self.people.pop(absorbed)
        kept = self.people[survivor]
        kept.identifiers = sorted(kept.identifiers + gone.identifiers)
        kept.version = max(kept.version, gone.version)
        self.into[absorbed] = survivor
        self.queue.append(self.make.merge(survivor, absorbed))

    def part(self, n):
        several = [name for name, person in self.people.items() if len(person.identifiers) > 1]
        if not several:
            return
        name = self.random.choice(several)
        person = self.people[name]
        person.version += 1
        leaving = self.random.sample(person.identifiers[1:], self.random.randint(1, len(person.identifiers) - 1))
        half = self.random.randint(1, len(leaving))
        groups = {f"p{n:02}a": leaving[:half], f"p{n:02}b": leaving[half:]}
        groups = {new: identifiers for new, identifiers in groups.items() if identifiers}
        person.identifiers = [i for i in person.identifiers if i not in leaving]
        self.people |= {new: Person(sorted(group), person.version) for new, group in groups.items()}
        self.queue.append(self.make.unmerge(name, person.version, **groups))

    def tell(self, fact):
        self.told.append(fact)

    def expected(self, identifiers) -> Joined:
        joined = Joined()
        for identifier, event in self.events:
            if identifier in identifiers:
                joined.add(part_of(event))
        return joined

    def check(self):
        documents = self.store.records.documents
        records = {i: Profile.from_state(i, d) for i, d in documents.items()}
        for name, person in self.people.items():
            record = records.pop(self.make.record_id(name), Profile(self.make.record_id(name)))
            assert record.into is None
            assert not record.leaving
            assert record.joined == self.expected(person.identifiers), name
            assert self.heard(name) == {k: v.value for k, v in record.joined.traits.items()}, name
        for record in records.values():
            assert record.into is not None
            assert not record.parts

    async def check_histories(self):
        """Everybody has the values and the events of their own identifiers, whoever had them meanwhile."""
        self.random.shuffle(self.told)
        histories = await kept_of(self.told, self.now)
        for name, person in self.people.items():
            records = await self.store.load([self.make.record_id(name)])
            record = records[self.make.record_id(name)]
            places = places_of(record)
            chronicles = (await histories.load(places)).values()
            known = {trait: one.said for trait, one in trait_histories(record, chronicles).items()}
            theirs = [event for identifier, event in self.events if identifier in person.identifiers]
            assert known == values_said(theirs), name
            newest = sorted(((micros(event.occurred_at), event.message_id) for event in theirs), reverse=True)
            entries = await histories.newest(places, 100)
            assert sorted(((e.at, e.message_id) for e in entries), reverse=True) == newest, name

    def heard(self, name):
        """What a reader of the facts knows of a profile who keeps of each trait the newest revision."""
        known = defaultdict(lambda: (0, None))
        for fact in self.told:
            if fact.profile_id == self.make.profile_id(name):
                for trait, value in fact.traits.items():
                    known[trait] = max(known[trait], (fact.revision, value), key=lambda told: told[0])
        return {trait: value for trait, (_, value) in known.items() if value is not None}


def values_said(events):
    """The values that these events gave each trait, each once it came to hold."""
    said = defaultdict(list)
    for event in events:
        for trait, value in event.event.traits.items():
            at, received = micros(event.occurred_at), micros(event.received_at)
            said[trait].append(Said(at, event.message_id, canonical(value), event.source, received))
    return {trait: told([History(tuple(every))]).said for trait, every in said.items()}


def test_in_every_schedule_everybody_ends_with_what_is_theirs(make, noon):
    for seed in range(SCHEDULES):
        story = Story(make, seed, noon)
        try:
            story.play()
            story.check()
            asyncio.run(story.check_histories())
        except AssertionError as error:
            pytest.fail(f"schedule {seed}: {error}")

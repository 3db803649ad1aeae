"""Writers that meet, crash and start again, at every store call: the end is always the same.

Messages come in any order and more than once, and some events are
resolved a second time, to a survivor.
"""

from __future__ import annotations

import random
from dataclasses import dataclass, field

import pytest
from cdp_contracts.envelope import derived_id
from cdp_profiles.domain.events import part_of
from cdp_profiles.domain.parts import Joined
from cdp_profiles.domain.profile import Profile
from profile_scheduler import Schedule, SwitchingStore

PEOPLE = [f"person {n}" for n in range(5)]  # the oldest first
SCHEDULES = 800


@dataclass
class World(Schedule):
    """One random story, played by one random schedule."""

    make: object
    seed: int
    now: object
    told: dict = field(default_factory=dict)

    def __post_init__(self):
        self.random = random.Random(self.seed)
        self.store = SwitchingStore(self.make.pseudonyms)
        self.merges = {
            absorbed: self.random.choice(PEOPLE[:n])
            for n, absorbed in enumerate(PEOPLE)
            if n and self.random.random() < 0.7
        }
        self.events = [self.event(n) for n in range(self.random.randint(1, 8))]
        self.queue = [*self.events, *(self.make.merge(s, a) for a, s in self.merges.items())]
        self.queue += [self.resolved_again(event) for event in self.events if self.random.random() < 0.4]
        self.queue += self.random.choices(self.queue, k=self.random.randint(0, 6))
        self.random.shuffle(self.queue)

    def event(self, n):
        return self.make.event(
            n, self.random.choice(PEOPLE), at=self.random.randint(0, 3), part=self.random.choice("pq"),
            name=self.random.choice(["Viewed", "Bought"]), traits={self.random.choice("abc"): n},
        )  # fmt: skip

    def resolved_again(self, event):
        later = [name for name in PEOPLE if self.survivor(self.name_of(event)) == self.survivor(name)]
        later = [name for name in later if name <= self.name_of(event)]
        return event.model_copy(update={"profile_id": self.make.profile_id(self.random.choice(later))})

    def name_of(self, event):
        return next(name for name in PEOPLE if self.make.profile_id(name) == event.profile_id)

    def survivor(self, name):
        while name in self.merges:
            name = self.merges[name]
        return name

    def tell(self, fact):
        before = self.told.setdefault((fact.id, fact.profile_id), fact)
        if fact.cause == "event":
            assert fact == before, "told again in other words"
        else:
            assert (fact.revision, fact.absorbed) == (before.revision, before.absorbed)
            assert fact.traits.keys() == before.traits.keys()

    def expected(self, survivor) -> Joined:
        joined = Joined()
        for event in self.events:
            if self.survivor(self.name_of(event)) == survivor:
                joined.add(part_of(event))
        return joined

    def check(self):
        documents = self.store.records.documents
        people = {i: Profile.from_state(i, d) for i, d in documents.items()}
        for name in PEOPLE:
            profile = people.get(self.make.record_id(name), Profile(self.make.record_id(name)))
            if name in self.merges:
                assert profile.into is not None
                assert (profile.parts, documents[profile.id]["recent"]) == ({}, "[]")
            else:
                assert profile.into is None
                assert profile.joined == self.expected(name)
        revisions = [(fact.profile_id, fact.revision) for fact in self.told.values()]
        assert len(set(revisions)) == len(revisions), "two facts of one revision"
        causes = {
            message.id for message in (*self.events, *map(self.make.merge, self.merges.values(), self.merges))
        }
        assert {fact.id for fact in self.told.values()} == {derived_id(i, "profile-updated") for i in causes}


def test_every_schedule_ends_the_same(make, noon):
    for seed in range(SCHEDULES):
        world = World(make, seed, noon)
        try:
            world.play()
            world.check()
        except AssertionError as error:
            pytest.fail(f"schedule {seed}: {error}")

"""What the matcher knows of people follows them, whatever is merged and parted, in whatever order it is told."""

from __future__ import annotations

import random
from dataclasses import dataclass, field
from itertools import combinations
from typing import Any

import pytest
from cdp_contracts.matches_v1 import MatchDecided, MatchProposed
from cdp_identity.matcher.entries import Entry
from cdp_identity.matcher.matcher import Matcher
from cdp_identity.matcher.pairs import Pair, pair_id
from cdp_identity.matcher.telling import Rules, told_by
from cdp_identity.matching.blocking import keys_of
from identity_builders import PSEUDONYMS
from matcher_builders import ADA, START, identified, identifier, merged, profile, unmerged
from matcher_scheduler import Schedule, switching_store

SCHEDULES = 300
FOUND = (325, 562)
"""Schedules of which one lost a pair, and one by what a part is found, before both were mended."""
RULES = Rules(frozenset({"personalization"}), {"*": "GB"})


@dataclass
class Person:
    """Somebody as the resolver knows him: the identifiers, in order of age, and the version."""

    identifiers: list[str]
    version: int = 0


@dataclass
class Story(Schedule):
    """Identifiers come up, meet and are parted; what people tell of themselves and that is told in any order."""

    seed: int
    said: dict[Any, Any] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self.random = random.Random(self.seed)
        self.store, seen = switching_store()
        self.matcher = Matcher(seen, RULES, PSEUDONYMS)
        self.now = START
        self.people: dict[str, Person] = {}
        self.into: dict[str, str] = {}
        self.twice: set[str] = set()
        self.told: dict[str, Any] = {}
        self.apart: list[tuple[str, ...]] = []
        self.queue = []
        for n in range(self.random.randint(2, 20)):
            self.random.choices([self.appear, self.act, self.merge, self.part], [2, 5, 4, 4])[0](n)
        for event in [event for event in self.queue if hasattr(event, "event")]:
            if self.random.random() < 0.3:  # resolved again, when all of that has come to pass
                owner = next(n for n, p in self.people.items() if event.part in map(identifier, p.identifiers))
                self.queue.append(event.model_copy(update={"profile_id": profile(owner)}))
                self.twice.add(event.message_id)
        self.queue += self.random.choices(self.queue, k=self.random.randint(0, 5)) if self.queue else []
        self.random.shuffle(self.queue)

    def appear(self, n: int) -> None:
        self.people[f"p{n:02}"] = Person([f"i{n:02}"])

    def act(self, n: int) -> None:
        if self.people:
            owner = self.random.choice(list(self.people))
            self.identify(n, owner, self.random.choice(self.people[owner].identifiers), f"{n}@example.org")

    def identify(self, n: int, owner: str, name: str, email: str) -> None:
        event = identified(n, owner, {**ADA, "email": email}, part=name)
        self.told[name] = event
        self.queue.append(event)

    def merge(self, n: int) -> None:
        if len(self.people) > 1:
            survivor, absorbed = sorted(self.random.sample(list(self.people), 2))
            kept, gone = self.people[survivor], self.people.pop(absorbed)
            kept.identifiers = sorted(kept.identifiers + gone.identifiers)
            kept.version = max(kept.version, gone.version)
            self.into[absorbed] = survivor
            self.queue.append(merged(n, survivor, absorbed))

    def part(self, n: int) -> None:
        several = [name for name, person in self.people.items() if len(person.identifiers) > 1]
        if not several:
            return
        name = self.random.choice(several)
        person = self.people[name]
        person.version += 1
        leaving = self.random.sample(person.identifiers[1:], self.random.randint(1, len(person.identifiers) - 1))
        half = self.random.randint(1, len(leaving))
        groups = {
            new: ids for new, ids in {f"p{n:02}a": leaving[:half], f"p{n:02}b": leaving[half:]}.items() if ids
        }
        person.identifiers = [i for i in person.identifiers if i not in leaving]
        self.people |= {new: Person(sorted(ids), person.version) for new, ids in groups.items()}
        self.apart.append((name, *groups))
        self.queue.append(unmerged(n, name, person.version, **groups))

    def tell(self, fact: Any) -> None:
        known = self.said.setdefault(fact.id, fact)
        assert known == fact or fact.message_id in self.twice, "told again in other words"
        if isinstance(fact, MatchDecided) and self.random.random() < 0.5:
            self.queue.append(fact)

    def live(self, name: str) -> str:
        while name in self.into:
            name = self.into[name]
        return name

    def kept_apart(self) -> set[frozenset[str]]:
        """Who was parted and is not one person again, as they are called now."""
        return {
            frozenset((self.live(one), self.live(other)))
            for parted in self.apart
            for one, other in combinations(parted, 2)
            if self.live(one) != self.live(other)
        }

    def check(self) -> None:
        entries = {i: Entry.from_state(i, s) for i, s in self.store.entries.documents.items()}  # type: ignore[attr-defined]
        for name, person in self.people.items():
            entry = entries.pop(f"acme/{profile(name)}", Entry(f"acme/{profile(name)}"))
            assert entry.into is None
            told = {i: told_by(self.told[i], RULES, PSEUDONYMS) for i in person.identifiers if i in self.told}
            assert entry.told == {identifier(name): said for name, said in told.items()}, name
            keys = {
                f"acme/{PSEUDONYMS.of('acme', 'match-key', key)}"
                for record in entry.records().values()
                for key in keys_of(record)
            }
            assert entry.keys == keys, name
            for key in keys:  # who lost a race may have left somebody else there, who is not found by it any more
                assert entry.id in self.store.blocks.documents[key]["members"], name  # type: ignore[attr-defined]
        for entry in entries.values():
            assert entry.into is not None
            assert not entry.told
            assert not entry.keys

    def check_proposals(self) -> None:
        """Everybody tells the same: all are proposed to each other, but who was parted."""
        self.check()
        known = {fact.id for fact in self.said.values()}
        for n, (name, person) in enumerate(sorted(self.people.items())):
            for m, one in enumerate(person.identifiers):
                self.identify(1000 + 10 * n + m, name, one, "everybody@example.org")
        self.play()
        self.check()
        apart = {frozenset(map(profile, pair)) for pair in self.kept_apart()}
        new = [fact for fact in self.said.values() if fact.id not in known and isinstance(fact, MatchProposed)]
        assert not [fact for fact in new if frozenset((fact.profile_id, fact.other)) in apart]
        pairs = {i: Pair.from_state(i, s) for i, s in self.store.pairs.documents.items()}  # type: ignore[attr-defined]
        for one, other in combinations(map(profile, self.people), 2):
            asked = pairs.get(pair_id("acme", str(one), str(other)))
            assert (asked is not None and asked.status is not None) or frozenset((one, other)) in apart


def test_in_every_schedule_all_that_is_known_of_people_ends_with_them() -> None:
    for seed in (*range(SCHEDULES), *FOUND):
        story = Story(seed)
        try:
            story.play()
            story.check_proposals()
        except AssertionError as error:
            pytest.fail(f"schedule {seed}: {error}")

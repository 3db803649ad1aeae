"""Whatever happens to a person, in whatever order, they are in a segment if and only if its condition holds.

The engine (compiled, indexed, incremental) is held against the plain reading of the same condition over the whole
history, after every step of a random life: late and repeated events, traits, the clock, a merge, a reload.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any
from uuid import UUID, uuid5

import bson
import pytest
from cdp_contracts.conditions_v1 import Condition
from cdp_contracts.definitions_v1 import SegmentDefined
from cdp_contracts.events_v1 import Event
from cdp_contracts.profiles_v1 import ProfileUpdated
from cdp_contracts.segments_v1 import MembershipChanged
from cdp_segments.domain import quantities
from cdp_segments.domain.catalog import Catalog
from cdp_segments.domain.engine import mark_of, react, wake
from cdp_segments.domain.moving import release
from cdp_segments.domain.person import Person, person_id
from cdp_segments.domain.reference import Happening, History, holds
from cdp_segments.domain.segments import compile_segment
from cdp_segments.domain.telling import Delivery, acknowledge, forget_acknowledged, milliseconds_of, moment_of
from hypothesis import given, settings
from hypothesis import strategies as st
from random_conditions import conditions, downwards, events, trait_values

SPACE = UUID(int=7)
ELDER, YOUNGER = uuid5(SPACE, "elder"), uuid5(SPACE, "younger")
START = 1_700_000_000_000


@dataclass(frozen=True)
class Step:
    what: str
    younger: bool
    passes: int
    late: int
    event: Event
    traits: dict[str, Any]
    again: int


KINDS = ["event"] * 8 + ["traits", "traits", "again", "again", "merge", "reload", "commit"]
steps = st.builds(
    Step,
    what=st.sampled_from(KINDS),
    younger=st.booleans(),
    passes=st.sampled_from([0, 0, 1, 499, 500, 500, 1000, 1500, 7_200_000, 86_400_000]),
    late=st.sampled_from([0, 0, 0, 500, 500, 1000, 1500, 7_200_000]),
    event=events,
    traits=trait_values,
    again=st.integers(0, 30),
)


@dataclass
class Life:
    """Two devices, the engine that watches them, and everything that ever happened."""

    catalog: Catalog
    now: int = START
    people: dict[str, Person] = field(
        default_factory=lambda: {i: Person(i) for i in map(record, (ELDER, YOUNGER))}
    )
    updates: list[ProfileUpdated] = field(default_factory=list)
    happenings: dict[str, list[Happening]] = field(
        default_factory=lambda: {record(ELDER): [], record(YOUNGER): []}
    )
    traits: dict[str, dict[str, Any]] = field(default_factory=lambda: {record(ELDER): {}, record(YOUNGER): {}})
    told: list[MembershipChanged] = field(default_factory=list)
    offset: int = 0
    merged: bool = False

    def take(self, step: Step) -> None:
        self.now += step.passes
        addressed = YOUNGER if step.younger else ELDER
        match step.what:
            case "event":
                self._happen(addressed, step)
            case "traits":
                self._learn(addressed, step.traits)
            case "again" if self.updates:
                self._deliver(self.updates[step.again % len(self.updates)])
            case "merge" if not self.merged:
                self._merge()
            case "commit":
                forget_acknowledged(self.people.values(), {0: self.offset + 1})
            case "reload":
                self.people = {i: reloaded(person) for i, person in self.people.items()}
        for person in self.people.values():
            self._hear(wake(person, self.now, self.catalog))
            acknowledge(person)

    def _happen(self, addressed: UUID, step: Step) -> None:
        update = self._update(addressed, event=step.event, late=step.late)
        home = record(ELDER if self.merged else addressed)
        self.happenings[home].append(happening(update))
        self._deliver(update)

    def _learn(self, addressed: UUID, traits: dict[str, Any]) -> None:
        home = ELDER if self.merged else addressed
        self.traits[record(home)] |= traits
        update = self._update(home, traits=traits, event=Event(type="identify", name="identify", traits=traits))
        self.happenings[record(home)].append(happening(update))
        self._deliver(update)

    def _merge(self) -> None:
        elder, younger = record(ELDER), record(YOUNGER)
        news = {name: value for name, value in self.traits[younger].items() if name not in self.traits[elder]}
        self.traits[elder] |= news
        self.happenings[elder] += self.happenings.pop(younger)
        self.merged = True
        self._deliver(self._update(ELDER, traits=news, absorbed=YOUNGER, cause="merge"))

    def _update(self, profile: UUID, *, late: int = 0, **fields: Any) -> ProfileUpdated:
        number = len(self.updates) + 1
        update = ProfileUpdated(
            tenant="demo", id=uuid5(SPACE, str(number)), message_id=f"m{number}", profile_id=profile,
            occurred_at=moment_of(self.now - late), received_at=moment_of(self.now), revision=number,
            **{"cause": "event", **fields},
        )  # fmt: skip
        self.updates.append(update)
        return update

    def _deliver(self, update: ProfileUpdated) -> None:
        self.offset += 1
        delivery = Delivery(partition=0, offset=self.offset, at=self.now)
        self._hear(react(self.people, update, delivery, self.catalog))
        release(self.people.values())

    def _hear(self, messages: Iterable[MembershipChanged]) -> None:
        """Whatever is foreseen must be the first moment at which the condition no longer holds."""
        for message in messages:
            if message in self.told:
                continue
            self.told.append(message)
            history = self._history(record(message.profile_id))
            for name, membership in message.memberships.items():
                if membership.expires_at and message.computed_at == moment_of(self.now):
                    when = self.catalog.segments[name].definition.when
                    ends = milliseconds_of(membership.expires_at)
                    assert [holds(when, history, ends - 1), holds(when, history, ends)] == [True, False]

    def expected(self, segment: SegmentDefined) -> dict[str, bool]:
        return {home: holds(segment.when, self._history(home), self.now) for home in self.happenings}

    def _history(self, home: str) -> History:
        others = {name: segment.definition.when for name, segment in self.catalog.segments.items()}
        return History(self.happenings.get(home, ()), self.traits[home], home.partition("/")[2], others)


def happening(update: ProfileUpdated) -> Happening:
    assert update.event
    return Happening(update.message_id, milliseconds_of(update.occurred_at), update.event, mark_of(update)[1])


def record(profile: UUID) -> str:
    return person_id("demo", profile)


def reloaded(person: Person) -> Person:
    copy = Person.from_state(person.id, bson.decode(bson.encode(person.to_state())))
    copy.rev = person.rev + 1
    return copy


def define(name: str, when: Condition) -> SegmentDefined:
    return SegmentDefined(tenant="demo", name=name, title=name, when=when)


@settings(max_examples=400, deadline=None)
@given(conditions=st.lists(conditions, min_size=1, max_size=4), life=st.lists(steps, min_size=5, max_size=30))
def test_membership_is_the_truth_of_the_condition(conditions: list[Condition], life: list[Step]) -> None:
    check_truth(conditions, life)


@settings(max_examples=150, deadline=None)
@given(conditions=st.lists(conditions, min_size=1, max_size=4), life=st.lists(steps, min_size=5, max_size=30))
def test_of_more_events_than_are_kept_the_newest_count(conditions: list[Condition], life: list[Step]) -> None:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(quantities, "MARKS_KEPT", 3)
        check_truth(conditions, life)


def check_truth(conditions: list[Condition], life: list[Step]) -> Life:
    definitions = [define(f"s{n}", downwards(condition, n)) for n, condition in enumerate(conditions)]
    lived = Life(Catalog(compile_segment(definition) for definition in definitions))
    begun: set[str] = set()
    for step in life:
        lived.take(step)
        begun |= {record(u.profile_id) for u in lived.updates} | ({record(ELDER)} if lived.merged else set())
        for definition in definitions:
            for home, expected in lived.expected(definition).items():
                if home in begun:
                    assert (definition.name in lived.people[home].members) is expected, (definition.name, step)
    assert lived.people[record(YOUNGER)].members == {} or not lived.merged
    check_told(lived)
    return lived


def check_told(lived: Life) -> None:
    """Versions rise by one, changes alternate, and folding the changes gives the map that was sent."""
    for home, person in lived.people.items():
        messages = {m.version: m for m in lived.told if record(m.profile_id) == home}
        assert sorted(messages) == list(range(1, person.version + 1))
        members: set[str] = set()
        for version in sorted(messages):
            for change in messages[version].changes:
                assert (change.segment in members) is not change.member
                members ^= {change.segment}
            assert members == messages[version].memberships.keys()
        assert members == person.members.keys()

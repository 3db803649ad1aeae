"""Whatever happens to a person, in whatever order, their computed traits are what their whole history says.

The evaluator's decisions (incremental, by timers) are held against the plain reading of the same definitions after
every step of a random life: late and repeated events, the clock, a merge, a reload.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any
from uuid import uuid5

from cdp_contracts.computed_v1 import (
    Computation,
    ComputedTraitDefined,
    Favourite,
    Recency,
    Score,
    Tier,
    TierStep,
    TraitsComputed,
    Weight,
)
from cdp_contracts.profiles_v1 import ProfileUpdated
from cdp_segments.domain.catalog import Catalog
from cdp_segments.domain.computed_traits import ComputedTraits, compile_trait
from cdp_segments.domain.computing import compute, compute_by_clock
from cdp_segments.domain.engine import mark_of, react, wake
from cdp_segments.domain.moving import release
from cdp_segments.domain.person import Person
from cdp_segments.domain.reference import Happening
from cdp_segments.domain.telling import Delivery, acknowledge, milliseconds_of, moment_of
from computed_reference import plain
from hypothesis import given, settings
from hypothesis import strategies as st
from random_conditions import measurables, names, timed, wheres
from test_segments_truth import ELDER, SPACE, START, YOUNGER, Step, record, reloaded, steps

properties = st.sampled_from(["kind", "kind", "amount", "price.net"])
weights = st.builds(Weight, event=names, where=wheres, weight=st.sampled_from([0.5, 1, 3]))
scores = st.builds(
    Score,
    of=st.lists(weights, min_size=1, max_size=2).map(tuple),
    half_life_seconds=st.sampled_from([60, 7200]),
    refresh_seconds=st.sampled_from([60, 3600]),
)
tiers = st.lists(st.sampled_from([-1, 0, 0.3, 1, 2, 3.5]), min_size=1, max_size=3, unique=True).map(
    lambda steps: tuple(TierStep(name=f"t{at}", at_least=at) for at in sorted(steps))
)
computations = st.one_of(
    measurables,
    st.builds(Recency, event=names, where=wheres, most_days=st.sampled_from([1, 2, 365])),
    scores,
    st.builds(Favourite, event=names, property=properties, where=wheres, window=timed),
    st.builds(Tier, of=st.one_of(measurables, scores), tiers=tiers),
)


@dataclass
class Life:
    """Two devices, what is computed of them, and everything that ever happened."""

    catalog: Catalog
    now: int = START
    people: dict[str, Person] = field(
        default_factory=lambda: {i: Person(i) for i in map(record, (ELDER, YOUNGER))}
    )
    updates: list[ProfileUpdated] = field(default_factory=list)
    happenings: dict[str, list[Happening]] = field(
        default_factory=lambda: {record(ELDER): [], record(YOUNGER): []}
    )
    told: list[TraitsComputed] = field(default_factory=list)
    offset: int = 0
    merged: bool = False

    def take(self, step: Step) -> None:
        self.now += step.passes
        match step.what:
            case "event":
                addressed = YOUNGER if step.younger else ELDER
                update = self._update(addressed, event=step.event, late=step.late)
                home = record(ELDER if self.merged else addressed)
                happening = Happening(update.message_id, self.now - step.late, step.event, mark_of(update)[1])
                self.happenings[home].append(happening)
                self._deliver(update)
            case "again" if self.updates:
                self._deliver(self.updates[step.again % len(self.updates)])
            case "merge" if not self.merged:
                self.happenings[record(ELDER)] += self.happenings.pop(record(YOUNGER))
                self.merged = True
                self._deliver(self._update(ELDER, absorbed=YOUNGER, cause="merge"))
            case "commit":
                for person in self.people.values():
                    person.computed.forget_before({0: self.offset + 1})
            case "reload":
                self.people = {i: reloaded(person) for i, person in self.people.items()}
        for person in self.people.values():
            wake(person, self.now, self.catalog)
            first = compute_by_clock(person, self.now, self.catalog)
            assert compute_by_clock(person, self.now, self.catalog) == first  # killed before it was told
            self.told += first
            acknowledge(person)

    def _update(self, profile, *, late: int = 0, **fields: Any) -> ProfileUpdated:
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
        react(self.people, update, delivery, self.catalog)
        self.told += compute(self.people, update, delivery, self.catalog)
        release(self.people.values())


def define(name: str, how: Computation) -> ComputedTraitDefined:
    return ComputedTraitDefined(tenant="demo", name=name, title=name, compute=how)


@settings(max_examples=400, deadline=None)
@given(hows=st.lists(computations, min_size=1, max_size=4), life=st.lists(steps, min_size=5, max_size=30))
def test_a_computed_trait_is_what_the_whole_history_says(hows: list[Computation], life: list[Step]) -> None:
    definitions = {f"t{n}": how for n, how in enumerate(hows)}
    traits = ComputedTraits(compile_trait(define(name, how)) for name, how in definitions.items())
    lived = Life(Catalog().compute(traits))
    for step in life:
        lived.take(step)
        for home, happenings in lived.happenings.items():
            stated = lived.people[home].computed.stated
            for name, how in definitions.items():
                said = stated.get(name)
                at = said.at if said and said.value and isinstance(how, Score) else lived.now
                assert (said and said.value) == plain(how, happenings, at), (name, how)
                if said and isinstance(how, Score) and said.value:
                    assert lived.now - said.at < how.refresh_seconds * 1000 or said.due > lived.now
    assert not lived.merged or lived.people[record(YOUNGER)].computed.stated == {}
    check_told(lived)


def check_told(lived: Life) -> None:
    """Versions rise by one, what is told again is the same, each says something new, and the last says it all."""
    for home, person in lived.people.items():
        messages: dict[int, TraitsComputed] = {}
        for message in lived.told:
            if record(message.profile_id) == home:
                assert messages.setdefault(message.version, message) == message
        assert sorted(messages) == list(range(1, person.computed.version + 1))
        said = [messages[version].traits for version in sorted(messages)]
        assert all(one != other for one, other in zip([{}, *said], said, strict=False))
        computed_at = [messages[version].computed_at for version in sorted(messages)]
        assert computed_at == sorted(computed_at)
        if said and person.into is None:
            told = {name: (trait.value, milliseconds_of(trait.at)) for name, trait in said[-1].items()}
            values = {n: (s.value, s.at) for n, s in person.computed.stated.items() if s.value is not None}
            assert told == values

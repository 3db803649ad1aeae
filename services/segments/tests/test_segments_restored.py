"""Two who were taken for one person and are parted again are what they would be had they never met.

Byte for byte: what is counted, the visits, what stays fulfilled, and the segments they are in.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from uuid import UUID, uuid5

import pytest
from cdp_contracts.conditions_v1 import Condition
from cdp_contracts.events_v1 import Event
from cdp_contracts.identities_v1 import Parting
from cdp_contracts.profiles_v1 import ProfileUpdated
from cdp_segments.domain import latching
from cdp_segments.domain.catalog import Catalog
from cdp_segments.domain.engine import react, wake
from cdp_segments.domain.moving import release
from cdp_segments.domain.person import Person
from cdp_segments.domain.segments import compile_segment
from cdp_segments.domain.telling import Delivery, acknowledge, moment_of
from hypothesis import given, settings
from hypothesis import strategies as st
from random_conditions import conditions, downwards, events, impersonal
from test_segments_truth import ELDER, SPACE, START, YOUNGER, define, record, reloaded

NEW = uuid5(SPACE, "new")
PARTS = {"x1": "1" * 32, "x2": "2" * 32, "y": "3" * 32}


@dataclass(frozen=True)
class Act:
    part: str
    event: Event
    passes: int
    late: int


acts = st.builds(
    Act,
    part=st.sampled_from(["x1", "x1", "x2", "y", "y"]),
    event=events,
    passes=st.sampled_from([0, 1, 499, 500, 500, 1000, 1500, 3000, 86_400_000]),
    late=st.sampled_from([0, 0, 0, 500, 1500]),
)
lives = st.lists(st.lists(acts, max_size=8), min_size=4, max_size=4)


@dataclass
class Life:
    """What happens to two people, whether they meet or not; one event more is one position more in the topic."""

    catalog: Catalog
    people: dict[str, Person] = field(
        default_factory=lambda: {i: Person(i) for i in map(record, (ELDER, YOUNGER, NEW))}
    )
    now: int = START
    number: int = 0

    def act(self, owners: dict[str, UUID], part: Iterable[Act]) -> None:
        for act in part:
            self.now += act.passes
            self._take(owners[act.part], event=act.event, part=PARTS[act.part], late=act.late)

    def merge(self, absorbed: UUID) -> None:
        self._take(ELDER, cause="merge", absorbed=absorbed)

    def part(self) -> None:
        partings = (Parting(profile_id=NEW, identifiers=(PARTS["y"],)),)
        self._take(ELDER, cause="merge", partings=partings, parting_version=1)
        self._take(NEW, cause="merge")

    def _take(self, profile: UUID, late: int = 0, **fields) -> None:
        self.number += 1
        update = ProfileUpdated(
            tenant="demo", id=uuid5(SPACE, str(self.number)), message_id=f"m{self.number}", profile_id=profile,
            occurred_at=moment_of(self.now - late), received_at=moment_of(self.now), revision=self.number,
            **{"cause": "event", **fields},
        )  # fmt: skip
        react(self.people, update, Delivery(0, self.number, self.now), self.catalog)
        release(self.people.values())
        self.people = {i: reloaded(person) for i, person in self.people.items()}

    def skip(self, updates: int) -> None:
        self.number += updates

    def shown(self, profile: UUID):
        person = self.people[record(profile)]
        wake(person, self.now, self.catalog)
        acknowledge(person)
        state = person.joint.to_state()
        state["visits"] = {visits["gap"]: visits for visits in state["visits"]}
        return state, person.members.keys()


def apart_again(segments: list[Condition], life: list[list[Act]], *, twice: bool) -> tuple[Life, Life, Life]:
    """Those who met, those who did not, and those who met for good."""
    catalog = Catalog(
        compile_segment(define(f"s{n}", impersonal(downwards(condition, n))))
        for n, condition in enumerate(segments)
    )
    met, never, forever = Life(catalog), Life(catalog), Life(catalog)
    one = dict.fromkeys(PARTS, ELDER)
    before, parted = one | {"y": YOUNGER}, one | {"y": NEW}
    everybody = (met, never, forever)
    for each in everybody:
        each.act(before, life[0])
    met.merge(YOUNGER), never.skip(1), forever.merge(YOUNGER)
    for each, owners in zip(everybody, (one, before, one), strict=True):
        each.act(owners, life[1])
    met.part(), never.skip(2), forever.skip(2)
    for each, owners in zip(everybody, (parted, before, one), strict=True):
        each.act(owners, life[2])
    if twice:
        met.merge(NEW), never.skip(1), forever.skip(1)
        for each, owners in zip(everybody, (one, before, one), strict=True):
            each.act(owners, life[3])
    return everybody


def without(part: str, life: list[list[Act]]) -> list[list[Act]]:
    return [[act for act in chapter if act.part != part] for chapter in life]


segments = st.lists(conditions, min_size=1, max_size=4)


@settings(max_examples=100, deadline=None)
@given(segments=segments, life=lives)
def test_who_is_parted_again_is_as_if_they_had_never_met(segments: list[Condition], life: list[list[Act]]) -> None:
    check_restored(segments, life)


def check_restored(segments: list[Condition], life: list[list[Act]]) -> None:
    met, never, _ = apart_again(segments, life, twice=False)
    acted = {act.part for chapter in life[:3] for act in chapter}
    if acted - {"y"}:
        assert met.shown(ELDER) == never.shown(ELDER)
    if "y" in acted:
        assert met.shown(NEW) == never.shown(YOUNGER)


@settings(max_examples=100, deadline=None)
@given(segments=segments, life=lives, kept=st.integers(1, 3))
def test_nor_does_it_matter_what_was_forgotten_meanwhile(
    segments: list[Condition], life: list[list[Act]], kept: int
) -> None:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(latching, "VISITS_KEPT", kept)
        check_restored(segments, without("x2", life))


@settings(max_examples=100, deadline=None)
@given(segments=segments, life=lives)
def test_who_meets_again_is_as_if_they_had_never_been_parted(
    segments: list[Condition], life: list[list[Act]]
) -> None:
    met, _, forever = apart_again(segments, life, twice=True)
    assert met.shown(ELDER) == forever.shown(ELDER)

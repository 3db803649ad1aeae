"""The parts of the chaos suite that only compute: what is drawn, and what must come of it."""

from __future__ import annotations

from collections.abc import Iterable
from random import Random

import pytest

from tests.chaos.faults import schedule
from tests.chaos.load import draw
from tests.chaos.oracle import Outcome, come_of, outcome
from tests.chaos.oracle_segments import segments_of
from tests.chaos.story import ACCEPTED, Event, Lane, Unmerge

SEEDS = range(20)


def shuffled(lanes: Iterable[Lane], rng: Random) -> list[Event]:
    """Some order of arrival that leaves each lane in its own order."""
    waiting = [list(lane.events()) for lane in lanes]
    arrived: list[Event] = []
    while waiting := [lane for lane in waiting if lane]:
        arrived.append(rng.choice(waiting).pop(0))
    return arrived


def told(out: Outcome) -> object:
    """An outcome in terms that do not hang on which id stands for a person."""
    people = {
        (min(p.ids), tuple(p.traits.items()), tuple(p.counters.items()), p.seen, p.ids, segments_of(p))
        for p in out.persons.values()
    }
    consents = {key: choice.standing for key, choice in out.consents.standing.items()}
    refused = {frozenset(min(out.persons[out.people.find(i)].ids) for i in pair) for pair in out.people.refused}
    return people, consents, out.rejected, out.withheld, out.permitted, refused


@pytest.mark.parametrize("seed", SEEDS)
def test_what_must_come_out_does_not_hang_on_the_order_of_lanes(seed: int) -> None:
    story = draw(seed)
    expected = told(outcome(story))
    for order in map(Random, range(3)):
        unmerges = order.sample(story.unmerges, len(story.unmerges))
        out = come_of(shuffled(story.lanes, order), unmerges, shuffled(story.later, order))
        assert told(out) == expected


def test_a_seed_draws_the_same_again_and_another_one_something_else() -> None:
    assert draw(7) == draw(7) != draw(8)
    assert schedule(7) == schedule(7) != schedule(8)


def test_stories_hold_everything_that_is_meant_to_be_tried() -> None:
    outcomes = [outcome(draw(seed)) for seed in SEEDS]
    people = [person for out in outcomes for person in out.persons.values()]
    assert {standing for out in outcomes for standing in out.withheld.values()} == {
        "denied", "withdrawn", "not-asked",
    }  # fmt: skip
    assert len({rule for out in outcomes for rule in out.rejected.values()}) == 7
    assert any(out.people.refused for out in outcomes)
    assert any(len([i for i in person.ids if i[0] == "anonymous_id"]) == 3 for person in people)
    segments = set().union(*map(segments_of, people))
    assert len(segments) == 7
    stories = list(map(draw, SEEDS))
    assert any(story.sent > len(story.events) for story in stories)
    unmerges = [unmerge for story in stories for unmerge in story.unmerges]
    assert {len(unmerge.groups) for unmerge in unmerges} == {1, 2, 3}
    assert {max(map(len, unmerge.groups)) for unmerge in unmerges} == {1, 2, 3}


def test_no_event_is_sent_before_it_happens() -> None:
    for story in map(draw, SEEDS):
        sendings = [sending for lane in (*story.lanes, *story.later) for sending in lane.sendings]
        early = [e for s in sendings for e in s.events if e.occurred > s.at and e.wrong != "timestamp"]
        assert early == []


def test_no_and_yes_by_hand() -> None:
    refused = dict.fromkeys(ACCEPTED, False)
    events = [
        Event(message_id="1", occurred=1, name="Search", device="d"),
        Event(message_id="2", occurred=2, type="consent", device="d", choices=ACCEPTED),
        Event(message_id="3", occurred=3, name="Search", device="d"),
        Event(message_id="4", occurred=4, name="Search", device="d", choices=refused),
        Event(message_id="5", occurred=2, name="Search", device="d", choices=ACCEPTED),
        Event(message_id="6", occurred=6, name="Search", device="d", choices=ACCEPTED),
        Event(message_id="6", occurred=6, name="Search", device="d", choices=refused),
    ]
    out = come_of(events)
    assert out.withheld == {"1": "not-asked", "4": "withdrawn", "5": "withdrawn"}
    assert set(out.permitted) == {"2", "3", "6"}
    assert out.restricted_later == {"2", "3"}


def test_who_is_parted_keeps_what_it_did_and_never_joins_again() -> None:
    def seen(n: int, device: str, user: str | None = None) -> Event:
        return Event(message_id=str(n), occurred=n, name="Search", device=device, user=user, choices=ACCEPTED)

    before = [seen(1, "phone"), seen(2, "phone", "ada"), seen(3, "laptop"), seen(4, "laptop", "ada")]
    after = [seen(5, "phone"), seen(6, "phone", "ada"), seen(7, "laptop", "ada")]
    out = come_of(before, [Unmerge("u", "ada", (("phone",),))], after)
    did = {frozenset(event.message_id for event in person.events) for person in out.persons.values()}
    assert did == {frozenset("24673"), frozenset("15")}
    assert out.people.refused == {frozenset((("user_id", "ada"), ("anonymous_id", "phone")))}

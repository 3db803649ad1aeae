"""The parts of the chaos suite that only compute: what is drawn, and what must come of it."""

from __future__ import annotations

from random import Random

import pytest

from tests.chaos.faults import schedule
from tests.chaos.load import draw
from tests.chaos.oracle import Outcome, outcome
from tests.chaos.oracle_segments import segments_of
from tests.chaos.story import ACCEPTED, Event, Story, by_time

SEEDS = range(20)


def shuffled(story: Story, rng: Random) -> list[Event]:
    """Some order of arrival that leaves each lane in its own order."""
    waiting = [list(lane.events()) for lane in story.lanes]
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
    expected = told(outcome(by_time(story.lanes)))
    for order in range(3):
        assert told(outcome(shuffled(story, Random(order)))) == expected


def test_a_seed_draws_the_same_again_and_another_one_something_else() -> None:
    assert draw(7) == draw(7) != draw(8)
    assert schedule(7) == schedule(7) != schedule(8)


def test_stories_hold_everything_that_is_meant_to_be_tried() -> None:
    outcomes = [outcome(by_time(draw(seed).lanes)) for seed in SEEDS]
    people = [person for out in outcomes for person in out.persons.values()]
    assert {standing for out in outcomes for standing in out.withheld.values()} == {
        "denied", "withdrawn", "not-asked",
    }  # fmt: skip
    assert len({rule for out in outcomes for rule in out.rejected.values()}) == 7
    assert any(out.people.refused for out in outcomes)
    assert any(len([i for i in person.ids if i[0] == "anonymous_id"]) == 3 for person in people)
    segments = set().union(*map(segments_of, people))
    assert len(segments) == 7
    assert any(story.sent > len(story.events) for story in map(draw, SEEDS))


def test_no_event_is_sent_before_it_happens() -> None:
    for story in map(draw, SEEDS):
        sendings = [sending for lane in story.lanes for sending in lane.sendings]
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
    out = outcome(events)
    assert out.withheld == {"1": "not-asked", "4": "withdrawn", "5": "withdrawn"}
    assert set(out.permitted) == {"2", "3", "6"}
    assert out.restricted_later == {"2", "3"}

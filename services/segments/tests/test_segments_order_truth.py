"""Sequences and dwells hold of whom the plain reading says, after every step of a life in which they often do."""

from __future__ import annotations

import random
from collections import Counter

import pytest
from cdp_contracts.conditions_v1 import (
    Between,
    Calendar,
    Condition,
    Dwell,
    EventSequence,
    Lifetime,
    PropertyFilter,
    Sliding,
)
from cdp_contracts.events_v1 import Event
from cdp_contracts.sequences_v1 import Interruption, NotAfter, SequenceStep
from cdp_segments.domain import quantities
from test_segments_truth import KINDS, Life, Step, check_truth

SEEDS = 300
WHERE = (PropertyFilter(property="kind", op="==", value="a"),)


def some(dice: random.Random, share: float, value):
    return value if dice.random() < share else None


def happening(dice: random.Random) -> dict:
    return {"event": dice.choice(["view", "view", "buy", "*"]), "where": some(dice, 0.1, WHERE) or ()}


def sequence(dice: random.Random) -> EventSequence:
    same = some(dice, 0.3, "kind")
    window = dice.choice(
        [
            Lifetime(),
            Sliding(seconds=dice.choice([1, 2, 3])),
            Between(from_seconds=dice.choice([0.5, 1]), to_seconds=dice.choice([2, 4, None])),
            Calendar(unit="day", n=dice.choice([1, 2]), full=dice.random() < 0.3),
        ]
    )

    def forbidden():
        return {**happening(dice), "same": same is not None and dice.random() < 0.5}

    def follower():
        breaks = tuple(Interruption(**forbidden()) for _ in range(dice.choice([0, 0, 1, 2])))
        within = some(dice, 0.4, dice.choice([0.5, 1, 2]))
        return SequenceStep(**happening(dice), within_seconds=within, not_between=breaks)

    silent = dice.random() < 0.5
    steps = [
        SequenceStep(**happening(dice)),
        *(follower() for _ in range(dice.choice([0, 1, 1, 2]) or not silent)),
    ]
    return EventSequence(
        steps=tuple(steps),
        within_seconds=some(dice, 0.3, dice.choice([0.5, 1, 2])),
        not_after=NotAfter(**forbidden(), within_seconds=dice.choice([0.5, 0.75])) if silent else None,
        same=same,
        window=window,
        times=dice.choice([1, 1, 1, 2, 3]),
    )


def dwell(dice: random.Random) -> Dwell:
    least, most = dice.choice([(0.5, None), (1, None), (None, 1), (0.5, 2), (1, 3600)])
    what = dice.choice([{"trait": "plan", "value": "x"}, {"trait": "age", "op": ">=", "value": 1}])
    return Dwell(**what, at_least_seconds=least, less_than_seconds=most)


def step(dice: random.Random) -> Step:
    name = dice.choice(["view", "view", "buy"])
    deed = Event(
        type="track", name=name, properties={"kind": dice.choice([1, "a"])} if dice.random() < 0.8 else {}
    )
    traits = {"plan": dice.choice(["x", "x", "y"]), "age": dice.choice([0, 1, 2])}
    identify = Event(type="identify", name="identify", traits=traits)
    return Step(
        what=dice.choice(KINDS),
        younger=dice.random() < 0.5,
        passes=dice.choice([0, 1, 250, 499, 500, 500, 501, 1000, 1500]) if dice.random() < 0.95 else 86_400_000,
        late=dice.choice([0, 0, 0, 0, 250, 500, 500, 1000, 1500]),
        event=deed if dice.random() < 0.8 else identify,
        traits={key: value for key, value in traits.items() if dice.random() < 0.7},
        again=dice.randrange(30),
    )


def live(seed: int) -> Life:
    dice = random.Random(seed)
    conditions: list[Condition] = [sequence(dice), sequence(dice), dwell(dice)]
    return check_truth(conditions, [step(dice) for _ in range(25)])


def test_order_is_what_the_plain_reading_says():
    flips: Counter[tuple[str, bool, str]] = Counter()
    for seed in range(SEEDS):
        try:
            lived = live(seed)
        except AssertionError as error:
            pytest.fail(f"seed {seed}: {error}")
        kinds = {name: segment.definition.when.kind for name, segment in lived.catalog.segments.items()}
        flips.update((kinds[c.segment], c.member, c.cause) for m in lived.told for c in m.changes)
    ways = [(kind, member) for kind in ("sequence", "dwell") for member in (True, False)]
    assert all(flips[(*way, cause)] >= 30 for way in ways for cause in ("event", "timer")), flips


def test_so_it_is_of_the_newest_events(monkeypatch):
    monkeypatch.setattr(quantities, "MARKS_KEPT", 3)
    for seed in range(SEEDS, 2 * SEEDS):
        try:
            live(seed)
        except AssertionError as error:
            pytest.fail(f"seed {seed}: {error}")

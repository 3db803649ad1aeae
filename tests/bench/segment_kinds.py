"""What conditions about order cost beside a count: microseconds of an update of somebody who is known.

A thousand segments of one kind each, no two alike, over 20 names of events: an update concerns some fifty of them
for each event that a condition names. The first half of a life of 1,000 events is not measured.
`python -m tests.bench.segment_kinds` prints the rows.
"""

from __future__ import annotations

import random
import time
from collections.abc import Callable, Mapping, Sequence
from statistics import median
from typing import Final, TypeAlias

from cdp_contracts.conditions_v1 import Condition, Count, Dwell, EventSequence, Sliding
from cdp_contracts.definitions_v1 import SegmentDefined
from cdp_contracts.profiles_v1 import ProfileUpdated
from cdp_contracts.sequences_v1 import Interruption, NotAfter, SequenceStep
from cdp_segments.domain.catalog import Catalog
from cdp_segments.domain.engine import react
from cdp_segments.domain.segments import compile_segment
from cdp_segments.domain.telling import Delivery, forget_acknowledged

from tests.bench.report import Row, spread
from tests.bench.segments import BATCH, NAMES, ROUNDS, START, Newcomers, updates

SEGMENTS: Final = 1_000
EVENTS: Final = 1_000
HOUR: Final = 3_600
TRAITS: Final = 20

Kind: TypeAlias = Callable[[random.Random], Condition]


def window(dice: random.Random) -> Sliding:
    """A day to a week, and some seconds, so that no two are equal."""
    return Sliding(seconds=dice.choice([24 * HOUR, 168 * HOUR]) + dice.randrange(HOUR))


def count(dice: random.Random) -> Condition:
    """What the others are held against."""
    return Count(event=dice.choice(NAMES), window=window(dice), n=dice.randint(1, 10))


def then(dice: random.Random) -> Condition:
    """One event within an hour after another."""
    one, other = dice.sample(NAMES, 2)
    steps = (SequenceStep(event=one), SequenceStep(event=other, within_seconds=HOUR))
    return EventSequence(steps=steps, window=window(dice))


def funnel(dice: random.Random) -> Condition:
    """Three events of the same category within a day, none of a fourth before the last."""
    one, other, third, fourth = dice.sample(NAMES, 4)
    last = SequenceStep(event=third, not_between=(Interruption(event=fourth),))
    steps = (SequenceStep(event=one), SequenceStep(event=other), last)
    return EventSequence(steps=steps, within_seconds=24 * HOUR, same="category", window=window(dice))


def abandoned(dice: random.Random) -> Condition:
    """One event and not another within half an hour."""
    one, other = dice.sample(NAMES, 2)
    silence = NotAfter(event=other, within_seconds=HOUR / 2)
    return EventSequence(steps=(SequenceStep(event=one),), not_after=silence, window=window(dice))


def dwell(dice: random.Random) -> Condition:
    """A trait that has been what it is for so long; every update tells one of 20."""
    trait = f"t{dice.randrange(TRAITS)}"
    return Dwell(trait=trait, value="pro", at_least_seconds=1 + dice.randrange(24 * HOUR))


KINDS: Final[Mapping[str, Kind]] = {
    "count": count,
    "one event, then another": then,
    "three of the same category, none of a fourth": funnel,
    "one event, and not another after": abandoned,
    "dwell": dwell,
}


def catalog(kind: Kind) -> Catalog:
    """A thousand different segments."""
    dice = random.Random(SEGMENTS)
    return Catalog(
        compile_segment(SegmentDefined(tenant="demo", name=f"s{n}", title="s", when=kind(dice)))
        for n in range(SEGMENTS)
    )


def telling(stream: Sequence[ProfileUpdated]) -> list[ProfileUpdated]:
    """Updates whose events tell a trait, one in ten of them another value."""
    dice = random.Random(8)
    told = [{f"t{dice.randrange(TRAITS)}": "pro" if dice.random() < 0.9 else "free"} for _ in stream]
    pairs = zip(stream, told, strict=True)
    return [u.model_copy(update={"event": u.event and u.event.model_copy(update={"traits": t})}) for u, t in pairs]


def cost(segments: Catalog, stream: Sequence[ProfileUpdated]) -> float:
    """Microseconds of this process's own time for an update of the second half."""
    people, half, started = Newcomers(), len(stream) // 2, 0.0
    for n, update in enumerate(stream):
        if n == half:
            started = time.process_time()
        if n % BATCH == 0:
            forget_acknowledged(people.values(), {0: n})
        react(people, update, Delivery(0, n, START + n * 1000), segments)
    return (time.process_time() - started) * 1e6 / (len(stream) - half)


def rows() -> list[Row]:
    """Every kind, for somebody with a long life: the median of some rounds, beside a count."""
    stream = telling([*updates(1, EVENTS)])
    found: list[Row] = []
    for name, kind in KINDS.items():
        segments = catalog(kind)
        costs = [cost(segments, stream) for _ in range(ROUNDS)]
        counts = found[0].ours if found else median(costs)
        found.append(Row(name, median(costs), "µs", spread(costs), counts, "count", median(costs) / counts))
        print(f"{name:<48}{median(costs):>8,.0f} µs  ({spread(costs)}), {median(costs) / counts:.1f} counts")
    return found


if __name__ == "__main__":
    rows()

"""The segment engine by itself: updates a second on one core, by the number of segments.

Each update is decoded already; what is measured is everything up to the messages that it brings about, without a
store. `python -m tests.bench.segments` prints the rows.
"""

from __future__ import annotations

import random
import time
from collections import defaultdict
from collections.abc import Iterator, Sequence
from statistics import median
from typing import Final, TypeAlias
from uuid import UUID, uuid5

from cdp_contracts.conditions_v1 import (
    And,
    Condition,
    Count,
    InSession,
    Lifetime,
    Not,
    PropertyFilter,
    Session,
    SessionCount,
    Sliding,
    Trait,
)
from cdp_contracts.definitions_v1 import SegmentDefined
from cdp_contracts.events_v1 import Event
from cdp_contracts.profiles_v1 import ProfileUpdated
from cdp_segments.domain.catalog import Catalog
from cdp_segments.domain.engine import react
from cdp_segments.domain.person import Person
from cdp_segments.domain.segments import compile_segment
from cdp_segments.domain.telling import Delivery, forget_acknowledged, moment_of

from tests.bench.report import Row, spread

START: Final = 1_767_614_400_000
NAMES: Final = tuple(f"Event {n}" for n in range(20))
CATEGORIES: Final = 50
PEOPLE: Final = 500
UPDATES: Final = 10_000
BATCH: Final = 500
ROUNDS: Final = 3
SIZES: Final = (100, 1_000, 10_000)

NOTHING_OF_THE_FIRST: Final = SessionCount(event=NAMES[0], op="==", n=0)

Shape: TypeAlias = str  # filtered: half the conditions ask for a category; hot: all count one of 20 names


class Newcomers(defaultdict[str, Person]):
    """People who are met for the first time."""

    def __missing__(self, key: str) -> Person:
        self[key] = Person(key)
        return self[key]


def condition(dice: random.Random, shape: Shape) -> Condition:
    """Two leaves: something done in a window, and either something not done or a trait."""
    category = PropertyFilter(property="category", op="==", value=dice.randrange(CATEGORIES))
    where = (category,) if shape == "filtered" else ()
    window = dice.choice([Sliding(seconds=dice.choice([3600, 86_400, 604_800])), Lifetime(), Session()])
    done = Count(event=dice.choice(NAMES), where=where, window=window, op=">=", n=dice.randint(1, 10))
    other = dice.choice(
        [
            Not(of=Count(event=dice.choice(NAMES), where=where, window=Sliding(seconds=86_400))),
            Trait(trait="plan", op="==", value=dice.choice(["free", "pro"])),
            InSession(all=(SessionCount(event=dice.choice(NAMES), where=where), NOTHING_OF_THE_FIRST)),
        ]
    )
    return And(of=(done, other))


def catalog(size: int, shape: Shape) -> Catalog:
    """That many different segments."""
    dice = random.Random(size)
    return Catalog(
        compile_segment(SegmentDefined(tenant="demo", name=f"s{n}", title="s", when=condition(dice, shape)))
        for n in range(size)
    )


def updates(persons: int = PEOPLE, count: int = UPDATES) -> Iterator[ProfileUpdated]:
    """Events of people who come back, a second apart."""
    dice = random.Random(7)
    space = UUID(int=7)
    people = [uuid5(space, f"p{n}") for n in range(persons)]
    for n in range(count):
        properties = {"category": dice.randrange(CATEGORIES), "price": {"net": 5}}
        at = moment_of(START + n * 1000)
        yield ProfileUpdated(
            tenant="demo", id=uuid5(space, str(n)), message_id=f"m{n}", occurred_at=at, received_at=at,
            revision=n + 1, profile_id=dice.choice(people), cause="event",
            traits={"plan": "pro"} if n % 50 == 0 else {},
            event=Event(type="track", name=dice.choice(NAMES), properties=properties),
        )  # fmt: skip


def rate(segments: Catalog, stream: Sequence[ProfileUpdated]) -> float:
    """Updates a second of this process's own time."""
    people = Newcomers()
    started = time.process_time()
    for n, update in enumerate(stream):
        if n % BATCH == 0:
            forget_acknowledged(people.values(), {0: n})
        react(people, update, Delivery(0, n, START + n * 1000), segments)
    return len(stream) / (time.process_time() - started)


def rows() -> list[Row]:
    """Both shapes, every size: the median of some rounds."""
    stream = list(updates())
    found: list[Row] = []
    for shape in ("filtered", "hot"):
        for size in SIZES if shape == "filtered" else SIZES[:2]:
            segments = catalog(size, shape)
            rates = [rate(segments, stream) for _ in range(ROUNDS)]
            name = f"segment engine, {size:,} segments, {shape}"
            found.append(Row(name, median(rates), "updates/s", spread(rates)))
    return found


if __name__ == "__main__":
    for row in rows():
        print(f"{row.name:<48}{row.ours:>10,.0f} {row.unit}  ({row.spread})")

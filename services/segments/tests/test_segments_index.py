"""An event costs what it matches, not how many segments there are."""

from __future__ import annotations

from cdp_segments.domain.intake import take_event
from cdp_segments.domain.person import Person

VIEWED = {"kind": "count", "event": "view"}
SESSION = {"kind": "session"}
MINUTE = {"kind": "sliding", "seconds": 60}


def test_a_filter_finds_its_events_among_many(make):
    def viewed(value):
        return {**VIEWED, "where": [{"property": "sku.id", "op": "==", "value": value}]}

    catalog = make.catalog(
        *(make.segment(f"s{n}", **viewed(n)) for n in range(100)),
        make.segment("yes", **viewed(True)),
        make.segment("text", **viewed("7")),
    )

    def found(sku):
        tallies = catalog.matching(make.event(1, "ann", sku={"id": sku}).event)
        return sorted(segment.name for tally in tallies for segment in tally.segments)

    assert [found(sku) for sku in (7, 7.0, "7", True, 1)] == [["s7"], ["s7"], ["text"], ["yes"], ["s1"]]
    assert [found(sku) for sku in ([7], None, {}, 100)] == [[], [], [], []]


def test_segments_of_other_events_are_not_looked_at(make):
    mine = [make.segment("visit", **VIEWED, window=SESSION), make.segment("often", **VIEWED, n=9)]
    others = [
        make.segment(
            f"s{n}",
            kind="and",
            of=[
                {"kind": "count", "event": f"e{n}", "window": MINUTE},
                {"kind": "count", "event": f"f{n}", "window": SESSION},
                {"kind": "aggregate", "function": "sum", "event": f"g{n}", "property": "price", "value": 1},
                {"kind": "absence", "event": f"h{n}", "window": MINUTE, "require_age": False},
                {"kind": "in_segment", "segment": f"s{n - n % 100}" if n % 100 else "nowhere"},
            ],
        )
        for n in range(2000)
    ]
    for definitions in (mine, mine + others):
        touched = take_event(
            Person("demo/x"), make.event(1, "ann").event, (0, 1), make.catalog(*definitions), now=0
        )
        assert {segment.name for segment in touched} == {"visit", "often"}


def test_the_clock_looks_at_segments_whose_marks_there_are(make):
    mine = make.segment("mine", **VIEWED, window=MINUTE)
    others = [
        make.segment(f"s{n}", kind="absence", event=f"e{n}", window=MINUTE, require_age=False) for n in range(100)
    ]
    catalog = make.catalog(mine, *others)
    person = Person("demo/x")
    take_event(person, make.event(1, "ann").event, (0, 1), catalog, now=0)
    assert {segment.name for segment in catalog.clocked(person)} == {"mine"}

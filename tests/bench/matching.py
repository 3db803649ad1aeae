"""Matching of records without an identifier in common, beside Splink, on labelled people.

One record at a time, in the order of the file, with the shipped weights and no labels. FEBRL1, FEBRL2 and
RLdata500 are what the weights were judged on; all others are unseen. Splink gets the whole set at once and
estimates its own weights, as its tutorial does. `python -m tests.bench.matching` prints the table.
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
    for record in known.records:
        started = time.perf_counter()
        for match in index.add(record_of(record.key, record.fields, region=known.region)):
            (unasked if match.band == "auto" else pairs).add(frozenset((match.one, match.other)))
        took.append(time.perf_counter() - started)
    p99 = sorted(took)[int(len(took) * 0.99)] * 1000
    return Finding(
        known, frozenset(pairs | unasked), frozenset(unasked), sum(took), p99, sum(store.dropped.values())
    )


def sets() -> Iterator[LabelledSet]:
    """Those that the weights were judged on, then the unseen ones."""
    yield from (febrl(1), febrl(2), rldata(500))
    yield from (febrl(3), febrl(4), rldata(10_000))
    yield from matching_households.households(SEEDS)


def told(finding: Finding, peer: Quality | None) -> Iterator[Row]:
    """The rows of one set. Quality is told in thousandths."""
    known, both, auto = finding.known, finding.asked_or_not, finding.auto
    whole = quality(closed(finding.pairs), known.pairs)
    name = f"matching {known.name}{'' if known.name in SEEN else ' (unseen)'}"
    details = (
        f"P {both.precision:.4f} R {both.recall:.4f}; as clusters P {whole.precision:.4f} R {whole.recall:.4f}"
    )
    yield Row(
        f"{name}, F1",
        1000 * both.f1,
        "‰",
        details,
        peer and 1000 * peer.f1,
        "Splink 5",
        peer and both.f1 / peer.f1,
    )
    yield Row(f"{name}, auto precision", 1000 * auto.precision, "‰", f"recall {auto.recall:.4f}")
    rate = len(known.records) / finding.seconds
    yield Row(
        f"{name}, records", rate, "records/s", f"p99 {finding.p99_ms:.2f} ms, {finding.dropped} keys over the cap"
    )


def rows() -> list[Row]:
    """Every set, beside Splink in the same run."""
    found: list[Row] = []
    for known in sets():
        finding = found_in(known)
        found += told(finding, matching_splink.best(known))
        print(f"  {known.name}", flush=True)
    return found


if __name__ == "__main__":
    for row in rows():
        peer = f"{row.peer:8.1f}" if row.peer is not None else ""
        print(f"{row.name:<56}{row.ours:>10,.1f} {row.unit:<10}{peer:>9}  {row.spread}")

"""Every purchase of 23,570 customers of CDNOW, an online shop, in 1997 and 1998: published, to count with.

The file is `CDNOW_master.txt` of the package lifetimes (MIT). It is read from the installed package, never
imported and never copied.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from importlib.metadata import distribution
from pathlib import Path


@dataclass(frozen=True, slots=True)
class Purchase:
    """One line of the file."""

    row: int
    customer: int
    day: datetime
    discs: int
    dollars: float


def installed_purchases() -> Path:
    """Where the package's data set lies on this machine."""
    return Path(str(distribution("lifetimes").locate_file("lifetimes/datasets/CDNOW_master.txt")))


def read_purchases(path: Path) -> Iterator[Purchase]:
    """Every purchase, in the file's order: by customer, then by day."""
    with path.open() as lines:
        next(lines)  # names of the columns
        for row, line in enumerate(lines):
            customer, day, discs, dollars = line.split()
            moment = datetime.fromisoformat(day).replace(tzinfo=UTC)
            yield Purchase(row, int(customer), moment, int(discs), float(dollars))

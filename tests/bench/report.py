"""Rows of a benchmark: printed as a table, written as JSON."""

from __future__ import annotations

import json
import os
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Final

TARGET: Final = Path("build/bench.json")


@dataclass(frozen=True, slots=True)
class Row:
    """One figure, beside a peer's where there is one. `ratio` is ours to the peer's, within the same round."""

    name: str
    ours: float
    unit: str
    spread: str
    peer: float | None = None
    peer_name: str = ""
    ratio: float | None = None


def spread(values: Sequence[float]) -> str:
    """Lowest to highest of the rounds."""
    return f"{min(values):,.0f} to {max(values):,.0f}"


def write(rows: Sequence[Row], servers: str) -> None:
    """Print and keep."""
    cores = os.cpu_count() or 0
    TARGET.parent.mkdir(exist_ok=True)
    TARGET.write_text(
        json.dumps([{**asdict(row), "servers": servers, "cores": cores} for row in rows], indent=2) + "\n"
    )
    print(f"\n{cores} cores; servers: {servers}\n")
    print(f"{'':<44}{'ours':>12}{'peer':>12}{'ratio':>8}  unit          spread of ours")
    for row in rows:
        peer = f"{row.peer:,.0f}" if row.peer is not None else ""
        ratio = f"{row.ratio:.2f}" if row.ratio is not None else ""
        print(f"{row.name:<44}{row.ours:>12,.0f}{peer:>12}{ratio:>8}  {row.unit:<12}  {row.spread}")
    print(f"\nwritten to {TARGET}")

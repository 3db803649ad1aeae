"""What a core does and what a day takes, from a benchmark: `python -m infra.generate.capacity [rows.json]`.

Only what was measured is said. A row that the benchmark does not have yet leaves its line out.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from cdp_contracts.topics import TOPICS

ROWS: Final = Path("build/bench.json")
SECONDS_A_DAY: Final = 86_400
GB: Final = 1e9
SUSTAINED: Final = "highest rate kept up with, end to end"
CPU: Final = "CPU an event "
MEMORY: Final = "memory, "
PROFILE: Final = "bytes a profile"
MESSAGE: Final = "bytes a message on "


@dataclass(frozen=True, slots=True)
class Measured:
    """One row of a benchmark: what, how much, of what, and on how many cores."""

    name: str
    ours: float
    unit: str
    cores: int


def load(path: Path) -> list[Measured]:
    """The rows of a file as `make bench` writes it."""
    return [Measured(row["name"], row["ours"], row["unit"], row["cores"]) for row in json.loads(path.read_text())]


def lines(rows: Sequence[Measured]) -> Iterator[tuple[str, str]]:
    """What follows from the rows, each with its unit."""
    for row in rows:
        if row.name == SUSTAINED:
            yield (
                "all services, with servers and load on the same cores",
                f"{row.ours / row.cores:,.0f} events/s a core",
            )
        elif row.name.startswith(CPU) and row.ours:
            yield f"{row.name.removeprefix(CPU)}", f"{1e6 / row.ours:,.0f} events/s a core"
        elif row.name.startswith(MEMORY):
            yield row.name, f"{row.ours:,.0f} MB"
        elif row.name == PROFILE:
            yield "a million profiles", f"{row.ours * 1e6 / GB:,.1f} GB"
    yield from topics({row.name.removeprefix(MESSAGE): row.ours for row in rows if row.name.startswith(MESSAGE)})


def topics(sizes: dict[str, float]) -> Iterator[tuple[str, str]]:
    """Each topic whose messages were measured: a day of 1,000 messages a second, and all that is kept."""
    for topic in TOPICS:
        if topic.name not in sizes:
            continue
        day = sizes[topic.name] * 1000 * SECONDS_A_DAY / GB
        yield f"{topic.name} at 1,000/s", f"{day:,.1f} GB a day"
        if topic.retention_hours:
            yield f"{topic.name}, all that is kept", f"{day * topic.retention_hours / 24:,.1f} GB a replica"


def main() -> int:
    """Print the table for the rows given, by default those of the last benchmark on this machine."""
    path = Path(sys.argv[1]) if len(sys.argv) > 1 else ROWS
    if not path.exists():
        sys.stderr.write(f"{path} is not there: run `make bench`\n")
        return 2
    sys.stdout.write("| what | how much |\n|---|---|\n")
    sys.stdout.writelines(f"| {what} | {much} |\n" for what, much in lines(load(path)))
    return 0


if __name__ == "__main__":
    sys.exit(main())

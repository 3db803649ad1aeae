"""`make chaos`: stories told to the platform on local servers while things go wrong; an oracle says what must be.

`python -m tests.chaos --seeds 1-20` runs twenty; `--seed 7` repeats one. The exit code is 1 if any differs.
"""

from __future__ import annotations

import argparse
import asyncio
import sys
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Final

from cdp_devstack.running import running

from tests.chaos.cluster import Cluster
from tests.chaos.faults import every_act
from tests.chaos.load import draw
from tests.chaos.previous import previous_contracts
from tests.chaos.run import Result, run
from tests.chaos.tape import Tape

FOLDER: Final = Path("build/chaos")
SHOWN: Final = 12


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the seeds; after one that differs the others go on, on a new platform."""
    options = parser().parse_args(arguments)
    seeds = [options.seed] if options.seed is not None else options.seeds
    home = (options.folder / time.strftime("%Y%m%d-%H%M%S")).resolve()
    home.mkdir(parents=True)
    failed: list[int] = []
    waiting = list(seeds)
    while waiting:
        folder = home / f"from-{waiting[0]}"
        with cluster(folder) as harmed:
            tape = Tape(harmed.up.kafka)
            while waiting:
                seed = waiting.pop(0)
                if not tell(seed, one(seed, harmed, tape, calm=options.calm), folder):
                    failed.append(seed)
                    break
    print(f"{len(seeds)} seeds, {len(failed)} differ{': ' + str(failed) if failed else ''}")
    return 1 if failed else 0


@contextmanager
def cluster(folder: Path) -> Iterator[Cluster]:
    """A platform that may come to harm. Its logs stay in the folder."""
    folder.mkdir(parents=True)
    with running("local", folder) as up:
        harmed = Cluster(up, folder / "roles", previous_contracts(folder))
        try:
            yield harmed
        finally:
            harmed.stop()


def one(seed: int, harmed: Cluster, tape: Tape, *, calm: bool) -> Result:
    """The story of a seed, and its faults."""
    faults = () if calm else every_act(seed, rolling=harmed.rolling)
    return asyncio.run(run(harmed, tape, draw(seed), faults))


def tell(seed: int, result: Result, folder: Path) -> bool:
    """Print what came of a seed; whether all is as it must be."""
    print(f"seed {seed}: {result}", flush=True)
    if not result.differences:
        return True
    lines = ["  schedule:", *(f"    {fault}" for fault in result.faults), "  differences:"]
    lines += [f"    {line}" for line in result.differences[:SHOWN]]
    lines += [f"    and {len(result.differences) - SHOWN} more"] if len(result.differences) > SHOWN else []
    lines += [f"  logs: {folder}", f"  again: python -m tests.chaos --seed {seed}"]
    print("\n".join(lines), flush=True)
    return False


def span(text: str) -> list[int]:
    """`3-7` or `5`."""
    first, _, last = text.partition("-")
    return list(range(int(first), int(last or first) + 1))


def parser() -> argparse.ArgumentParser:
    """The command line."""
    commands = argparse.ArgumentParser(prog="python -m tests.chaos", description=__doc__)
    commands.add_argument("--seeds", type=span, default=span("1-20"), help="such as 1-20")
    commands.add_argument("--seed", type=int, help="one alone")
    commands.add_argument("--calm", action="store_true", help="without faults: tells whose mistake it is")
    commands.add_argument("--folder", type=Path, default=FOLDER, help="where logs and data are kept")
    return commands


if __name__ == "__main__":
    sys.exit(main())

"""`make bench`: every figure of the README, measured in one run on the local servers."""

from __future__ import annotations

import argparse
import asyncio
import tempfile
from pathlib import Path

from cdp_devstack.servers import Stack

from tests.bench import relay
from tests.bench.report import Row, write


async def measure(chosen: set[str], folder: Path) -> tuple[list[Row], str]:
    """Run the chosen benchmarks, each on servers of its own."""
    rows: list[Row] = []
    servers = ""
    if "relay" in chosen:
        with Stack.start("local", folder / "relay", only=("kafka",)) as stack:
            servers = stack.kafka_server.title
            rows += await relay.rows(stack, folder)
    return rows, servers


def main() -> None:
    """Parse, measure, report."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("only", nargs="*", default=["relay"], help="which benchmarks")
    chosen = set(parser.parse_args().only)
    with tempfile.TemporaryDirectory(prefix="tessera-bench-") as folder:
        rows, servers = asyncio.run(measure(chosen, Path(folder)))
    write(rows, servers)


if __name__ == "__main__":
    main()

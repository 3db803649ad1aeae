"""`python -m tests.load <scenario> --n <events>`: what the platform bears, on the local servers, with figures."""

from __future__ import annotations

import argparse
import asyncio
import logging
import os
import tempfile
from pathlib import Path
from typing import Final

from cdp_devstack.running import running

from tests.load.scenarios import SCENARIOS

EVENTS: Final = {"hotkey": 20_000, "bot": 5_000, "slow-store": 5_000, "full-disk": 20_000, "backlog": 200_000}


def main() -> None:
    """Start a platform of its own, run, print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("scenario", choices=SCENARIOS)
    parser.add_argument("--n", type=int, help="how many events")
    chosen = parser.parse_args()
    n = chosen.n or EVENTS[chosen.scenario]
    logging.getLogger("aiokafka").setLevel(logging.CRITICAL)
    with tempfile.TemporaryDirectory(prefix="tessera-load-") as folder, running("local", Path(folder)) as up:
        print(f"· {chosen.scenario}: {n:,} events, load {os.getloadavg()[0]:.1f} at the start", flush=True)
        for name, figure in asyncio.run(SCENARIOS[chosen.scenario](up, n)).items():
            print(f"    {name:<40} {figure:>12,.1f}{' MB' if name in up.platform.roles else ''}")


if __name__ == "__main__":
    main()

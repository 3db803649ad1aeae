"""`python -m tests.load <trial>`: what the platform bears, on the local servers, with figures."""

from __future__ import annotations

import argparse
import asyncio
import logging
import os
import tempfile
from collections.abc import Awaitable
from functools import partial
from pathlib import Path
from typing import Final

from cdp_devstack.running import Running, running
from cdp_devstack.servers.local import SecantusRust
from cdp_devstack.servers.stack import Programs

from tests.load.ocean import ocean
from tests.load.scenarios import SCENARIOS, Figures
from tests.load.soak import soak

EVENTS: Final = {
    "hotkey": 20_000, "bot": 5_000, "slow-store": 5_000, "full-disk": 20_000, "backlog": 200_000,
    "ocean": 10_000_000,
}  # fmt: skip
ROOMY: Final[Programs] = {"mongo": partial(SecantusRust, memory="10G", checkpoint_seconds=900)}
"""A document server that can hold what a million people are to it: with 1 GB it only reads its files."""
MINUTES: Final = {"ocean": 10.0, "soak": 30.0}


def trial(up: Running, chosen: argparse.Namespace) -> Awaitable[Figures]:
    """What was asked for."""
    events = chosen.n or EVENTS.get(chosen.trial, 0)
    minutes = chosen.minutes or MINUTES.get(chosen.trial, 0.0)
    if chosen.trial == "ocean":
        return ocean(up, events, chosen.people, minutes)
    if chosen.trial == "soak":
        return soak(up, chosen.rate, minutes)
    return SCENARIOS[chosen.trial](up, events)


def main() -> None:
    """Start a platform of its own, run, print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("trial", choices=[*SCENARIOS, *MINUTES])
    parser.add_argument("--n", type=int, help="how many events; not of a soak")
    parser.add_argument("--people", type=int, default=1_000_000, help="how many are known before an ocean")
    parser.add_argument("--minutes", type=float, help="how long an ocean is worked at, or a soak lasts")
    parser.add_argument("--rate", type=float, default=250, help="events a second of a soak")
    parser.add_argument("--folder", type=Path, help="where the servers keep their data; an ocean takes some 20 GB")
    chosen = parser.parse_args()
    logging.getLogger("aiokafka").setLevel(logging.CRITICAL)
    with (
        tempfile.TemporaryDirectory(prefix="tessera-load-", dir=chosen.folder) as folder,
        running("local", Path(folder), programs=ROOMY if chosen.trial == "ocean" else {}) as up,
    ):
        print(f"· {chosen.trial}, load {os.getloadavg()[0]:.1f} at the start", flush=True)
        for name, figure in asyncio.run(trial(up, chosen)).items():
            print(f"    {name:<56} {figure:>12,.1f}{' MB' if name in up.platform.roles else ''}", flush=True)


if __name__ == "__main__":
    main()

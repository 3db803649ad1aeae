"""`make demo`: a real shop's clickstream through the whole platform, and numbered facts measured on it."""

from __future__ import annotations

import argparse
import asyncio
import sys
import tempfile
import time
from datetime import UTC, datetime, timedelta
from pathlib import Path

from cdp_cli.conservation import ledger
from cdp_cli.ledger import HOPS, Row
from rich.console import Console
from rich.progress import (
    BarColumn,
    MofNCompleteColumn,
    Progress,
    TaskProgressColumn,
    TextColumn,
    TimeElapsedColumn,
)

from cdp_devstack.api import Api
from cdp_devstack.clickstream import Clickstream
from cdp_devstack.facts import Facts
from cdp_devstack.live import live_facts
from cdp_devstack.offsets import caught_up
from cdp_devstack.platform import WRITE_KEY
from cdp_devstack.replay import COPIES, INVALID, Sent, replay, story
from cdp_devstack.running import Running, running, say

ENDED_AGO = timedelta(seconds=5)
DRAIN_SECONDS = 600


def main() -> int:
    """Run the demo; the exit code is 1 if a measured fact is not what it must be."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--kind", choices=("embedded", "local"), default="embedded")
    parser.add_argument("--run", default="demo", help="prefix of the message ids")
    options = parser.parse_args()
    started = time.monotonic()
    with tempfile.TemporaryDirectory(prefix="tessera-demo-") as folder, running(options.kind, Path(folder)) as up:
        facts = asyncio.run(tell(up, options.run))
        print(f"\n{facts.count} facts, {len(facts.wrong)} wrong, {time.monotonic() - started:.0f} s in all")
    print(NEXT)
    for wrong in facts.wrong:
        print(f"WRONG: {wrong}", file=sys.stderr)
    return 1 if facts.wrong else 0


async def tell(up: Running, run: str) -> Facts:
    """Everything that happens on a running platform."""
    api, facts = Api(up), Facts(Console(width=110, highlight=False))
    try:
        stream = Clickstream(datetime.now(UTC) - ENDED_AGO)
        sent = await send(up, stream, run)
        facts.conservation(sent, await drained(up))
        await facts.withheld(api, stream)
        await facts.merged(api, stream)
        await facts.sizes(api, stream)
        await live_facts(up, api, facts)
    finally:
        await api.close()
    return facts


async def send(up: Running, stream: Clickstream, run: str) -> Sent:
    """Replay the clickstream with a progress bar."""
    total = sum(1 for _ in story(stream, run)) + INVALID + COPIES
    say(f"replaying {len(stream):,} shop events with segment-analytics-python against {up.url('collector-http')}")
    columns = (TextColumn("    "), BarColumn(), TaskProgressColumn(), MofNCompleteColumn(), TimeElapsedColumn())
    with Progress(*columns) as bar:
        task = bar.add_task("events", total=total)
        edge = up.url("collector-http")
        return await asyncio.to_thread(
            replay, stream, edge, WRITE_KEY, run=run, progress=lambda n: bar.advance(task, n)
        )


async def drained(up: Running) -> list[Row]:
    """The ledger once nothing is in flight any more."""
    say("waiting until every event has gone through all five services")
    deadline = time.monotonic() + DRAIN_SECONDS
    for hop in HOPS:
        while not await caught_up(up.stack.kafka, hop.group, hop.reads.name) and time.monotonic() < deadline:
            await asyncio.sleep(0.5)
    return await ledger(up.kafka, datetime.now(UTC))


NEXT = """
What to try next
  make up                        leave the platform running; it prints a curl to send an event with
  cdp tail membership-changed    watch people enter and leave segments
  infra/definitions/segments/    edit a segment, then `cdp apply infra/definitions`
  README.md                      emit and subscribe in five lines each
"""

if __name__ == "__main__":
    raise SystemExit(main())

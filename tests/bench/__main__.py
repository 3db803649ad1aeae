"""`make bench`: every figure of the README, measured in one run on the local servers."""

from __future__ import annotations

import argparse
import asyncio
import logging
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Final, TypeAlias

import uvloop
from cdp_devstack.running import running
from cdp_devstack.servers import Server, Stack, free_port
from cdp_devstack.servers.local import SecantusRust

from tests.bench import (
    chain,
    end_to_end,
    hops,
    identity,
    identity_stage,
    lookups,
    matching,
    relay,
    runtime,
    scale,
    segments,
    sizes,
    throughput,
)
from tests.bench.report import Row, write

Benchmark: TypeAlias = Callable[[Path], list[Row]]


def relayed(folder: Path) -> list[Row]:
    """On a Kafka of its own."""
    with Stack.start("local", folder / "relay", only=("kafka",)) as stack:
        return asyncio.run(relay.rows(stack, folder))


def through_everything(folder: Path) -> list[Row]:
    """On the whole platform, and before that on the bare chain with the same servers."""
    with Stack.start("local", folder / "chain") as stack:
        print("  bare chain")
        peer = uvloop.run(chain.findings(stack, folder))
    with running("local", folder / "platform") as up:
        return [*uvloop.run(end_to_end.rows(up, peer)), *uvloop.run(sizes.rows(up))]


def by_hop(folder: Path) -> list[Row]:
    """What each role costs, and how soon it is back."""
    with running("local", folder / "hops") as up:
        return uvloop.run(hops.rows(up))


def point_lookups(folder: Path) -> list[Row]:
    """On a platform of its own."""
    with running("local", folder / "lookups") as up:
        return uvloop.run(lookups.rows(up))


def by_parts(folder: Path) -> list[Row]:
    """On a platform for each number of partitions."""
    rows: list[Row] = []
    for partitions in throughput.PARTITIONS:
        own = folder / f"partitions-{partitions}"
        with running("local", own, partitions=partitions) as up:
            rows += uvloop.run(throughput.rows(up, partitions, own))
    return rows


def by_size(folder: Path) -> list[Row]:
    """On a document server of its own."""
    with Stack.start("local", folder / "scale", only=("mongo",)) as stack:
        return uvloop.run(scale.rows(stack))


def graph(folder: Path) -> list[Row]:
    """In this process, and on a document server of its own, with memory for all that is stored.

    A checkpoint a minute writes out all of it again and again while it is filled.
    """
    program = SecantusRust(folder / "identity", free_port(), memory="10G", checkpoint_seconds=900)
    server = Server(program)
    with Stack("local", folder, {"mongo": server}, temporary=False) as stack:
        server.launch()
        server.wait_ready()
        return uvloop.run(identity.rows(stack))


def resolver(folder: Path) -> list[Row]:
    """In a process of its own, on servers of its own."""
    with Stack.start("local", folder / "resolver") as stack:
        return uvloop.run(identity_stage.rows(stack, folder / "resolver", identity_stage.backlogs))


def resolver_hop(folder: Path) -> list[Row]:
    """The same, while events come at a fixed rate."""
    with Stack.start("local", folder / "hop") as stack:
        return uvloop.run(identity_stage.rows(stack, folder / "hop", identity_stage.delays))


def engine(folder: Path) -> list[Row]:
    """In this process."""
    return segments.rows()


def share(folder: Path) -> list[Row]:
    """In this process."""
    return runtime.rows()


def who_is_who(folder: Path) -> list[Row]:
    return matching.rows()


BENCHMARKS: Final[dict[str, Benchmark]] = {
    "runtime": share,
    "relay": relayed,
    "end-to-end": through_everything,
    "hops": by_hop,
    "lookups": point_lookups,
    "throughput": by_parts,
    "scale": by_size,
    "identity": graph,
    "identity-stage": resolver,
    "identity-latency": resolver_hop,
    "segments": engine,
    "matching": who_is_who,
}


def main() -> None:
    """Parse, measure, report."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("only", nargs="*", default=list(BENCHMARKS), help=f"which of {', '.join(BENCHMARKS)}")
    logging.getLogger("aiokafka").setLevel(logging.CRITICAL)
    rows: list[Row] = []
    for name in parser.parse_args().only:
        print(f"· {name}", flush=True)
        with tempfile.TemporaryDirectory(prefix="tessera-bench-") as folder:
            rows += BENCHMARKS[name](Path(folder))
    write(rows, "Apache Kafka 4.1.2, SecantusDB 0.5.3-beta.193 (MongoDB wire), Redis, all on the same machine")


if __name__ == "__main__":
    main()

"""`python -m cdp_devstack.servers run --kind local`: a stack in the foreground until Ctrl-C."""

from __future__ import annotations

import argparse
import signal
import sys
import threading
from pathlib import Path
from typing import get_args

from cdp_devstack.servers import Kind, Name, ServerError, Stack


def main(arguments: list[str] | None = None) -> int:
    """Start, print the addresses, wait for SIGINT or SIGTERM, stop. 1 when a server does not start or ends."""
    options = parser().parse_args(arguments)
    over = threading.Event()
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, lambda *_: over.set())
    try:
        with Stack.start(options.kind, options.folder, options.only or get_args(Name)) as stack:
            return serve(stack, over)
    except ServerError as error:
        print(error, file=sys.stderr)
        return 1


def serve(stack: Stack, over: threading.Event) -> int:
    """Print where the servers are and watch them until it is over. 1 when one ended by itself."""
    for name, server in stack.servers.items():
        print(f"{name}: {server.url}   {server.title}, pid {server.pid}, log {server.log}", flush=True)
    print("Ctrl-C stops them.", flush=True)
    while not over.wait(0.5):
        for server in stack.servers.values():
            if not server.running:
                print(f"{server.title} has ended; its log: {server.log}", file=sys.stderr)
                return 1
    return 0


def parser() -> argparse.ArgumentParser:
    """The command line."""
    commands = argparse.ArgumentParser(prog="python -m cdp_devstack.servers", description=__doc__)
    run = commands.add_subparsers(required=True).add_parser("run", help="start the servers and wait for Ctrl-C")
    run.add_argument("--kind", choices=get_args(Kind), default="embedded")
    run.add_argument("--folder", type=Path, help="keep the data here; by default a temporary folder")
    run.add_argument("--only", nargs="+", choices=get_args(Name), help="not all three")
    return commands


if __name__ == "__main__":
    sys.exit(main())

"""Ends the process groups of a Python process that is gone, even after SIGKILL.

Run as a script: reads `+<group>` and `-<group>` lines from standard input; at the end of input (the owner
closed it or died) every group still listed gets SIGTERM, then SIGKILL. Standard library only, since it is
started in isolated mode without site packages.
"""

from __future__ import annotations

import os
import signal
import sys
import time

GRACE_SECONDS = 5.0


def alive(group: int) -> bool:
    """True while a process of the group exists, zombies included."""
    try:
        os.killpg(group, 0)
    except (ProcessLookupError, PermissionError):
        return False
    return True


def signal_group(group: int, number: signal.Signals) -> None:
    """Send a signal to every process of the group; a group that is gone is fine."""
    try:
        os.killpg(group, number)
    except (ProcessLookupError, PermissionError):
        return


def main() -> None:
    """Follow the owner's list until the input ends, then end what is on it."""
    groups: set[int] = set()
    for line in sys.stdin:
        (groups.add if line.startswith("+") else groups.discard)(int(line[1:]))
    for group in groups:
        signal_group(group, signal.SIGCONT)
        signal_group(group, signal.SIGTERM)
    deadline = time.monotonic() + GRACE_SECONDS
    while time.monotonic() < deadline and any(alive(group) for group in groups):
        time.sleep(0.05)
    for group in groups:
        signal_group(group, signal.SIGKILL)


if __name__ == "__main__":
    main()

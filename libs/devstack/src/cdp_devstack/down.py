"""`make down`: ends what `make up` left running."""

from __future__ import annotations

import os
import signal
import time

from cdp_devstack.up import PID_FILE


def main() -> int:
    """Ask it to end and wait until it has; 1 if nothing runs."""
    try:
        pid = int(PID_FILE.read_text())
        os.kill(pid, signal.SIGTERM)
    except (FileNotFoundError, ProcessLookupError):
        PID_FILE.unlink(missing_ok=True)
        print("nothing is running")
        return 1
    while PID_FILE.exists():
        time.sleep(0.1)
    print("ended")
    return 0


if __name__ == "__main__":
    raise SystemExit(main())

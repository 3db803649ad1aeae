"""Known vulnerabilities of everything in uv.lock: `python -m cdp_devstack.audit`, which needs a service to ask.

Never passes when nobody could be asked: exits 2 and says so.
"""

from __future__ import annotations

import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Final

SERVICES: Final = ("pypi", "osv")
FOUND: Final = "known vulnerabilit"
"""How pip-audit begins what it has to say once it was answered, if it is good or bad."""


def main() -> int:
    """Ask one service after the other until one answers; 0 clean, 1 vulnerable, 2 nobody answered."""
    with tempfile.TemporaryDirectory() as folder:
        wanted = Path(folder) / "requirements.txt"
        export = [
            ".uv/bin/uv",
            "export",
            "--quiet",
            "--frozen",
            "--offline",
            "--all-packages",
        ]
        subprocess.run(
            [*export, "--no-emit-workspace", "--output-file", str(wanted)], check=True, stdout=subprocess.DEVNULL
        )
        for service in SERVICES:
            command = ["-m", "pip_audit", "--disable-pip", "--require-hashes", "-r", str(wanted), "-s", service]
            done = subprocess.run(
                [sys.executable, *command, "--timeout", "20", "--progress-spinner", "off"],
                capture_output=True,
                text=True,
                check=False,
            )
            if FOUND in done.stdout + done.stderr:
                print(done.stdout + done.stderr)
                return done.returncode
            last = (done.stderr.strip().splitlines() or ["no answer"])[-1]
            print(f"  could not ask {service}: {last[:150]}", file=sys.stderr)
    print("  NOT AUDITED: no vulnerability service could be reached from here", file=sys.stderr)
    return 2


if __name__ == "__main__":
    raise SystemExit(main())

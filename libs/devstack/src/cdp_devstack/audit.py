"""Known vulnerabilities of everything in uv.lock: `python -m cdp_devstack.audit`, which needs a service to ask.

Never passes for what nobody could be asked about: exits 2 and says so. An index that only mirrors packages answers
every question with "not found", which pip-audit counts as clean.
"""

from __future__ import annotations

import json
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any, Final, TypeAlias

Answer: TypeAlias = dict[str, Any]  # what pip-audit says of one package

SERVICES: Final = ("pypi", "osv")
CLEAN, VULNERABLE, UNKNOWN = 0, 1, 2


def verdict(answers: list[Answer]) -> tuple[int, list[str]]:
    """The exit code, and what to say: vulnerable, unknown for any package that was not looked up, or clean."""
    bad = [f"{each['name']} {each['version']}: {vuln['id']}" for each in answers for vuln in each.get("vulns", ())]
    skipped = [each["name"] for each in answers if "skip_reason" in each]
    lines = [*bad, *([f"NOT AUDITED: {len(skipped)} of {len(answers)} packages"] if skipped else [])]
    return (VULNERABLE if bad else UNKNOWN if skipped or not answers else CLEAN), lines


def ask(service: str, requirements: Path) -> list[Answer]:
    """What a service knows of each package; nothing if it does not answer."""
    command = ["-m", "pip_audit", "--disable-pip", "--require-hashes", "-r", str(requirements), "-s", service]
    done = subprocess.run(
        [sys.executable, *command, "--format", "json", "--timeout", "20", "--progress-spinner", "off"],
        capture_output=True,
        text=True,
        check=False,
    )
    try:
        return list(json.loads(done.stdout)["dependencies"])
    except (ValueError, KeyError):
        return []


def main() -> int:
    """Ask one service after the other until one knows every package."""
    with tempfile.TemporaryDirectory() as folder:
        wanted = Path(folder) / "requirements.txt"
        export = [".uv/bin/uv", "export", "--quiet", "--frozen", "--offline", "--all-packages"]
        export += ["--no-emit-workspace", "--output-file", str(wanted)]
        subprocess.run(export, check=True, stdout=subprocess.DEVNULL)
        for service in SERVICES:
            code, lines = verdict(ask(service, wanted))
            print(f"  {service}: {('clean', 'vulnerable', 'could not be asked about all')[code]}")
            for line in lines:
                print(f"    {line}")
            if code != UNKNOWN:
                return code
    print("  NOT AUDITED: no vulnerability service that knows these packages can be reached", file=sys.stderr)
    return UNKNOWN


if __name__ == "__main__":
    raise SystemExit(main())

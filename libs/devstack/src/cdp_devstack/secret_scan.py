"""Looks for secrets in what is or would be committed: `python -m cdp_devstack.secret_scan`.

What stands in `.secrets.baseline` (as hashes) was looked at and is none; `--update` writes it anew. A line may
also say `pragma: allowlist secret`. Exits 1 for anything else.
"""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Final

from detect_secrets.core.secrets_collection import SecretsCollection
from detect_secrets.settings import default_settings

BASELINE: Final = Path(".secrets.baseline")
LEFT_OUT: Final = {
    "contracts/examples/": "pseudonyms and hashes of keys, which look like secrets and are made up",
    "uv.lock": "hashes of packages",
    BASELINE.name: "hashes of what was looked at",
}


def candidates() -> list[str]:
    """Every file of ours that is looked at."""
    command = ["git", "ls-files", "--cached", "--others", "--exclude-standard"]
    names = set(subprocess.check_output(command, text=True).splitlines())
    return sorted(name for name in names if Path(name).is_file() and not name.startswith(tuple(LEFT_OUT)))


def found_in(names: list[str]) -> dict[str, dict[str, str]]:
    """What looks like a secret, by file: its hash, and what kind with the line it stands in."""
    secrets = SecretsCollection()
    with default_settings():
        for name in names:
            secrets.scan_file(name)
    found: dict[str, dict[str, str]] = {}
    for name, secret in secrets:
        found.setdefault(name, {})[secret.secret_hash] = f"{secret.type}, line {secret.line_number}"
    return found


def main(arguments: list[str]) -> int:
    """Compare with the baseline, or write it."""
    found = found_in(candidates())
    if "--update" in arguments:
        known = {name: sorted(hashes) for name, hashes in sorted(found.items())}
        BASELINE.write_text(json.dumps(known, indent=1) + "\n")
        return 0
    known = json.loads(BASELINE.read_text())
    fresh = [
        f"{name}: {what}"
        for name, hashes in sorted(found.items())
        for digest, what in hashes.items()
        if digest not in known.get(name, ())
    ]
    for line in fresh:
        print(f"  looks like a secret: {line}", file=sys.stderr)
    return 1 if fresh else 0


if __name__ == "__main__":
    raise SystemExit(main(sys.argv[1:]))

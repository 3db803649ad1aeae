"""The contracts as they were before their newest change, for rolling services from one version to the other.

Only the contracts: what a service and the runtime themselves keep in their stores is theirs, and is not read by an
earlier version of them.
"""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Final

from cdp_devstack.platform import ROLES

SOURCE: Final = "contracts/src"


def previous_contracts(folder: Path) -> Mapping[str, str] | None:
    """What makes a process use them, unpacked into the folder. None, and why in a line, where that cannot be."""
    newest = git("log", "-1", "--format=%H", "--", SOURCE).decode().strip()
    tree = git("archive", f"{newest}^", SOURCE) if newest else b""
    if not tree:
        print("· no roll of contracts: there is no history here to take the earlier ones from")
        return None
    home = folder / "previous"
    home.mkdir(parents=True)
    subprocess.run(["tar", "-x", "-C", str(home)], input=tree, check=True)
    environment = {"PYTHONPATH": str(home / SOURCE)}
    if why := fault(environment, home / SOURCE):
        print(f"· no roll of contracts: the services cannot use those before {newest[:7]}: {why}")
        return None
    print(f"· contracts roll between those before {newest[:7]} and the present ones")
    return environment


def fault(environment: Mapping[str, str], source: Path) -> str:
    """Why the roles cannot be built on these contracts; empty if they can."""
    modules = sorted({spec.builder.partition(":")[0] for spec in ROLES})
    lines = ["import cdp_contracts", *(f"import {module}" for module in modules), "print(cdp_contracts.__file__)"]
    done = subprocess.run(
        [sys.executable, "-c", "\n".join(lines)], env=environment, capture_output=True, text=True, check=False
    )
    if done.returncode:
        return done.stderr.strip().splitlines()[-1]
    return "" if Path(done.stdout.strip()).is_relative_to(source) else "they are not the ones that are imported"


def git(*words: str) -> bytes:
    """What git prints; nothing where there is no repository or no such thing."""
    return subprocess.run(["git", *words], capture_output=True, check=False).stdout

"""The tree of the commit before the newest change of the contracts, for rolling from one version to the other."""

from __future__ import annotations

import subprocess
from pathlib import Path
from typing import Final

CODE: Final = ("contracts", "libs", "services")


def previous_tree(folder: Path) -> Path | None:
    """Unpack that commit's code into the folder; None where there is no history to take it from."""
    newest = git("log", "-1", "--format=%H", "--", "contracts/src")
    before = f"{newest.decode().strip()}^"
    if not newest or not git("rev-parse", "--verify", "--quiet", before):
        return None
    tree = folder / "previous"
    tree.mkdir(parents=True)
    subprocess.run(["tar", "-x", "-C", str(tree)], input=git("archive", before, *CODE), check=True)
    return tree


def git(*words: str) -> bytes:
    """What git prints; nothing where there is no repository or no such thing."""
    return subprocess.run(["git", *words], capture_output=True, check=False).stdout

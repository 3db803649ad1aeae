"""`python -m infra.generate [--check]`, from the repository's root."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

from infra.generate import kubernetes, settings_tables


def artifacts(root: Path) -> dict[str, str]:
    """Every generated file by its path in the repository."""
    return {**kubernetes.files(), **settings_tables.files(root)}


def stale(root: Path) -> dict[str, str | None]:
    """The files that are not what the code says, with what they should hold; None: not be there."""
    wanted: dict[str, str | None] = {**artifacts(root)}
    generated = (path for path in (root / kubernetes.FOLDER).rglob("*.yaml") if is_generated(path))
    wanted |= dict.fromkeys({path.relative_to(root).as_posix() for path in generated} - wanted.keys())
    return {name: text for name, text in sorted(wanted.items()) if text != text_at(root / name)}


def is_generated(path: Path) -> bool:
    """Whether we wrote it."""
    return path.read_text().startswith(kubernetes.NOTICE)


def text_at(path: Path) -> str | None:
    """What a file holds; None if there is none."""
    return path.read_text() if path.exists() else None


def main() -> int:
    """Write the stale files, or with `--check` name them and exit 1."""
    line = argparse.ArgumentParser(prog="python -m infra.generate", description=__doc__)
    line.add_argument("--check", action="store_true", help="write nothing, fail if a file is stale")
    check: bool = line.parse_args().check
    found = stale(Path())
    for name, text in found.items():
        sys.stdout.write(f"{'stale: ' if check else 'wrote '}{name}\n")
        if check:
            continue
        path = Path(name)
        if text is None:
            path.unlink()
        else:
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(text)
    return 1 if check and found else 0


if __name__ == "__main__":
    sys.exit(main())

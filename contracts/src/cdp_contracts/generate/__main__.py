"""`python -m cdp_contracts.generate [--check]`, from the repository's root."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Final

from cdp_contracts.generate import asyncapi, kafka, pages
from cdp_contracts.generate.gate import Exceptions, findings
from cdp_contracts.generate.released import UnknownRevisionError, released
from cdp_contracts.generate.schemas import BODIES, FOLDER, schema_of, schema_of_model, schema_path, schema_text
from cdp_contracts.topics import TOPICS

OK: Final = 0
STALE: Final = 1
REFUSED: Final = 2


def main(arguments: Sequence[str] | None = None) -> int:
    """Write the generated files, or name the stale ones. Exit 0: all is well, 1: stale, 2: refused."""
    options = parser().parse_args(arguments)
    root: Path = options.root
    if not (root / "contracts" / "pyproject.toml").exists():
        return say(REFUSED, f"{root.resolve()} is not the root of the repository; name it with --root")
    try:
        before = released(root, options.against)
    except UnknownRevisionError as error:
        return say(REFUSED, str(error))
    found = findings(TOPICS, before, Exceptions(options.readers_first, options.retire))
    for finding in found:
        say(OK, str(finding))
    if any(finding.refused for finding in found):
        return say(REFUSED, "nothing was written")
    stale = stale_files(root)
    if options.check:
        return say(STALE, *(f"stale: {path}" for path in stale), "run `make contracts`") if stale else OK
    write(root, stale)
    return say(OK, *(f"wrote {path}" for path in stale))


def parser() -> argparse.ArgumentParser:
    """The command line."""
    line = argparse.ArgumentParser(prog="python -m cdp_contracts.generate", description=main.__doc__)
    line.add_argument("--check", action="store_true", help="write nothing, fail if a file is stale")
    line.add_argument("--against", metavar="REV", help="the git revision that was released (default: HEAD)")
    line.add_argument("--readers-first", metavar="TOPIC", action="append", default=[],
                      help="accept a one-way change of a topic that only our own roles read")  # fmt: skip
    line.add_argument("--retire", metavar="TOPIC", action="append", default=[], help="a topic that ends")
    line.add_argument("--root", type=Path, default=Path(), help="the repository (default: the current folder)")
    return line


def artifacts() -> dict[str, str]:
    """Every generated file by its path in the repository."""
    return {
        **{schema_path(topic.name): schema_text(schema_of(topic)) for topic in TOPICS},
        **{path: schema_text(schema_of_model(model)) for path, model in BODIES.items()},
        kafka.PATH: kafka.topics_text(),
        kafka.ACLS_PATH: kafka.acls_text(),
        asyncapi.PATH: asyncapi.asyncapi_text(),
        pages.GRAPH_PATH: pages.graph_text(),
        pages.TABLE_PATH: pages.table_text(),
    }


def stale_files(root: Path) -> dict[str, str | None]:
    """The files that are not what the registry says, with what they should hold; None: not be there."""
    wanted: dict[str, str | None] = {**artifacts()}
    left_over = {path.relative_to(root).as_posix() for path in (root / FOLDER).glob("*.json")} - wanted.keys()
    wanted |= dict.fromkeys(sorted(left_over))
    return {path: text for path, text in wanted.items() if text != text_at(root / path)}


def text_at(path: Path) -> str | None:
    """What a file holds; None if there is none."""
    return path.read_text(encoding="utf-8") if path.exists() else None


def write(root: Path, files: dict[str, str | None]) -> None:
    """Put every file in its place, and remove those that should not be there."""
    for name, text in files.items():
        path = root / name
        if text is None:
            path.unlink()
        else:
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(text, encoding="utf-8")


def say(code: int, *lines: str) -> int:
    """Print lines and hand back the exit code."""
    sys.stdout.writelines(f"{line}\n" for line in lines)
    return code


if __name__ == "__main__":
    sys.exit(main())

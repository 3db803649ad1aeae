"""How a command ends when something is wrong, and how it prints rows."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator
from typing import NoReturn

import typer


def fail(message: str) -> NoReturn:
    """Say what is wrong on standard error and end with code 2."""
    typer.echo(message, err=True)
    raise typer.Exit(2)


def columns(rows: Iterable[list[str]], right: Collection[int] = ()) -> Iterator[str]:
    """Rows with their cells one below the other; the columns in `right` to the right."""
    cells = [*rows]
    widths = [max(map(len, column)) for column in zip(*cells, strict=True)]
    for row in cells:
        pairs = enumerate(zip(row, widths, strict=True))
        yield "  ".join(c.rjust(w) if n in right else c.ljust(w) for n, (c, w) in pairs).rstrip()

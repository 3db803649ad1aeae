"""How a command ends when something is wrong."""

from __future__ import annotations

from typing import NoReturn

import typer


def fail(message: str) -> NoReturn:
    """Say what is wrong on standard error and end with code 2."""
    typer.echo(message, err=True)
    raise typer.Exit(2)

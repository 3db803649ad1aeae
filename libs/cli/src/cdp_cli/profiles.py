"""`cdp profiles export|import`: people as a file, and a file as events."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated, Final

import httpx
import typer

from cdp_cli import exports, imports
from cdp_cli.console import fail

TIMEOUT: Final = 60

app: Final = typer.Typer(no_args_is_help=True, help="Profiles as a file, and a file as events.")

Url = Annotated[str, typer.Option(envvar="CDP_PROFILES_URL", help="base URL of profiles-http")]
SegmentsUrl = Annotated[str, typer.Option(envvar="CDP_SEGMENTS_URL", help="base URL of segments-http")]
Token = Annotated[str, typer.Option(envvar="CDP_READ_TOKEN", help="read token", show_default=False)]


@app.command("export")
def export(
    *,
    out: Annotated[Path, typer.Option(help="the file; beside it, until it is whole, a .partial and a .progress")],
    url: Url,
    token: Token,
    segments_url: SegmentsUrl = "",
    segment: Annotated[str | None, typer.Option(help="its members only, as of when they are read")] = None,
    format: Annotated[exports.Format, typer.Option(help="lines of JSON, or columns")] = "jsonl",  # noqa: A002
    purpose: Annotated[str | None, typer.Option(help="what it is for; who forbids it has no values")] = None,
    field: Annotated[list[str] | None, typer.Option(help="these fields only; repeat for more")] = None,
) -> None:
    """Write all profiles, or those of a segment, to a file. Run again, it goes on where it was broken off."""
    asked = exports.Asked(segment, purpose, tuple(field or ()))
    spool = exports.Spool(out)
    if segment and not segments_url:
        fail("--segment needs --segments-url (CDP_SEGMENTS_URL)")
    with client(url, token) as profiles, client(segments_url, token) as segments:
        reading = exports.Reading(profiles, segments, asked)
        try:
            count = spool.fill(reading.members if segment else reading.all, asked)
            spool.finish(format)
        except exports.Refused as error:
            fail(str(error))
    typer.echo(f"{count} profiles in {out}")


def client(url: str, token: str) -> httpx.Client:
    """Asks with the token."""
    return httpx.Client(base_url=url, headers={"Authorization": f"Bearer {token}"}, timeout=TIMEOUT)


@app.command("import")
def import_(
    file: Annotated[Path, typer.Argument(help="CSV with a heading (.csv), or lines of JSON", exists=True)],
    *,
    url: Annotated[str, typer.Option(envvar="CDP_COLLECTOR_URL", help="base URL of collector-http")],
    write_key: Annotated[str, typer.Option(envvar="CDP_WRITE_KEY", help="write key", show_default=False)],
    id_column: Annotated[str, typer.Option("--id", help="column with the user id")] = "user_id",
    time_column: Annotated[
        str | None, typer.Option("--time", help="column with the time from when a row holds")
    ] = None,
    at: Annotated[
        str | None, typer.Option(help="from when rows without a time hold; default: when the file was changed")
    ] = None,
    name: Annotated[str | None, typer.Option(help="part of message ids; default: the file's")] = None,
    typed: Annotated[bool, typer.Option(help="read cells of numbers, true and false as such")] = False,
    allow: Annotated[list[str] | None, typer.Option(help="a category the people allow; repeat for more")] = None,
    check: Annotated[bool, typer.Option(help="only say what would be rejected")] = False,
    after_row: Annotated[int, typer.Option(help="go on after this row")] = 0,
) -> None:
    """Send what a file says of people as `identify` events. The same row is the same event: safe to run again.

    Rows that are rejected are told by row, field and rule, and left out; exit code 1 if there are any. Until it is
    done, a .import file beside it says how far it came, and it goes on from there.
    """
    moment = datetime.fromisoformat(at) if at else datetime.fromtimestamp(file.stat().st_mtime, UTC)
    if moment.tzinfo is None:
        fail("--at: a time with its zone")
    reading = imports.Reading(
        name or file.name, id_column, moment.astimezone(UTC), time_column, typed, tuple(allow or ())
    )
    note = file.with_name(f"{file.name}.import")
    sent, wrong = 0, 0
    with httpx.Client(base_url=url, auth=(write_key, ""), timeout=TIMEOUT) as edge:
        try:
            start = max(after_row, 0 if check else row_in(note, file))
            for step in imports.run(reading, file, imports.Door(edge), start, check=check):
                for fault in step.faults:
                    typer.echo(f"row {fault.row}: {fault.field or '-'}: {fault.rule}", err=True)
                sent, wrong = sent + step.sent, wrong + len(step.faults)
                if not check:
                    note.write_text(json.dumps([state_of(file), step.row]))
        except imports.Refused as error:
            fail(f"{error}; run it again to go on")
    note.unlink(missing_ok=True)
    typer.echo(f"{sent} rows {'would be sent' if check else 'sent'}, {wrong} rejected")
    if wrong:
        raise typer.Exit(1)


def row_in(note: Path, file: Path) -> int:
    """The row that a broken import of the same file had come to."""
    of, row = json.loads(note.read_text()) if note.exists() else (None, 0)
    return int(row) if of == state_of(file) else 0


def state_of(file: Path) -> list[int]:
    """What tells whether a file is still the same."""
    found = file.stat()
    return [found.st_size, found.st_mtime_ns]

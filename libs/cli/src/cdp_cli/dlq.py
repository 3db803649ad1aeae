"""Dead letters: what could not be handled, why, and how it is tried again or dropped."""

from __future__ import annotations

import asyncio
import getpass
import json
from collections import Counter
from collections.abc import Awaitable, Callable
from datetime import UTC, datetime
from functools import partial
from typing import Annotated, Final

import typer
from cdp_contracts import failures_v1 as f
from cdp_contracts.topics import dead_letter_topics, topic_named
from cdp_runtime.clock import SystemClock
from cdp_runtime.kafka_client import KafkaProducer
from cdp_runtime.settings import KafkaSettings

from cdp_cli.console import fail
from cdp_cli.letters import Letter, Wanted, collected, in_order, moment
from cdp_cli.overtaking import Overtaking
from cdp_cli.records import read_to_end
from cdp_cli.settling import Settling

app: Final = typer.Typer(no_args_is_help=True, help=__doc__)

HIDDEN: Final = "…"
NOT_PROMISED: Final = """\
not promised: their order against what was handled meanwhile (joined by time: consent, traits, windows; a merge or
a choice that was handled since stays ahead); that a choice put back further up arrives before events put back
further down, unless you replay its topic first and let it flow; and, for what was put back without a mark because
this command was ended, that a counter counts it once after 15 minutes and 64 messages to the same person; and, on
a compacted topic, that nothing newer is written in the moment between the look at it and the letter."""

OVERTAKEN: Final = """\
were not replayed and are still open: their topic is compacted and has a newer record of the same key, which an old
one put behind it would hide. The newer record says all that holds now: `cdp dlq drop` them."""

Topic = Annotated[str, typer.Argument(help="a dead-letter topic, or part of its name; default: all")]
Service = Annotated[str, typer.Option(help="only of services or roles whose name contains this")]
Reason = Annotated[str, typer.Option(help="only letters whose reason contains this")]
Since = Annotated[str, typer.Option(help="set aside at or after: ISO 8601, or 90s, 15m, 2h, 7d ago")]
Until = Annotated[str, typer.Option(help="set aside before; as --since")]
DryRun = Annotated[bool, typer.Option("--dry-run", help="say what would be done, and do nothing")]
By = Annotated[str, typer.Option(envvar="CDP_OPERATOR", help="who does it; default: the user of this machine")]


@app.command("list")
def list_letters(
    *,
    topic: Topic = "",
    service: Service = "",
    reason: Reason = "",
    since: Since = "",
    until: Until = "",
    as_json: Annotated[bool, typer.Option("--json", help="a JSON object a line, of every letter")] = False,
    settled: Annotated[bool, typer.Option("--all", help="also those that were replayed or dropped")] = False,
    limit: Annotated[int, typer.Option(help="rows of the table; the counts below it are of all")] = 50,
) -> None:
    """List the letters that nobody has settled, and count them by topic and reason. Nothing personal is shown."""
    found = collect(topic, wanted(service, reason, since, until), values=False)
    shown = [letter for letter in found if settled or not letter.settled]
    if as_json:
        for letter in shown:
            typer.echo(json.dumps(described(letter), ensure_ascii=False))
        return
    for letter in shown[:limit]:
        typer.echo("  ".join(row(letter)))
    if len(shown) > limit:
        typer.echo(f"… and {len(shown) - limit} more: --limit, --json")
    totals = Counter((letter.record.topic, letter.said[f.REASON]) for letter in shown)
    for (name, why), count in sorted(totals.items()):
        typer.echo(f"{count:>7}  {name}  {why}")
    typer.echo(f"{totals.total()} dead letters")


@app.command()
def show(
    topic: Topic,
    place: Annotated[str, typer.Argument(help="partition:offset, as `list` prints it")],
    value: Annotated[bool, typer.Option("--value", help="also the bytes, the key and foreign headers")] = False,
) -> None:
    """Print one letter: why and where it failed, where it came from, its headers; the rest on demand."""
    found = collect(topic, lambda letter: letter.place == place)
    if len(found) != 1:
        fail(f"{len(found)} letters at {place} of {', '.join(matching(topic))}")
    (letter,) = found
    typer.echo(json.dumps(described(letter) | {"headers": headers_of(letter, value=value)}, indent=2))
    if value:
        typer.echo(f"key {letter.record.key!r}\n{letter.record.value!r}")


@app.command()
def replay(
    *,
    topic: Topic,
    service: Service = "",
    reason: Reason = "",
    since: Since = "",
    until: Until = "",
    rate: Annotated[float, typer.Option(min=0.1, max=5000, help="letters a second, at most")] = 50,
    by: By = "",
    dry_run: DryRun = False,
) -> None:
    """Put letters back where they came from, in the order of their topics and offsets, each once.

    Their bytes, headers, place and time stay as they were. A letter that was put back is marked and leaves the
    list; one that fails again comes as a new letter. On a compacted topic only the newest record of a key goes
    back.
    """
    found = collect(topic, wanted(service, reason, since, until))
    entries = in_order(found)
    letters = [letter for entry in entries for letter in entry]
    if strange := sum(not letter.settled for letter in found) - len(letters):
        typer.echo(f"{strange} letters do not say where they came from and are left alone", err=True)
    if dry_run:
        for letter in letters:
            typer.echo("  ".join(row(letter)))
        typer.echo(f"would replay {len(letters)} letters as {len(entries)} records")
        return
    settling = settled(lambda one: one.replay(letters, rate), by, "replayed", "replayed")
    for letter in settling.too_large:
        typer.echo(f"{letter.record.topic} {letter.place} is larger than its topic takes: still open", err=True)
    if settling.overtaken:
        typer.echo(f"{len(settling.overtaken)} letters {OVERTAKEN}", err=True)
    if letters:
        typer.echo(NOT_PROMISED)


@app.command()
def drop(
    *,
    topic: Topic,
    because: Annotated[str, typer.Option(help="why nobody needs them; kept beside the letters")],
    service: Service = "",
    reason: Reason = "",
    since: Since = "",
    until: Until = "",
    by: By = "",
    yes: Annotated[bool, typer.Option("--yes", help="really do it")] = False,
    dry_run: DryRun = False,
) -> None:
    """Settle letters without trying them again: they leave the list and are never replayed.

    Who did it, when and why is kept in the dead-letter topic. The bytes stay there until their retention ends.
    """
    if not because.strip():
        fail("--because must say why")
    found = collect(topic, wanted(service, reason, since, until), values=False)
    letters = [letter for letter in found if not letter.settled]
    if dry_run or not yes:
        for letter in letters:
            typer.echo("  ".join(row(letter)))
        typer.echo(f"would drop {len(letters)} letters")
        if not dry_run:
            fail("nothing was dropped: --yes drops them")
        return
    settled(lambda one: one.drop(letters), by, because, "dropped")


def wanted(service: str, reason: str, since: str, until: str) -> Wanted:
    """The filter of the options; ends the command if a time is none."""
    now = datetime.now(UTC)
    try:
        start, end = (moment(text, now) if text else None for text in (since, until))
    except ValueError:
        fail("--since and --until take ISO 8601 times, or durations as 90s, 15m, 2h, 7d")
    return Wanted(service=service, reason=reason, since=start, until=end)


def row(letter: Letter) -> tuple[str, ...]:
    """A line of the table."""
    said, origin = letter.said, letter.origin
    return (
        letter.record.topic,
        f"{letter.place:<9}",
        f"{letter.failed_at:%Y-%m-%d %H:%M:%S}",
        f"from {origin.partition}:{origin.offset}",
        f"attempts {said[f.ATTEMPTS]}",
        said[f.REASON],
        *([letter.settled] if letter.settled else []),
    )


def described(letter: Letter) -> dict[str, str | int]:
    """What is known of a letter without its bytes, its key and what others wrote into its headers."""
    said = {name.removeprefix("cdp_"): text for name, text in letter.said.items()}
    place = {"topic": letter.record.topic, "place": letter.place, "state": letter.settled or "open"}
    return {**place, **said}


def headers_of(letter: Letter, *, value: bool) -> dict[str, str]:
    """The headers that it came with. Where outsiders write, they may hold anything."""
    shown = value or (letter.returnable and not topic_named(letter.source).open)
    kept = [(name, text) for name, text in letter.record.headers if name not in f.DEAD_LETTER_HEADERS]
    return {name: text.decode("utf-8", "replace") if shown else HIDDEN for name, text in kept}


def matching(topic: str) -> list[str]:
    """The dead-letter topics that a person means."""
    found = [name for name in dead_letter_topics() if topic in name]
    if not found:
        fail(f"no dead-letter topic is called {topic}")
    return found


def collect(topic: str, choose: Callable[[Letter], bool], *, values: bool = True) -> list[Letter]:
    """The letters that a person means, by topic and place, settled ones too."""
    return asyncio.run(collected(read_to_end(KafkaSettings(), matching(topic)), choose, values=values))


def settled(work: Callable[[Settling], Awaitable[None]], by: str, because: str, word: str) -> Settling:
    """Run a piece of work on the broker; says how far it came, also if it was ended half way."""

    async def run(settling: Settling, producer: KafkaProducer) -> None:
        try:
            await work(settling)
        finally:
            await producer.close()

    settings, clock = KafkaSettings(), SystemClock()
    producer = KafkaProducer(settings)
    overtaking = Overtaking(partial(read_to_end, settings), clock)
    settling = Settling(producer, clock, by or getpass.getuser(), because, overtaking)
    try:
        asyncio.run(run(settling, producer))
    finally:
        typer.echo(f"{settling.done} letters {word}")
    return settling

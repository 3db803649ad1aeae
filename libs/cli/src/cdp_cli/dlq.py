"""Dead letters: what could not be handled, why, and how it is tried again."""

from __future__ import annotations

import asyncio
from collections import Counter
from typing import Annotated, Final

import typer
from cdp_contracts import failures_v1
from cdp_contracts.topics import TOPICS, dead_letter_topics
from cdp_runtime.kafka_client import KafkaProducer
from cdp_runtime.settings import KafkaSettings

from cdp_cli.records import Letter, letters, replayed

app: Final = typer.Typer(no_args_is_help=True, help=__doc__)

TOPIC: Final = typer.Argument(help="a dead-letter topic, or part of its name; default: all")
SOURCE: Final = (failures_v1.SOURCE_TOPIC, failures_v1.SOURCE_PARTITION, failures_v1.SOURCE_OFFSET)
KNOWN: Final = frozenset(topic.name for topic in TOPICS)
REASON: Final = typer.Option("--reason", help="only letters whose reason contains this")


@app.command("list")
def list_letters(topic: Annotated[str, TOPIC] = "") -> None:
    """Count the dead letters by topic and reason."""
    totals = Counter((letter.record.topic, letter.said[failures_v1.REASON]) for letter in collect(topic, ""))
    for (name, reason), count in sorted(totals.items()):
        typer.echo(f"{count:>7}  {name}  {reason}")
    typer.echo(f"{totals.total()} dead letters")


@app.command()
def show(
    topic: Annotated[str, TOPIC],
    reason: Annotated[str, REASON] = "",
    personal: Annotated[bool, typer.Option("--personal", help="show the bytes too")] = False,
) -> None:
    """Print each letter: its place, its reason, where it came from; its bytes only on demand."""
    for letter in collect(topic, reason):
        said = letter.said
        source = " ".join(said[part] for part in SOURCE)
        reason_at = f"{said[failures_v1.REASON]} at {said[failures_v1.FAILED_AT]}"
        typer.echo(f"{letter.record.topic} {letter.place}  {reason_at}  from {source}")
        if personal:
            typer.echo(f"  {letter.record.value!r}")


@app.command()
def replay(topic: Annotated[str, TOPIC], reason: Annotated[str, REASON] = "") -> None:
    """Put letters back on the topic they came from. The letters stay until their retention ends.

    Safe twice: ids stay as they were, so what was applied before is not applied again. Order against
    messages that went on meanwhile is not restored.
    """
    chosen = [letter for letter in collect(topic, reason) if letter.said[failures_v1.SOURCE_TOPIC] in KNOWN]
    asyncio.run(_send(chosen))
    typer.echo(f"{len(chosen)} letters replayed")


async def _send(chosen: list[Letter]) -> None:
    producer = KafkaProducer(KafkaSettings())
    try:
        await producer.send([replayed(letter) for letter in chosen])
    finally:
        await producer.close()


def matching(topic: str) -> list[str]:
    """The dead-letter topics that a person means."""
    found = [name for name in dead_letter_topics() if topic in name]
    if not found:
        typer.echo(f"no dead-letter topic is called {topic}", err=True)
        raise typer.Exit(2)
    return found


def collect(topic: str, reason: str) -> list[Letter]:
    """The letters of the topics that a person means, with that reason, topic by topic."""

    async def read() -> list[Letter]:
        found = [letter async for letter in letters(KafkaSettings(), matching(topic))]
        return [letter for letter in found if reason in letter.said[failures_v1.REASON]]

    return sorted(asyncio.run(read()), key=lambda letter: letter.record.topic)

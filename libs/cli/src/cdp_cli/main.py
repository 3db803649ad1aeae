"""The `cdp` command: topics, definitions, and looking into what flows."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated, Final
from urllib.parse import quote

import httpx
import typer
from aiokafka.errors import KafkaError
from cdp_contracts.topics import SEGMENTS_DEFINED, topic_named
from cdp_runtime.failures import Away
from cdp_runtime.kafka_client import KafkaProducer, fault_of
from cdp_runtime.settings import KafkaSettings
from pydantic import ValidationError

from cdp_cli import definitions, dlq, identity, matches, profiles, segments, stages, tail, topics
from cdp_cli.conservation import as_objects, ledger, table
from cdp_cli.console import fail
from cdp_cli.receipt import lines
from cdp_cli.records import read_to_end

app: Final = typer.Typer(no_args_is_help=True, add_completion=False, help=__doc__)
app.add_typer(dlq.app, name="dlq")
app.add_typer(identity.app, name="identity")
app.add_typer(matches.app, name="match")
app.add_typer(profiles.app, name="profiles")
app.add_typer(segments.app, name="segments")
topics_app: Final = typer.Typer(no_args_is_help=True, help="Compare the broker's topics with the registry.")
app.add_typer(topics_app, name="topics")
schemas_app: Final = typer.Typer(no_args_is_help=True, help="The contracts' JSON Schemas.")
app.add_typer(schemas_app, name="schemas")

TIMEOUT: Final = 10
PROFILES: Final = typer.Option(envvar="CDP_PROFILES_URL", help="base URL of profiles-http")
SEGMENTS: Final = typer.Option(envvar="CDP_SEGMENTS_URL", help="base URL of segments-http")
Urls = Annotated[list[str] | None, typer.Argument(help="base URLs of instances")]
Roles = Annotated[list[str] | None, typer.Option(help="every instance of a role, as CDP_<ROLE>_URL names them")]
AdminToken = Annotated[str, typer.Option(envvar="CDP_ADMIN_TOKEN", help="admin token", show_default=False)]
RECEIPTS: Final = typer.Option(envvar="CDP_RECEIPTS_URL", help="base URL of collector-receipts")
TOKEN: Final = typer.Option(envvar="CDP_READ_TOKEN", help="read token", show_default=False)


@app.command()
def apply(
    folder: Annotated[Path, typer.Argument(help="holds a folder a kind, such as sources/ and segments/")],
) -> None:
    """Check definitions, with the segments in force, and write them; nothing is written if any is bad."""
    try:
        loaded = definitions.load(folder)
        asyncio.run(_write(loaded))
    except definitions.BadDefinition as fault:
        fail(str(fault))
    for one in loaded:
        typer.echo(f"{one.topic.name}  {one.definition.id}  version {one.definition.version}")


async def _write(loaded: list[definitions.Loaded]) -> None:
    settings = KafkaSettings()
    in_force = await definitions.segments_in_force(read_to_end(settings, [SEGMENTS_DEFINED.name]))
    producer = KafkaProducer(settings)
    try:
        await definitions.apply(loaded, producer, in_force)
    finally:
        await producer.close()


@topics_app.command("plan")
def topics_plan() -> None:
    """Say what `apply` would create, and what differs in partitions or configuration. Exit 2 if anything does."""
    found = asyncio.run(topics.plan(KafkaSettings()))
    show(found, "missing")
    if found.missing or found.differing:
        raise typer.Exit(2)


@topics_app.command("apply")
def topics_apply(replication: Annotated[int, typer.Option(help="replicas of each partition")] = 1) -> None:
    """Create the topics that are missing; changes and deletes none, exit 1 if one differs. Safe to run again."""
    found = asyncio.run(topics.apply(KafkaSettings(), replication))
    show(found, "created")
    if found.differing:
        raise typer.Exit(1)


def show(found: topics.Plan, word: str) -> None:
    """Print a plan."""
    for topic in found.missing:
        typer.echo(f"{word}  {topic.name}  {topic.partitions} partitions")
    for line in found.differing:
        typer.echo(f"differs  {line}")
    typer.echo(f"{found.present} there, {len(found.missing)} {word}, {len(found.differing)} differing")


@app.command("tail")
def tail_topic(
    topic: Annotated[str, typer.Argument(help="a topic's name, or part of it")],
    from_beginning: Annotated[
        bool, typer.Option("--from-beginning", help="all that is kept, not only new")
    ] = False,
    limit: Annotated[int, typer.Option("--limit", "-n", help="stop after so many; 0: never")] = 0,
    personal: Annotated[bool, typer.Option("--personal", help="show personal data too")] = False,
) -> None:
    """Print messages as they come, one JSON object a line; personal data only on demand."""
    try:
        asyncio.run(
            tail.tail(KafkaSettings(), topic, from_beginning=from_beginning, limit=limit, personal=personal)
        )
    except LookupError as error:
        fail(str(error))
    except KeyboardInterrupt:
        raise typer.Exit from None


@app.command()
def profile(
    person: Annotated[str, typer.Argument(help="profile id, or user_id=…, anonymous_id=…, email=…")],
    url: Annotated[str, PROFILES],
    token: Annotated[str, TOKEN],
) -> None:
    """Print a person's profile."""
    kind, _, value = person.partition("=")
    typer.echo(
        get(f"{url}/v1/profiles", token, {kind: value}) if value else get(f"{url}/v1/profiles/{person}", token)
    )


@app.command()
def explain(
    segment: Annotated[str, typer.Argument(help="the segment's name")],
    profile_id: Annotated[str, typer.Argument(help="the person's profile id")],
    url: Annotated[str, SEGMENTS],
    token: Annotated[str, TOKEN],
) -> None:
    """Say why a person is in a segment or is not."""
    typer.echo(get(f"{url}/v1/segments/{segment}/explain/{profile_id}", token))


@app.command()
def halt(urls: Urls = None, role: Roles = None, admin_token: AdminToken = "") -> None:  # nosec B107  # none is given
    """Let instances finish the batch at hand, commit it, and fetch no more until they are resumed.

    They stay alive and keep their partitions. An instance that is not named goes on, and one that is restarted
    has forgotten it: name every instance of a role.
    """
    ask("halt", urls or [], role or [], admin_token)


@app.command()
def resume(urls: Urls = None, role: Roles = None, admin_token: AdminToken = "") -> None:  # nosec B107  # none is given
    """Let halted instances go on exactly where they stood.

    One that halted by itself sets aside what the batch at hand calls for; on a topic that must lose nothing it
    halts again at the same message.
    """
    ask("resume", urls or [], role or [], admin_token)


def ask(word: str, urls: Sequence[str], roles: Sequence[str], token: str) -> None:
    """Ask every instance; ends with code 2 if any could not do it."""
    failed = []
    try:
        named = stages.instances(urls, roles)
    except stages.Refused as error:
        fail(str(error))
    for url in named:
        try:
            done = stages.command(url, word, token)
        except stages.Refused as error:
            failed.append(str(error))
        else:
            typer.echo(f"{url}  {', '.join(f'{count} {name}' for name, count in done.items())}")
    if failed:
        fail("\n".join(failed))


@app.command()
def receipt(
    message_id: Annotated[str, typer.Argument(help="the event's messageId")],
    url: Annotated[str, RECEIPTS],
    token: Annotated[str, TOKEN],
    as_json: Annotated[bool, typer.Option("--json", help="the answer as it is")] = False,
) -> None:
    """Say what became of an event."""
    found = get(f"{url}/v1/receipts/{quote(message_id, safe='')}", token)
    typer.echo(found if as_json else "\n".join(lines(json.loads(found))))


@app.command()
def conservation(
    minutes: Annotated[float | None, typer.Option(help="only what came in the last minutes; default: all")] = None,
    as_json: Annotated[bool, typer.Option("--json", help="rows for programs")] = False,
) -> None:
    """Print what went into every hop and what became of it; exit code 1 if anything is lost."""
    rows = asyncio.run(ledger(KafkaSettings(), datetime.now(UTC), minutes))
    for line in [json.dumps(as_objects(rows), indent=2)] if as_json else table(rows):
        typer.echo(line)
    if not all(row.balanced for row in rows):
        raise typer.Exit(1)


@schemas_app.command("show")
def schemas_show(topic: Annotated[str, typer.Argument(help="a topic's full name")]) -> None:
    """Print the JSON Schema of a topic's messages."""
    try:
        model = topic_named(topic).model
    except KeyError:
        fail(f"no topic is called {topic}; `cdp schemas list` names them")
    typer.echo(json.dumps(model.model_json_schema(), indent=2))


@schemas_app.command("list")
def schemas_list() -> None:
    """Print every topic with its owner and what it holds."""
    for topic in tail.TOPICS:
        typer.echo(f"{topic.name:<42} {topic.owner:<10} {topic.description}")


def get(url: str, token: str, query: dict[str, str] | None = None) -> str:
    """The pretty-printed answer of a read API; ends the command with its message if it is an error."""
    try:
        answer = httpx.get(url, params=query, headers={"Authorization": f"Bearer {token}"}, timeout=TIMEOUT)
    except httpx.HTTPError as error:
        fail(f"{url}: {type(error).__name__}")
    body = answer.json() if "json" in answer.headers.get("content-type", "") else {"message": "not JSON"}
    if answer.is_error:
        fail(f"{answer.status_code}: {body.get('message', '')}")
    return json.dumps(body, indent=2, ensure_ascii=False)


def run() -> None:
    """The command. What it needs and cannot reach, or is not told, is said in a line, without a traceback."""
    try:
        app(prog_name="cdp")
    except (Away, KafkaError, ConnectionError):
        settings = KafkaSettings()
        why = asyncio.run(fault_of(settings))
        typer.echo(f"Kafka at {settings.bootstrap} (CDP_KAFKA_BOOTSTRAP) does not answer: {why}", err=True)
        raise SystemExit(2) from None
    except ValidationError as error:
        for line in definitions.explain(error):
            typer.echo(f"environment: {line}", err=True)
        raise SystemExit(2) from None


if __name__ == "__main__":
    run()

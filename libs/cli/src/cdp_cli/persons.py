"""`cdp identity explain|graph|unmerge|join`: who is one person, why, and that it is otherwise."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Annotated, Any, Final, Literal
from uuid import UUID

import httpx
import typer

from cdp_cli import stages
from cdp_cli.console import fail

TIMEOUT: Final = 60
ROLE: Final = "identity-resolver"
PSEUDONYM: Final = re.compile(r"[0-9a-f]{32,64}")

Identifier = Annotated[str, typer.Argument(help="an identifier as <kind>=<value>, or a pseudonym")]
Tenant = Annotated[str, typer.Option(help="whose persons")]
Url = Annotated[str, typer.Option(help="base URL of a resolver; default: CDP_IDENTITY_RESOLVER_URL")]
AdminToken = Annotated[str, typer.Option(envvar="CDP_ADMIN_TOKEN", help="admin token", show_default=False)]


def explain(
    one: Identifier, other: Identifier, *, tenant: Tenant = "demo", url: Url = "", admin_token: AdminToken = ""
) -> None:
    """Say whether two identifiers are one person, and by which evidence."""
    said = ask(url, admin_token, "explain", {"tenant": tenant, "one": named(one), "other": named(other)})
    for link in said["path"]:
        typer.echo(line(link))
    for link in said["taken_back"]:
        typer.echo(f"{line(link)}  taken back by {link['reverted_by']}")
    first, second = said["profile_ids"]
    typer.echo(f"one person: {first}" if said["same"] else f"two persons: {first} and {second}")


def graph(
    identifier: Identifier,
    *,
    tenant: Tenant = "demo",
    svg: Annotated[Path | None, typer.Option(help="write a picture to this file")] = None,
    url: Url = "",
    admin_token: AdminToken = "",
) -> None:
    """Print a person's identifiers and evidence as JSON, or draw them."""
    body = {"tenant": tenant, "identifier": named(identifier)}
    answer = answer_of(url, admin_token, "graph", body, "image/svg+xml" if svg else "application/json")
    if svg:
        svg.write_text(answer.text)
        typer.echo(f"wrote {svg}")
    else:
        typer.echo(answer.text)


def unmerge(
    *,
    group: Annotated[
        list[str] | None, typer.Option(help="identifiers between commas that are to be a person; repeat for more")
    ] = None,
    link: Annotated[tuple[str, str] | None, typer.Option(help="part what these two joined")] = None,
    absorbed: Annotated[UUID | None, typer.Option(help="part what this profile brought by its merge")] = None,
    tenant: Tenant = "demo",
    reason: Annotated[str, typer.Option(help="why; no personal data")] = "",
    by: Annotated[str, typer.Option(help="who wants it; no personal data")] = "admin",
    yes: Annotated[bool, typer.Option("--yes", help="do it; else only say what would be parted")] = False,
    url: Url = "",
    admin_token: AdminToken = "",
) -> None:
    """Part what was taken for one person. The parts stay apart until somebody joins them again."""
    body: dict[str, Any] = {"tenant": tenant, "reason": reason, "by": by, "dry_run": not yes}
    body["groups"] = [[named(each) for each in names.split(",") if each] for names in group or ()]
    body["link"] = [named(each) for each in link] if link else None
    body["absorbed"] = str(absorbed) if absorbed else None
    said = ask(url, admin_token, "unmerge", body)
    typer.echo(f"{said['profile_id']} keeps {len(said['keeps'])} identifiers: {' '.join(said['keeps'])}")
    for names in said["groups"]:
        typer.echo(f"a new person gets {len(names)}: {' '.join(names)}")
    typer.echo(f"asked for as {said['request']}" if yes else "nothing was done: --yes does it")


def join(
    one: Identifier,
    other: Identifier,
    *,
    tenant: Tenant = "demo",
    by: Annotated[str, typer.Option(help="who says so; no personal data")] = "admin",
    url: Url = "",
    admin_token: AdminToken = "",
) -> None:
    """Say that two identifiers are one person's: it takes an unmerge back, but breaks no limit."""
    body = {"tenant": tenant, "one": named(one), "other": named(other), "by": by}
    said = ask(url, admin_token, "join", body)
    typer.echo(f"asked for as {said['request']}")


def named(text: str) -> dict[str, str]:
    """An identifier as it is written on the command line."""
    kind, equals, value = text.partition("=")
    if equals and kind and value:
        return {"kind": kind.strip(), "value": value}
    if not PSEUDONYM.fullmatch(text.strip()):
        fail("an identifier is <kind>=<value>, such as user_id=ada, or a pseudonym")
    return {"pseudonym": text.strip()}


def line(link: dict[str, Any]) -> str:
    """A piece of evidence for a person to read."""
    by = f"  by {link['by']}" if link["by"] else ""
    return f"{link['first']} - {link['other']}  {link['rule']}  {link['source']}  {link['seen_at']}{by}"


def ask(url: str, token: str, what: Literal["explain", "unmerge", "join"], body: dict[str, Any]) -> dict[str, Any]:
    """The answer of a resolver; ends the command with its message if it is an error."""
    return dict(answer_of(url, token, what, body, "application/json").json())


def answer_of(url: str, token: str, what: str, body: dict[str, Any], accept: str) -> httpx.Response:
    """The same, as it came."""
    try:
        base = stages.instances([url] if url else [], [] if url else [ROLE])[0]
    except stages.Refused as error:
        fail(str(error))
    headers = {"Authorization": f"Bearer {token}", "Accept": accept}
    try:
        answer = httpx.post(f"{base}/{what}", json=body, headers=headers, timeout=TIMEOUT)
    except httpx.HTTPError as error:
        fail(f"{base}: {type(error).__name__}")
    if answer.is_error:
        said = answer.json() if "json" in answer.headers.get("content-type", "") else {}
        fail(f"{answer.status_code}: {said.get('message', '')}")
    return answer

"""`cdp identity`: persons and the rules that make them."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any, Final

import httpx
import typer
from cdp_contracts.topics import IDENTITY_RULES_DEFINED

from cdp_cli import definitions, persons, stages
from cdp_cli.console import fail

app: Final = typer.Typer(no_args_is_help=True, help="Who is one person, why, and by which rules.")

TIMEOUT: Final = 1800
ROLE: Final = "identity-resolver"
AdminToken = Annotated[str, typer.Option(envvar="CDP_ADMIN_TOKEN", help="admin token", show_default=False)]


@app.callback()
def identity() -> None:
    """Who is one person, why, and by which rules."""


for command in (persons.explain, persons.graph, persons.unmerge, persons.join):
    app.command()(command)


@app.command("dry-run")
def dry_run(
    file: Annotated[Path, typer.Argument(help="the rules, as `cdp apply` would read them")],
    url: Annotated[str, typer.Option(help="base URL of a resolver; default: CDP_IDENTITY_RESOLVER_URL")] = "",
    admin_token: AdminToken = "",  # nosec B107  # none is given
    as_json: Annotated[bool, typer.Option("--json", help="the answer as it is")] = False,
) -> None:
    """Say what these rules would have made of the persons there are. Changes nothing; it takes time."""
    try:
        loaded = definitions.read(file, IDENTITY_RULES_DEFINED)
        base = stages.instances([url] if url else [], [] if url else [ROLE])[0]
    except (definitions.BadDefinition, stages.Refused) as error:
        fail(str(error))
    headers = {"Authorization": f"Bearer {admin_token}"}
    body = loaded.definition.model_dump(mode="json")
    try:
        answer = httpx.post(f"{base}/dry-run", json=body, headers=headers, timeout=TIMEOUT)
    except httpx.HTTPError as error:
        fail(f"{base}: {type(error).__name__}")
    if answer.is_error:
        fail(f"{base}: {answer.status_code}: {answer.json().get('message', '')}")
    typer.echo(answer.text if as_json else "\n".join(lines(answer.json())))


def lines(report: dict[str, Any]) -> list[str]:
    """A report for a person to read."""
    told = [
        (
            "links gone through",
            f"{report['links']:,}" + ("" if report["whole"] else " (the oldest; there are more)"),
        ),
        ("persons", f"{report['persons_now']:,} today, {report['persons_then']:,} under these rules"),
        ("persons who would be several", f"{report['persons_split']:,}"),
        ("persons who would become one", f"{report['persons_joined']:,}"),
        ("pairs of today that would be refused", f"{report['merges_refused']:,}"),
        ("refused pairs that would be one", f"{report['refusals_merged']:,}"),
        ("identifiers that would be blocked", f"{report['identifiers_blocked']:,}"),
        ("devices that would be shared", f"{report['shared_devices']:,}"),
        *((f"refusals by {limit}", f"{count:,}") for limit, count in sorted(report["refused_by"].items())),
        *(
            (f"of {each['kind']} {each['identifier']}", f"{each['size']:,} identifiers")
            for each in report["largest"]
        ),
    ]
    width = max(len(name) for name, _ in told)
    return [*(f"{name:<{width}}  {value}" for name, value in told), report["note"]]

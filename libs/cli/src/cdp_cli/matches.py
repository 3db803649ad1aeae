"""`cdp match`: pairs of profiles that may be one person, and what people say of them."""

from __future__ import annotations

import json
from typing import Annotated, Any, Final, Literal
from uuid import UUID

import httpx
import typer

from cdp_cli.console import fail

app: Final = typer.Typer(no_args_is_help=True, help="Review pairs of profiles that may be one person.")

TIMEOUT: Final = 10
Url = Annotated[str, typer.Option(envvar="CDP_MATCHES_URL", help="base URL of identity-matcher")]
Token = Annotated[str, typer.Option(envvar="CDP_STEWARD_TOKEN", help="steward's token", show_default=False)]
One = Annotated[UUID, typer.Argument(help="profile id of one of the two")]
Other = Annotated[UUID, typer.Argument(help="profile id of the other")]


@app.command("list")
def list_pairs(url: Url, token: Token, limit: Annotated[int, typer.Option("--limit", "-n")] = 50) -> None:
    """Print the pairs that wait for a verdict, likeliest first: score, both profile ids, why a person is asked."""
    answer = ask("GET", f"{url}/v1/matches", token, params={"limit": limit})
    for pair in answer["pairs"]:
        typer.echo(f"{pair['score']:>7.2f}  {pair['profile_id']}  {pair['other']}  {pair['held']}")


@app.command("show")
def show_pair(profile_id: One, other: Other, url: Url, token: Token) -> None:
    """Print one pair field by field, and what was told of both (personal data)."""
    answer = ask("GET", f"{url}/v1/matches/{profile_id}/{other}", token)
    typer.echo(json.dumps(answer, indent=2, ensure_ascii=False))


@app.command("decide")
def decide_pair(
    profile_id: One,
    other: Other,
    verdict: Annotated[Literal["same", "different"], typer.Argument(help="what they are")],
    url: Url,
    token: Token,
) -> None:
    """Say whether two profiles are one person. The later verdict stands."""
    address = f"{url}/v1/matches/{profile_id}/{other}/verdict"
    answer = ask("POST", address, token, body={"verdict": verdict})
    typer.echo(f"{profile_id} and {other}: {answer['verdict']}")


def ask(
    method: str, url: str, token: str, *, params: dict[str, int] | None = None, body: dict[str, str] | None = None
) -> dict[str, Any]:
    """The answer of the queue; ends the command with its message if it is an error."""
    headers = {"Authorization": f"Bearer {token}"}
    try:
        answer = httpx.request(method, url, params=params, json=body, headers=headers, timeout=TIMEOUT)
    except httpx.HTTPError as error:
        fail(f"{url}: {type(error).__name__}")
    said = answer.json() if "json" in answer.headers.get("content-type", "") else {"message": "not JSON"}
    if answer.is_error:
        fail(f"{answer.status_code}: {said.get('message', '')}")
    return dict(said)

"""`cdp segments`: how large segments are, how that changes, whom a condition would hold of, and why."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import Annotated, Any, Final, Literal, TypeAlias
from uuid import UUID

import httpx
import typer
import yaml

from cdp_cli.console import columns, fail

app: Final = typer.Typer(no_args_is_help=True, help="Read segments: sizes, people, previews, histories, and why.")

TIMEOUT: Final = 60
Json: TypeAlias = dict[str, Any]  # an answer of the API, or a part of it
Url = Annotated[str, typer.Option(envvar="CDP_SEGMENTS_URL", help="base URL of segments-http")]
Token = Annotated[str, typer.Option(envvar="CDP_READ_TOKEN", help="read token", show_default=False)]
AsJson = Annotated[bool, typer.Option("--json", help="the answer as it is")]
Name = Annotated[str, typer.Argument(help="the segment's name")]
Profile = Annotated[UUID, typer.Argument(help="the person's profile id")]


@app.command("list")
def list_segments(url: Url, token: Token, as_json: AsJson = False) -> None:
    """Print every segment: how far it has come, the version in force and the one wanted, and its size."""
    show(ask("GET", f"{url}/v1/segments", token), segment_lines, as_json=as_json)


@app.command("show")
def show_segment(name: Name, url: Url, token: Token, as_json: AsJson = False) -> None:
    """Print one segment: its condition, its size, and how that changed in the last 30 days."""
    found = ask("GET", f"{url}/v1/segments/{name}", token)
    size = ask("GET", f"{url}/v1/segments/{name}/size", token)
    activity = ask("GET", f"{url}/v1/segments/{name}/activity", token)
    show({**size, **found, "activity": activity}, detail_lines, as_json=as_json)


@app.command()
def activity(
    name: Name,
    *,
    url: Url,
    token: Token,
    bucket: Annotated[Literal["hour", "day"], typer.Option(help="how wide")] = "day",
    since: Annotated[str, typer.Option("--from", help="an instant, such as 2026-01-05T00:00:00Z")] = "",
    to: Annotated[str, typer.Option(help="an instant")] = "",
    as_json: AsJson = False,
) -> None:
    """Print who entered and left, hour by hour or day by day."""
    query = {key: value for key, value in {"bucket": bucket, "from": since, "to": to}.items() if value}
    show(ask("GET", f"{url}/v1/segments/{name}/activity", token, query), activity_lines, as_json=as_json)


@app.command()
def preview(
    file: Annotated[Path, typer.Argument(help="YAML: a definition, or a condition alone")],
    url: Url,
    token: Token,
    exact: Annotated[bool, typer.Option("--exact", help="ask everybody, however many")] = False,
    as_json: AsJson = False,
) -> None:
    """Say how many people a condition would hold of, before it is applied. Exit 2 if it makes no sense."""
    try:
        read = yaml.safe_load(file.read_text())
    except OSError as error:
        fail(f"{file}: {error.strerror}")
    except (yaml.YAMLError, UnicodeDecodeError) as error:
        fail(f"{file}: not YAML: {error}")
    when = read["when"] if isinstance(read, dict) and "when" in read else read
    answer = ask("POST", f"{url}/v1/segments/preview", token, body={"when": when, "exact": exact})
    show(answer, preview_lines, as_json=as_json)


@app.command()
def overlap(
    one: Name,
    other: Annotated[str, typer.Argument(help="another segment's name")],
    url: Url,
    token: Token,
    as_json: AsJson = False,
) -> None:
    """Say how far two segments are the same people."""
    show(ask("GET", f"{url}/v1/segments/overlap", token, {"a": one, "b": other}), overlap_lines, as_json=as_json)


@app.command()
def history(
    profile_id: Profile,
    *,
    url: Url,
    token: Token,
    segment: Annotated[str, typer.Option(help="of this segment alone")] = "",
    as_of: Annotated[str, typer.Option(help="as if it were this instant")] = "",
    limit: Annotated[int, typer.Option("--limit", "-n", help="flips at most")] = 50,
    as_json: AsJson = False,
) -> None:
    """Print what a person entered and left, newest first, and the memberships at an instant."""
    query = {
        key: value for key, value in {"segment": segment, "as_of": as_of, "limit": str(limit)}.items() if value
    }
    answer = ask("GET", f"{url}/v1/profiles/{profile_id}/segments/history", token, query)
    show(answer, history_lines, as_json=as_json)


@app.command()
def explain(name: Name, profile_id: Profile, url: Url, token: Token, as_json: AsJson = False) -> None:
    """Say why a person is in a segment or is not, condition by condition, and what would change that."""
    answer = ask("GET", f"{url}/v1/segments/{name}/explain/{profile_id}", token)
    show(answer, explanation_lines, as_json=as_json)


def segment_lines(answer: Json) -> Iterator[str]:
    """A line a segment."""
    rows = [[s["name"], come(s), versions(s), f"{s['size']:,}", s["title"]] for s in answer["segments"]]
    return columns(rows, right={3})


def detail_lines(answer: Json) -> Iterator[str]:
    """What there is to say of one."""
    share = answer["share"]
    yield f"{answer['name']}  {answer['title']}"
    yield f"  {come(answer)}, {versions(answer)}, owned by {answer['owner'] or 'nobody'}"
    yield f"  {answer['condition']}"
    part = "" if share is None else f", {share:.2%} of {answer['population']:,} people"
    yield f"  {answer['size']:,} people{part}"
    moves = answer["activity"]
    yield f"  in 30 days {moves['entered']:,} entered, {moves['left']:,} left{unrest(moves['volatility'])}"


def come(segment: Json) -> str:
    """How far it has come."""
    return f"{segment['status']} {segment['percent']}%" if segment["status"] == "counting" else segment["status"]


def versions(segment: Json) -> str:
    """The version in force, and the one that is wanted, if that is another."""
    in_force, wanted = segment["version_in_force"], f"v{segment['version']}"
    if in_force == segment["version"]:
        return wanted
    return f"{'none' if in_force is None else f'v{in_force}'} -> {wanted}"


def activity_lines(answer: Json) -> Iterator[str]:
    """A line a bucket, then the totals."""
    head = ["", "entered", "left", "net", "size", "left by"]
    yield from columns([head, *map(bucket_cells, answer["buckets"])], right={1, 2, 3, 4})
    yield f"{answer['entered']:,} entered, {answer['left']:,} left{unrest(answer['volatility'])}"


def bucket_cells(bucket: Json) -> list[str]:
    """What happened in an hour or a day."""
    numbers = [f"{bucket[key]:,}" for key in ("entered", "left")]
    return [bucket["start"], *numbers, f"{bucket['net']:+,}", f"{bucket['size']:,}", causes(bucket["left_by"])]


def preview_lines(answer: Json) -> Iterator[str]:
    """The number, the estimate, and what cannot be known."""
    yield answer["condition"]
    population, sample, estimate = answer["population"], answer["sample"], answer["estimate"]
    if answer["exact"] is not None:
        yield f"  {answer['exact']:,} of {population:,} people"
    elif estimate:
        yield (
            f"  about {estimate['size']:,} of {population:,} people ({estimate['share']:.2%}), with 95 % from "
            f"{estimate['low']:,} to {estimate['high']:,}; {sample['size']:,} were asked"
        )
    if bounds := answer["bounds"]:
        yield f"  between {bounds['at_least']:,} and {bounds['at_most']:,} of {population:,} people"
    for part in answer["unknown_parts"]:
        yield f"  not known: {part['condition']} ({part['path']}): {part['why']}"


def overlap_lines(answer: Json) -> Iterator[str]:
    """The parts of a Venn diagram."""
    a, b = answer["a"], answer["b"]
    rows = [
        [f"{a} and {b}", f"{answer['both']:,}"],
        [f"only {a}", f"{answer['only_a']:,}"],
        [f"only {b}", f"{answer['only_b']:,}"],
    ]
    yield from columns(rows, right={1})
    if answer["jaccard"] is not None:
        yield f"Jaccard {answer['jaccard']:.4f}"
    if answer["lift"] is not None:
        yield f"lift {answer['lift']:.2f}: so many times likelier in {b} if in {a}"


def history_lines(answer: Json) -> Iterator[str]:
    """Where the person was, then a line a flip."""
    if answer["profile_id"] != answer["asked"]:
        yield f"{answer['asked']} is part of {answer['profile_id']} by now"
    if answer["memberships"] is None:
        yield f"at {answer['as_of']}: not known; the history reaches back to {answer['complete_from']}"
    else:
        names = ", ".join(member["segment"] for member in answer["memberships"])
        yield f"at {answer['as_of']}: {names or 'in no segment'}"
    rows = [
        [f["at"], "entered" if f["entered"] else "left", f["segment"], f["cause"], said(f["reasons"])]
        for f in answer["flips"]
    ]
    yield from columns(rows)
    if answer["next"]:
        yield "there are more: --limit"


def flip_cells(flip: Json) -> list[str]:
    """When, which way, which segment, and why."""
    way = "entered" if flip["entered"] else "left"
    return [flip["at"], way, flip["segment"], flip["cause"], said(flip["reasons"])]


def explanation_lines(answer: Json) -> Iterator[str]:
    """The summary, then the condition as a tree."""
    yield f"{answer['title'] or answer['segment']}: {answer['summary']}"
    if answer["why"]:
        yield from part_lines(answer["why"], 1)


def part_lines(part: Json, depth: int) -> Iterator[str]:
    """One condition, what was measured, and what would flip it; then its parts."""
    mark = "yes" if part["satisfied"] else "no "
    measured = "" if part["value"] is None else f"  (is {json.dumps(part['value'])})"
    yield f"{'  ' * depth}{mark} {part['condition']}{measured}"
    if not part["of"]:
        yield from (f"{'  ' * depth}    changes with: {remedy['words']}" for remedy in part.get("flips_if", ()))
    for inner in part["of"]:
        yield from part_lines(inner, depth + 1)


def unrest(volatility: float | None) -> str:
    """The volatility, if there is any."""
    return "" if volatility is None else f", volatility {volatility:.2f}"


def causes(counts: dict[str, int]) -> str:
    """What made people leave."""
    return ", ".join(f"{cause} {count:,}" for cause, count in counts.items())


def said(reasons: Iterable[Json]) -> str:
    """The conditions that held or did not."""
    return "; ".join(f"{'' if r['satisfied'] else 'not '}{r['condition']}" for r in reasons)


def show(answer: Json, lines: Callable[[Json], Iterator[str]], *, as_json: bool) -> None:
    """Print an answer for a person, or for a program."""
    typer.echo(json.dumps(answer, indent=2, ensure_ascii=False) if as_json else "\n".join(lines(answer)))


def ask(method: str, url: str, token: str, query: dict[str, str] | None = None, body: Json | None = None) -> Json:
    """The answer of the API; ends the command with its message, and every fault, if it is an error."""
    headers = {"Authorization": f"Bearer {token}"}
    try:
        answer = httpx.request(method, url, params=query, json=body, headers=headers, timeout=TIMEOUT)
    except httpx.HTTPError as error:
        fail(f"{url}: {type(error).__name__}")
    found = answer.json() if "json" in answer.headers.get("content-type", "") else {"message": "not JSON"}
    if answer.is_error:
        fail(
            "\n".join([f"{answer.status_code}: {found.get('message', '')}", *map(fault, found.get("faults", ()))])
        )
    return dict(found)


def fault(found: Json) -> str:
    """What is wrong with a condition, and where."""
    hint = f"; did you mean {found['did_you_mean']}?" if found.get("did_you_mean") else ""
    return f"  {found['path']}: {found['expected']}{hint}"

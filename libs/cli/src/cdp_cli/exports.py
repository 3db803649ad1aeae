"""Profiles as a file: page by page into a spool that a broken export goes on with, then under its name."""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final, Literal, NamedTuple, TypeAlias
from urllib.parse import quote

import httpx

Format: TypeAlias = Literal["jsonl", "parquet"]

PAGE: Final = 1000
LOOKUP: Final = 100
RETRIED: Final = frozenset({429, 503})
PATIENCE: Final = 60


class Refused(Exception):  # noqa: N818
    """The export cannot go on. The text says why."""


class Page(NamedTuple):
    """Some profiles as they were answered, and where the next page begins; None after the last."""

    profiles: Sequence[Mapping[str, Any]]
    cursor: str | None


class Asked(NamedTuple):
    """What is exported: of everybody or of a segment, for a purpose, which fields."""

    segment: str | None = None
    purpose: str | None = None
    fields: tuple[str, ...] = ()


Pages: TypeAlias = Callable[[str | None], Page]


@dataclass(frozen=True, slots=True)
class Reading:
    """Where profiles, and the members of segments, are read. Waits for up to a minute for who is away."""

    profiles: httpx.Client
    segments: httpx.Client
    asked: Asked

    def all(self, cursor: str | None) -> Page:
        """A page of everybody."""
        params: dict[str, Any] = {"limit": PAGE, "fields": self.asked.fields}
        answer = self._answer(self.profiles, "GET", "/v1/exports/profiles", params | after(cursor))
        follow = answer.links.get("next")
        following = httpx.URL(follow["url"]).params["after"] if follow else None
        return Page([json.loads(line) for line in answer.text.splitlines()], following)

    def members(self, cursor: str | None) -> Page:
        """A page of a segment: its members as segments-http names them, and who they are."""
        where = f"/v1/segments/{quote(self.asked.segment or '', safe='')}/members"
        params: dict[str, Any] = {"limit": LOOKUP} | ({"cursor": cursor} if cursor else {})
        members = self._answer(self.segments, "GET", where, params).json()
        ids = [member["profile_id"] for member in members["members"]]
        if not ids:
            return Page([], members["next"])
        body = {"ids": ids, "fields": self.asked.fields}
        found = self._answer(self.profiles, "POST", "/v1/profiles/lookup", {}, body).json()["found"]
        return Page([one["profile"] for one in found], members["next"])

    def _answer(
        self, client: httpx.Client, method: str, path: str, params: Mapping[str, Any], body: Any = None
    ) -> httpx.Response:
        headers = {"X-Purpose": self.asked.purpose} if self.asked.purpose else {}
        deadline = time.monotonic() + PATIENCE
        while True:
            wait, why = 1.0, ""
            try:
                answer = client.request(method, path, params=params, json=body, headers=headers)
            except httpx.TransportError as error:
                why = type(error).__name__
            else:
                if answer.is_success:
                    return answer
                why = f"{answer.status_code}: {said(answer)}"
                wait = float(answer.headers.get("Retry-After", "1"))
                if answer.status_code not in RETRIED:
                    raise Refused(why)
            if time.monotonic() + wait > deadline:
                raise Refused(f"{client.base_url}: {why}")
            time.sleep(wait)


def after(cursor: str | None) -> dict[str, str]:
    """The parameter that says where to go on."""
    return {"after": cursor} if cursor else {}


def said(answer: httpx.Response) -> str:
    """The message of an answer that is a problem."""
    return str(answer.json().get("message", "")) if "json" in answer.headers.get("content-type", "") else ""


@dataclass(frozen=True, slots=True)
class Spool:
    """Lines on their way into a file. What is not noted as written is written again: nobody is in it twice."""

    out: Path

    @property
    def lines(self) -> Path:
        """The lines so far."""
        return self.out.with_name(f"{self.out.name}.partial")

    @property
    def progress(self) -> Path:
        """How far they go."""
        return self.out.with_name(f"{self.out.name}.progress")

    def fill(self, pages: Pages, asked: Asked) -> int:
        """Go on where a broken export of the same stopped, to the end; how many profiles it has."""
        cursor, size, count, done = self._stopped(asked)
        with self.lines.open("r+b" if self.lines.exists() else "wb") as file:
            file.truncate(size)
            file.seek(size)
            while not done:
                page = pages(cursor)
                file.writelines(json.dumps(p, ensure_ascii=False).encode() + b"\n" for p in page.profiles)
                file.flush()
                cursor, count, done = page.cursor, count + len(page.profiles), page.cursor is None
                self._note([asked, cursor, file.tell(), count, done])
        return count

    def _stopped(self, asked: Asked) -> tuple[str | None, int, int, bool]:
        if not self.progress.exists():
            return None, 0, 0, False
        known, cursor, size, count, done = json.loads(self.progress.read_text())
        if known != json.loads(json.dumps(asked)):
            raise Refused(f"{self.progress} is of an export of something else: remove it to begin anew")
        return cursor, size, count, done

    def _note(self, state: object) -> None:
        fresh = self.progress.with_suffix(".fresh")
        fresh.write_text(json.dumps(state))
        fresh.replace(self.progress)

    def finish(self, format: Format) -> None:  # noqa: A002  # the option's name
        """Put the file under its name, whole."""
        if format == "parquet":
            whole = self.out.with_name(f"{self.out.name}.whole")
            write_parquet(self.lines, whole)
            whole.replace(self.out)
            self.lines.unlink()
        else:
            self.lines.replace(self.out)
        self.progress.unlink()


COLUMNS: Final = {
    "id": "VARCHAR", "revision": "BIGINT", "values": "VARCHAR", "merged_from": "VARCHAR[]",
    "first_seen": "TIMESTAMPTZ", "last_seen": "TIMESTAMPTZ", "traits": "JSON", "counters": "MAP(VARCHAR, BIGINT)",
    "identifiers": "MAP(VARCHAR, BIGINT)", "purposes": "VARCHAR[]", "parts": "JSON",
}  # fmt: skip
WRITE: Final = """
COPY (
    SELECT * FROM read_json(?, format = 'newline_delimited', columns = {columns}, maximum_object_size = 67108864)
) TO '{out}' (FORMAT parquet, COMPRESSION zstd)
"""


def write_parquet(lines: Path, out: Path) -> None:
    """Profiles as columns, within 512 MB of memory; traits and parts as JSON, for they may be anything."""
    try:
        import duckdb  # noqa: PLC0415  # an optional dependency
    except ImportError:
        raise Refused("parquet needs the extra: pip install 'cdp-cli[parquet]'") from None
    statement = WRITE.format(columns=COLUMNS, out=str(out).replace("'", "''"))
    with duckdb.connect(config={"memory_limit": "512MB", "threads": 1}) as database:
        database.execute(statement, [str(lines)])

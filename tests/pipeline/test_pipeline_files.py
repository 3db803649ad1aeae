"""People as a file and a file as events: what is imported is exported, once, wherever it was broken off."""

from __future__ import annotations

import asyncio
import json
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import httpx
import pytest
from assembly import TENANT, TOKENS, WRITE_KEY, BusLog, Pipeline, edge_api
from cdp_cli import exports, imports
from cdp_collector.settings import HttpSettings
from cdp_profiles.api.readers import Readers
from cdp_profiles.api.routes import build_api as profiles_api
from cdp_profiles.settings import ReadToken
from cdp_runtime.rates import Rates
from cdp_segments.api.door import Door as SegmentsDoor
from cdp_segments.api.routes import build_api as segments_api
from cdp_segments.catalogs import Catalogs
from cdp_segments.reading import memory_reading
from cdp_segments.standings import Standings
from fastapi import FastAPI
from pydantic import SecretStr

duckdb = pytest.importorskip("duckdb")

AT = datetime(2026, 1, 5, tzinfo=UTC)
READING = imports.Reading("crm", "user_id", AT, time_column="since", typed=True, allow=("Analytics",))
CSV = """user_id,plan,seats,since
ada,pro,3,2026-01-02T10:00:00+01:00
bob,free,1,
,lost,,
carol,"a, b",x,yesterday
dan,pro,7,
"""


MOMENTS = "* REPLACE (epoch(first_seen) AS first_seen, epoch(last_seen) AS last_seen)"


class Files:
    """The platform, and everything that a person at a terminal reaches over HTTP."""

    def __init__(self) -> None:
        self.platform = asyncio.run(Pipeline.ready())
        readers = Readers([ReadToken(token=SecretStr("token of files"), tenant=TENANT, export=True)], Rates(0, 1))
        self.profiles = reached(
            profiles_api(self.platform.profiles, self.platform.histories, readers), "token of files"
        )
        self.catalogs = Catalogs()
        self.platform.bus.attach("segments-http", [], [self.catalogs.table])
        clock = self.platform.bus.clock
        people = self.platform.people
        standings = Standings(self.catalogs, self.platform.segment_ledger, clock)
        desk = SegmentsDoor(people, standings, TOKENS, Rates(0, 1), clock)
        self.segments = reached(segments_api(desk, memory_reading(people)), "token")
        settings = HttpSettings(privacy=self.platform.privacy)
        tracer = self.platform.provider.get_tracer("edge")
        edge = edge_api(settings, self.platform.edge_definitions, BusLog(self.platform.bus), clock, tracer)
        self.edge = httpx.Client(transport=Reached(edge), base_url="http://edge", auth=(WRITE_KEY, ""))
        self.drain()

    def drain(self) -> None:
        asyncio.run(self.platform.bus.drain())

    def send(self, path: Path, after: int = 0, reading: imports.Reading = READING) -> list[imports.Progress]:
        steps = list(imports.run(reading, path, imports.Door(self.edge), after, check=False))
        self.drain()
        return steps

    def reading(self, **asked: Any) -> exports.Reading:
        return exports.Reading(self.profiles, self.segments, exports.Asked(**asked))

    def everybody(self) -> list[dict[str, Any]]:
        found = self.profiles.get("/v1/exports/profiles").text.splitlines()
        return [json.loads(line) for line in found]


class Reached(httpx.BaseTransport):
    """An application in this process, for a client that waits for its answers."""

    def __init__(self, api: FastAPI) -> None:
        self._api = httpx.ASGITransport(api)

    def handle_request(self, request: httpx.Request) -> httpx.Response:
        async def asked() -> httpx.Response:
            answer = await self._api.handle_async_request(request)
            return httpx.Response(answer.status_code, headers=answer.headers, content=await answer.aread())

        return asyncio.run(asked())


def reached(api: FastAPI, token: str) -> httpx.Client:
    headers = {"Authorization": f"Bearer {token}"}
    return httpx.Client(transport=Reached(api), base_url="http://api", headers=headers)


@pytest.fixture(scope="module")
def files() -> Files:
    return Files()


@pytest.fixture(scope="module")
def told(files: Files, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A file that was imported."""
    path = tmp_path_factory.mktemp("files") / "people.csv"
    path.write_text(CSV)
    (step,) = files.send(path)
    assert (step.row, step.sent) == (5, 3)
    assert [(fault.row, fault.field) for fault in step.faults] == [(3, "user_id"), (4, "since")]
    assert "yesterday" not in str(step.faults)
    return path


def test_what_a_file_says_is_what_is_known(files: Files, told: Path) -> None:
    everybody = {p["traits"]["plan"]["value"]: p for p in files.everybody()}
    assert everybody.keys() == {"pro", "free"}
    (ada,) = (p for p in files.everybody() if p["traits"]["seats"]["value"] == 3)
    assert ada["traits"]["plan"]["occurred_at"] == "2026-01-02T09:00:00Z"
    assert everybody["free"]["traits"]["seats"]["value"] == 1
    assert everybody["free"]["first_seen"] == "2026-01-05T00:00:00Z"


def test_the_same_rows_again_are_the_same_events(files: Files, told: Path) -> None:
    before = files.everybody()
    files.send(told)
    files.send(told, after=1)
    assert files.everybody() == before
    told.write_text(CSV.replace("bob,free", "bob,pro"))
    files.send(told)
    told.write_text(CSV)
    changed = [p["counters"] for p in files.everybody()]
    assert sorted(c["identify"] for c in changed) == [1, 1, 2]


def test_what_the_validator_would_reject_is_told_and_not_sent(files: Files, tmp_path: Path) -> None:
    path = tmp_path / "more.jsonl"
    rows = [{"user_id": "eve", "a": 1}, {"user_id": "x" * 600, "a": 1}, [], {"user_id": True}, {"user_id": "f"}]
    path.write_text("\n".join(map(json.dumps, rows)) + "\nno json\n")
    (step,) = imports.run(READING, path, imports.Door(files.edge), 0, check=True)
    assert step.sent == 1
    assert [fault.row for fault in step.faults] == [2, 3, 4, 5, 6]
    assert step.faults[0].field == "/userId"
    assert not [p for p in files.everybody() if "a" in p["traits"]]


def test_cells_are_text_unless_they_are_to_be_typed(tmp_path: Path) -> None:
    path = tmp_path / "p.csv"
    path.write_text("user_id,zip,n,ok,nothing\n7,01234,5,true,\n8,1\n")
    typed = [row for _, row in READING.rows(path)]
    assert typed[0] == {"user_id": "7", "zip": "01234", "n": 5, "ok": True, "nothing": ""}
    assert isinstance(typed[1], imports.BadRow)
    plain = imports.Reading("crm", "user_id", AT)
    event = plain.event({"user_id": "7", "n": "5", "nothing": ""})
    assert event["traits"] == {"n": "5"}
    assert event["timestamp"] == AT.isoformat()
    assert "context" not in event


@pytest.mark.parametrize("breaks_at", [0, 1, 2])
def test_an_export_goes_on_where_it_was_broken_off(
    files: Files, told: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, breaks_at: int
) -> None:
    monkeypatch.setattr(exports, "PAGE", 1)
    reading, spool, pages = files.reading(), exports.Spool(tmp_path / "out.jsonl"), []

    def broken(cursor: str | None) -> exports.Page:
        if len(pages) == breaks_at:
            raise exports.Refused("gone")
        pages.append(cursor)
        return reading.all(cursor)

    with pytest.raises(exports.Refused):
        spool.fill(broken, reading.asked)
    if spool.lines.exists():
        with spool.lines.open("ab") as file:
            file.write(b'{"half of a li')
    if spool.progress.exists():
        with pytest.raises(exports.Refused, match="something else"):
            spool.fill(reading.all, exports.Asked(purpose="sales"))
    assert spool.fill(reading.all, reading.asked) == 3
    spool.finish("jsonl")
    assert [json.loads(line) for line in spool.out.read_text().splitlines()] == files.everybody()
    assert [path.name for path in tmp_path.iterdir()] == ["out.jsonl"]


def test_columns_say_what_lines_say(files: Files, told: Path, tmp_path: Path) -> None:
    spool = exports.Spool(tmp_path / "it's.parquet")
    spool.fill(files.reading().all, exports.Asked())
    spool.finish("parquet")
    lines = files.everybody()
    found = duckdb.read_parquet(str(spool.out)).order("id").project(MOMENTS).fetchall()
    columns = list(exports.COLUMNS)
    rows = [dict(zip(columns, row, strict=True)) for row in found]
    assert [row["id"] for row in rows] == [line["id"] for line in lines]
    for row, line in zip(rows, lines, strict=True):
        assert json.loads(row["traits"]) == line["traits"]
        assert row["counters"] == line["counters"]
        assert row["purposes"] == line["purposes"]
        assert row["first_seen"] == datetime.fromisoformat(line["first_seen"]).timestamp()
    assert [path.name for path in tmp_path.iterdir()] == ["it's.parquet"]


def test_a_segment_is_exported_by_its_members(files: Files, told: Path, tmp_path: Path) -> None:
    phone = files.platform.shop.visitor("phone").consents().does("Flash Offer Viewed")
    asyncio.run(files.platform.shop.play(phone))
    spool = exports.Spool(tmp_path / "some.jsonl")
    reading = files.reading(segment="offer-seen", fields=("counters",))
    assert spool.fill(reading.members, reading.asked) == 1
    (line,) = spool.lines.read_text().splitlines()
    assert json.loads(line)["counters"]["Flash Offer Viewed"] == 1
    with pytest.raises(exports.Refused, match="404"):
        files.reading(segment="no-such").members(None)

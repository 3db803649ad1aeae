"""A file of what is known of people, as events of a source through the front door."""

from __future__ import annotations

import csv
import json
import time
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from itertools import islice
from pathlib import Path
from typing import Any, Final, NamedTuple
from uuid import UUID, uuid5

import httpx

NAMESPACE: Final = UUID("5b9c86f4-3b51-4f1e-8a53-6a2f3fb0f0c4")
BATCH: Final = 200
RETRIED: Final = frozenset({408, 429, 500, 502, 503, 504})
PATIENCE: Final = 60


class Refused(Exception):  # noqa: N818
    """The import cannot go on. The text says why, never a value."""


class BadRow(Exception):  # noqa: N818
    """A row that is no event: which field and which rule."""

    def __init__(self, field: str, rule: str) -> None:
        super().__init__(f"{field}: {rule}")
        self.field = field
        self.rule = rule


class Fault(NamedTuple):
    """What is wrong with a row, counted from 1 with the heading left out."""

    row: int
    field: str
    rule: str


@dataclass(frozen=True, slots=True)
class Reading:
    """How a row becomes an event.

    `name` and the row make the message id, so the same row sent again is the same event, and one that says
    something else another. `at` is when what has no time of its own holds from.
    """

    name: str
    id_column: str
    at: datetime
    time_column: str | None = None
    typed: bool = False
    allow: tuple[str, ...] = ()

    def event(self, row: Mapping[str, Any]) -> dict[str, Any]:
        """The row as an `identify`; BadRow if it cannot be one."""
        user = row.get(self.id_column)
        if not isinstance(user, str | int) or isinstance(user, bool) or not str(user).strip():
            raise BadRow(self.id_column, "required: a text or a whole number")
        user_id, moment = str(user).strip(), self._moment(row)
        traits = {k: v for k, v in row.items() if k not in {self.id_column, self.time_column} and v != ""}
        if not traits:
            raise BadRow("", "required: one trait at least")
        text = json.dumps([self.name, user_id, moment, traits], sort_keys=True, ensure_ascii=False)
        consent = {"consent": {"categoryPreferences": dict.fromkeys(self.allow, True)}}
        return {
            "type": "identify",
            "messageId": f"import-{uuid5(NAMESPACE, text)}",
            "timestamp": moment,
            "userId": user_id,
            "traits": traits,
            **({"context": consent} if self.allow else {}),
        }

    def _moment(self, row: Mapping[str, Any]) -> str:
        text = row.get(self.time_column) if self.time_column else None
        if text in {None, ""}:
            return self.at.isoformat()
        try:
            moment = datetime.fromisoformat(str(text))
        except ValueError:
            raise BadRow(self.time_column or "", "format: an ISO 8601 time") from None
        if moment.tzinfo is None:
            raise BadRow(self.time_column or "", "format: a time with its zone")
        return moment.astimezone(UTC).isoformat()

    def rows(self, path: Path) -> Iterator[tuple[int, Mapping[str, Any] | BadRow]]:
        """The rows of a CSV file with a heading, or of lines of JSON, numbered from 1."""
        with path.open(encoding="utf-8-sig", newline="") as file:
            if path.suffix.lower() == ".csv":
                yield from enumerate(map(self._cells, csv.DictReader(file)), start=1)
            else:
                yield from enumerate(map(object_in, file), start=1)

    def _cells(self, row: dict[Any, Any]) -> Mapping[str, Any] | BadRow:
        if None in row or None in row.values():
            return BadRow("", "shape: as many cells as the heading has")
        return {name: self._value(name, cell) for name, cell in row.items()}

    def _value(self, name: str, cell: str) -> Any:
        if not self.typed or name in {self.id_column, self.time_column}:
            return cell
        try:
            value = json.loads(cell)
        except ValueError:
            return cell
        return value if isinstance(value, bool | int | float) else cell


def object_in(line: str) -> Mapping[str, Any] | BadRow:
    """The JSON object of a line."""
    try:
        found = json.loads(line)
    except ValueError:
        return BadRow("", "format: a JSON object a line")
    return found if isinstance(found, dict) else BadRow("", "format: a JSON object a line")


@dataclass(frozen=True, slots=True)
class Door:
    """The HTTP edge. Waits for up to a minute for one that cannot take anything just now."""

    client: httpx.Client

    def faults(self, numbered: Sequence[tuple[int, dict[str, Any]]]) -> list[Fault]:
        """What the platform would reject of these events, as its validator says; nothing is stored."""
        results = self._post("/v1/validate", numbered)["results"]
        return [
            Fault(numbered[one["index"]][0], str(one["pointer"]), f"{one['rule']}: {one['expected']}")
            for one in results
            if not one["valid"]
        ]

    def send(self, numbered: Sequence[tuple[int, dict[str, Any]]]) -> None:
        """Store these events. What it returned from is acknowledged by the log."""
        self._post("/v1/batch", numbered)

    def _post(self, path: str, numbered: Sequence[tuple[int, dict[str, Any]]]) -> dict[str, Any]:
        deadline = time.monotonic() + PATIENCE
        while True:
            wait, why = 1.0, ""
            try:
                answer = self.client.post(path, json={"batch": [event for _, event in numbered]})
            except httpx.TransportError as error:
                why = type(error).__name__
            else:
                if answer.is_success:
                    return dict(answer.json())
                why = f"{answer.status_code}: {answer.json().get('message', '')}"
                wait = float(answer.headers.get("Retry-After", "1"))
                if answer.status_code not in RETRIED:
                    raise Refused(why)
            if time.monotonic() + wait > deadline:
                raise Refused(f"{self.client.base_url}: {why}")
            time.sleep(wait)


class Progress(NamedTuple):
    """How far an import has come: the rows of before, those sent, and what is wrong with the others."""

    row: int
    sent: int
    faults: tuple[Fault, ...]


def run(reading: Reading, path: Path, door: Door, after: int, *, check: bool) -> Iterator[Progress]:
    """Send the rows after one of them, batch by batch; bad ones are told and left out. Safe to run again."""
    rows = (one for one in reading.rows(path) if one[0] > after)
    while batch := list(islice(rows, BATCH)):
        events, bad = told_apart(reading, batch)
        rejected = door.faults(events) if events else []
        wrong = {fault.row for fault in rejected}
        good = [numbered for numbered in events if numbered[0] not in wrong]
        if good and not check:
            door.send(good)
        yield Progress(batch[-1][0], len(good), tuple(sorted([*bad, *rejected])))


def told_apart(
    reading: Reading, rows: Iterable[tuple[int, Mapping[str, Any] | BadRow]]
) -> tuple[list[tuple[int, dict[str, Any]]], list[Fault]]:
    """The rows that are events, and what is wrong with the others."""
    events, bad = [], []
    for number, row in rows:
        try:
            if isinstance(row, BadRow):
                raise row
            events.append((number, reading.event(row)))
        except BadRow as fault:
            bad.append(Fault(number, fault.field, fault.rule))
    return events, bad

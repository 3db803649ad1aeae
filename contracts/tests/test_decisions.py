"""Decision records: a page each, listed, and guarded by tests that exist."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
FOLDER = ROOT / "contracts" / "adr"
RECORDS = sorted(path for path in FOLDER.glob("*.md") if path.name != "README.md")
every_record = pytest.mark.parametrize("record", RECORDS, ids=lambda path: path.stem[:4])
LONGEST = 60


def test_records_are_numbered_without_holes() -> None:
    assert [path.name[:5] for path in RECORDS] == [f"{number:04}-" for number in range(1, len(RECORDS) + 1)]


@every_record
def test_a_record_is_a_page_that_says_what_was_decided_and_what_it_costs(record: Path) -> None:
    text = record.read_text()
    assert text.startswith(f"# {record.name[:4]}: ")
    assert re.findall(r"^## (.*)$", text, re.MULTILINE) == ["Context", "Decision", "Consequences"]
    assert len(text.splitlines()) <= LONGEST


@every_record
def test_the_last_line_names_tests_that_exist(record: Path) -> None:
    last = record.read_text().splitlines()[-1]
    assert last.startswith("Guarded by ")
    guards = re.findall(r"`([^`]+\.py)`", last)
    assert guards
    assert [guard for guard in guards if not (ROOT / guard).is_file()] == []


@every_record
def test_the_index_lists_it_by_its_title(record: Path) -> None:
    title = record.read_text().splitlines()[0].removeprefix("# ").partition(": ")[2]
    assert f"({record.name}) | {title} |" in (FOLDER / "README.md").read_text()

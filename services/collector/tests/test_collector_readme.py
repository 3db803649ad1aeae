"""The README's tables say what the code says."""

from __future__ import annotations

import re
from pathlib import Path

from cdp_collector.domain.normalize import CONTEXT_OBJECTS, CONTEXT_VALUES
from cdp_collector.domain.rules import RULES

README = (Path(__file__).parents[1] / "README.md").read_text(encoding="utf-8")


def rows(table: str) -> list[list[str]]:
    """The cells of a table between its marks, without the head."""
    body = README.split(f"<!-- {table}: begin -->")[1].split(f"<!-- {table}: end -->")[0]
    return [
        [cell.strip().strip("`") for cell in line.strip("|").split("|")] for line in body.split("\n")[3:] if line
    ]


def test_every_rule_is_a_row_and_every_row_a_rule() -> None:
    assert [tuple(row) for row in rows("rules")] == list(RULES.items())


def test_the_context_that_is_kept_is_listed() -> None:
    section = README.split("Of the context only this is kept:")[1].split("IP addresses")[0]
    for name in (*CONTEXT_VALUES, *CONTEXT_OBJECTS):
        assert re.search(rf"`{name}(\.type)?`", section), name

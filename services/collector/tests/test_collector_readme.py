"""The README's tables say what the code says."""

from __future__ import annotations

import re
from pathlib import Path

from cdp_collector.domain.normalize import CONTEXT_OBJECTS, CONTEXT_VALUES
from cdp_collector.domain.rules import RULES
from cdp_collector.settings import HttpSettings, ReceiptsSettings, ValidatorSettings

README = (Path(__file__).parents[1] / "README.md").read_text(encoding="utf-8")
NESTED = {"kafka", "privacy", "redis"}


def rows(table: str) -> list[list[str]]:
    """The cells of a table between its marks, without the head."""
    body = README.split(f"<!-- {table}: begin -->")[1].split(f"<!-- {table}: end -->")[0]
    return [
        [cell.strip().strip("`") for cell in line.strip("|").split("|")] for line in body.split("\n")[3:] if line
    ]


def test_every_rule_is_a_row_and_every_row_a_rule() -> None:
    assert [tuple(row) for row in rows("rules")] == list(RULES.items())


def test_every_knob_is_a_row_with_its_default() -> None:
    told = {name: (default, role) for name, default, _, role in rows("settings") if "COLLECTOR" in name}
    shared = HttpSettings.model_fields.keys() & ValidatorSettings.model_fields.keys()
    fields = {**HttpSettings.model_fields, **ValidatorSettings.model_fields, **ReceiptsSettings.model_fields}
    assert told.keys() == {f"CDP_COLLECTOR_{name.upper()}" for name in fields if name not in NESTED}
    for name, field in fields.items():
        if name not in NESTED:
            default, role = told[f"CDP_COLLECTOR_{name.upper()}"]
            roles = {"http": HttpSettings, "validator": ValidatorSettings, "receipts": ReceiptsSettings}
            having = [known for known, settings in roles.items() if name in settings.model_fields]
            assert role == ("both" if name in shared else having[0])
            assert default in (str(field.default), "none", "{}", '["*"]', "1990-01-01T00:00:00Z")


def test_the_context_that_is_kept_is_listed() -> None:
    section = README.split("Of the context only this is kept:")[1].split("IP addresses")[0]
    for name in (*CONTEXT_VALUES, *CONTEXT_OBJECTS):
        assert re.search(rf"`{name}(\.type)?`", section), name

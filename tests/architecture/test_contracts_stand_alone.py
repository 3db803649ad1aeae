"""`cdp-contracts` needs pydantic alone: anyone may depend on it."""

from __future__ import annotations

import ast
import sys
import tomllib
from collections.abc import Iterator
from pathlib import Path

import pytest

CONTRACTS = Path(__file__).parents[2] / "contracts"
SOURCES = sorted((CONTRACTS / "src").rglob("*.py"))
ALLOWED = {*sys.stdlib_module_names, "cdp_contracts", "pydantic", "pydantic_core"}
NEEDS_MORE = {"generate/yaml_text.py": {"yaml"}}


def imported(path: Path) -> Iterator[str]:
    """The top names of everything a file imports."""
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            yield from (name.name.split(".")[0] for name in node.names)
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{path}: a relative import"
            yield (node.module or "").split(".")[0]


@pytest.mark.parametrize("path", SOURCES, ids=lambda path: path.relative_to(CONTRACTS / "src").as_posix())
def test_a_module_imports_nothing_else(path: Path) -> None:
    place = path.relative_to(CONTRACTS / "src" / "cdp_contracts").as_posix()
    assert set(imported(path)) <= ALLOWED | NEEDS_MORE.get(place, set())


def test_the_distribution_says_so() -> None:
    project = tomllib.loads((CONTRACTS / "pyproject.toml").read_text())["project"]
    assert [requirement.split(">")[0] for requirement in project["dependencies"]] == ["pydantic"]
    assert set(project["optional-dependencies"]) == {"generate"}

"""The README stays short, its links lead somewhere, and its graph is the generated one."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
NOT_OURS = {".venv", ".uv", ".pytest_cache", "build", "node_modules"}
PAGES = sorted(path for path in ROOT.glob("**/*.md") if not NOT_OURS & set(path.parts))
LINK = re.compile(r"\]\(([^)#\s]+)[^)]*\)")
LONGEST = 250


def first_graph(text: str) -> str:
    start = text.index("```mermaid")
    return text[start : text.index("```", start + 3)]


def test_the_readme_is_short() -> None:
    assert len((ROOT / "README.md").read_text().splitlines()) < LONGEST


def test_the_graph_is_the_generated_one() -> None:
    generated = first_graph((ROOT / "contracts/topic-graph.md").read_text())
    assert first_graph((ROOT / "README.md").read_text()) == generated


@pytest.mark.parametrize("page", PAGES, ids=lambda path: str(path.relative_to(ROOT)))
def test_every_link_to_a_file_leads_somewhere(page: Path) -> None:
    links = [link for link in LINK.findall(page.read_text()) if not re.match(r"[a-z]+:", link)]
    assert [link for link in links if not (page.parent / link).exists()] == []

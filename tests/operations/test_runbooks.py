"""Runbooks: all of one shape, and every command that they name exists."""

from __future__ import annotations

import importlib.util
import re
import shlex
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import typer.main
from cdp_cli.main import app
from cdp_devstack.platform import ROLES

ROOT = Path(__file__).parents[2]
PAGES = sorted((ROOT / "infra/runbooks").glob("[a-z]*.md"))
MENTIONS = [*PAGES, *(ROOT / "infra").glob("*/README.md"), ROOT / "infra/capacity.md"]
SECTIONS = ["What you see", "What it means for data", "Confirm", "Do", "Do not"]
CODE = re.compile(r"```(?:sh|console)\n(.*?)```|`([^`\n]+)`", re.DOTALL)
TARGETS = set(re.findall(r"^([a-z]+):", (ROOT / "Makefile").read_text(), re.MULTILINE))
CDP = typer.main.get_command(app)


def commands(page: Path) -> Iterator[list[str]]:
    """Every command line on a page, without its comment."""
    for block, inline in CODE.findall(page.read_text()):
        for line in (block or inline).splitlines():
            code = line.partition("  #")[0].strip().removeprefix("$ ")
            if re.match(r"(cdp|make|python -m) ", code):
                yield shlex.split(re.sub(r"<[^>]+>", "X", code))


def known(words: list[str]) -> str | None:
    """None if the `cdp` command exists with these options, else what is not there."""
    command: Any = CDP
    path = ["cdp"]
    rest = words[1:]
    while hasattr(command, "commands") and rest and not rest[0].startswith("-"):
        path.append(rest.pop(0))
        found = command.commands.get(path[-1])
        if found is None:
            return " ".join(path)
        command = found
    options = {name for parameter in command.params for name in parameter.opts}
    unknown = [word for word in rest if word.startswith("--") and word not in options]
    return f"{' '.join(path)} {unknown[0]}" if unknown else None


@pytest.mark.parametrize("page", PAGES, ids=lambda path: path.stem)
def test_a_runbook_says_what_is_seen_what_it_means_and_what_to_do_and_not(page: Path) -> None:
    assert re.findall(r"^## (.+)$", page.read_text(), re.MULTILINE) == SECTIONS


@pytest.mark.parametrize("page", MENTIONS, ids=lambda path: path.relative_to(ROOT / "infra").as_posix())
def test_every_command_on_a_page_exists(page: Path) -> None:
    for words in commands(page):
        if words[0] == "cdp":
            missing = known(words)
            assert missing is None, words
        elif words[0] == "make":
            assert words[1] in TARGETS, words
        else:
            assert importlib.util.find_spec(words[2]), words


def test_a_command_that_does_not_exist_is_found() -> None:
    assert known(["cdp", "topics", "plan"]) is None
    assert known(["cdp", "topics", "delete"]) == "cdp topics delete"
    assert known(["cdp", "topics", "apply", "--force"]) == "cdp topics apply --force"


def test_pages_name_roles_that_there_are() -> None:
    named = {name for page in PAGES for name in re.findall(r"deploy/([a-z]+-[a-z]+)", page.read_text())}
    assert named
    assert named <= {role.name for role in ROLES}


def test_pages_name_consumer_groups_that_there_are() -> None:
    from infra.generate.roles import ROLES as DEPLOYED
    from infra.generate.roles import readings

    groups = {reading.group for role in DEPLOYED for reading in readings(role)}
    named = {name for page in PAGES for name in re.findall(r"--group ([a-z-]+\.[a-z_]+)", page.read_text())}
    assert named
    assert named <= groups

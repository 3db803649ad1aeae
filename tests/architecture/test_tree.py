"""The tree as a whole: short files, unique names of tests, nothing of the machine it was written on."""

from __future__ import annotations

import re
import subprocess
from collections import Counter
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
LONGEST = 300
PUBLIC_HOSTS = {"pypi.org", "files.pythonhosted.org"}
HOST = re.compile(r"https?://([^/\s\"']+)")
PRIVATE = re.compile(
    r"(?<![\w.~$}{/-])(?<!target=)/(?:work|root|home/[a-z]+|Users/[A-Za-z]+)/"  # where somebody's checkout lies
    r"|(?<![\d.])(?:10\.\d+|192\.168|172\.(?:1[6-9]|2\d|3[01]))\.\d{1,3}\.\d{1,3}(?![\d.]|/\d)"  # a network
    r"|\b[\w.-]+\.(?:internal|intranet|corp|lan)\b(?!\()"
)


def tracked() -> list[Path]:
    """Every file that is or would be committed."""
    command = ["git", "ls-files", "--cached", "--others", "--exclude-standard"]
    names = subprocess.check_output(command, cwd=ROOT, text=True).splitlines()
    return sorted(path for name in set(names) if (path := ROOT / name).is_file())


FILES = tracked()
PYTHON = [path for path in FILES if path.suffix == ".py"]


def shown(path: Path) -> str:
    return path.relative_to(ROOT).as_posix()


def texts() -> dict[str, str]:
    """Everything that can be read, by name."""
    return {shown(path): path.read_text(errors="ignore") for path in FILES if path != Path(__file__)}


def test_no_python_file_is_longer_than_a_reader_likes() -> None:
    lengths = {shown(path): len(path.read_text().splitlines()) for path in PYTHON}
    assert {name: lines for name, lines in lengths.items() if lines > LONGEST} == {}


def test_test_files_have_names_of_their_own() -> None:
    names = Counter(path.name for path in PYTHON if path.name.startswith("test_"))
    assert [name for name, times in names.items() if times > 1] == []


def test_nothing_names_a_private_machine_or_network() -> None:
    found = {name: match.group() for name, text in texts().items() if (match := PRIVATE.search(text))}
    assert found == {}


@pytest.mark.parametrize(
    "line", ["see /work/x", "'/root/.cache'", "/home/mila/src", "http://10.1.2.3:80", "pypi.corp"]
)
def test_a_private_place_is_seen(line: str) -> None:
    assert PRIVATE.search(line)


@pytest.mark.parametrize(
    "line",
    [
        "a/work/b",
        "framework/x",
        "$HOME/root/",
        "1.10.2.3.4",
        "version 10.4.1",
        "target=/root/.cache",
        "10.0.0.0/8",
    ],
)
def test_a_public_word_is_not_taken_for_one(line: str) -> None:
    assert not PRIVATE.search(line)


def test_the_lock_file_knows_public_hosts_only() -> None:
    assert set(HOST.findall((ROOT / "uv.lock").read_text())) <= PUBLIC_HOSTS


def test_nothing_is_left_to_do_later() -> None:
    mark = re.compile(r"#\s*(TODO|FIXME|XXX|HACK)\b")
    assert [name for name, text in texts().items() if name.endswith(".py") and mark.search(text)] == []


def test_no_secret_or_cache_is_committed() -> None:
    names = subprocess.check_output(["git", "ls-files"], cwd=ROOT, text=True).splitlines()
    wrong = re.compile(
        r"(^|/)(\.env|\.venv|__pycache__|\.mypy_cache|\.ruff_cache|\.hypothesis|build|dist)(/|$)|\.pem$|\.key$"
    )
    assert [name for name in names if wrong.search(name)] == []

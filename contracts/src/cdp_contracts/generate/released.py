"""What was released before: the contracts as they are committed, or on disk where there is no history."""

from __future__ import annotations

import subprocess  # nosec B404  # asks git, in a repository
from dataclasses import dataclass
from pathlib import Path

from cdp_contracts.envelope import JsonObject
from cdp_contracts.generate import kafka, schemas
from cdp_contracts.generate.yaml_text import OBJECT, from_yaml


class UnknownRevisionError(ValueError):
    """The revision to compare with does not exist in this repository."""


@dataclass(frozen=True, slots=True)
class Released:
    """The schemas and topic settings that readers and writers out there live by, by topic name."""

    schemas: dict[str, JsonObject]
    topics: dict[str, JsonObject]


def released(root: Path, revision: str | None = None) -> Released:
    """What a git revision holds; without one HEAD, or the files on disk if there is no history.

    Raises UnknownRevisionError if a revision is named that git does not know.
    """
    texts = committed(root, revision or "HEAD")
    if texts is None and revision is not None:
        raise UnknownRevisionError(f"git knows no revision {revision} here")
    if texts is None:
        texts = on_disk(root)
    settings = OBJECT.validate_python(from_yaml(texts.pop(kafka.PATH, "{}")).get("topics", {}))
    return Released(
        schemas={Path(path).stem: OBJECT.validate_json(text) for path, text in texts.items()},
        topics={name: OBJECT.validate_python(value) for name, value in settings.items()},
    )


def committed(root: Path, revision: str) -> dict[str, str] | None:
    """The generated files of a revision by path; None if there is no such revision."""
    listed = git(root, "ls-tree", "-r", "--name-only", "--full-tree", revision, "--", schemas.FOLDER, kafka.PATH)
    if listed is None:
        return None
    return {path: git(root, "show", f"{revision}:{path}") or "" for path in listed.splitlines()}


def on_disk(root: Path) -> dict[str, str]:
    """The generated files as they lie there."""
    paths = [*sorted((root / schemas.FOLDER).glob("*.json")), root / kafka.PATH]
    return {path.relative_to(root).as_posix(): path.read_text(encoding="utf-8") for path in paths if path.exists()}


def git(root: Path, *arguments: str) -> str | None:
    """What git says in the repository whose top is `root`; None if it fails, or if that is not the top."""
    if not (root / ".git").exists():
        return None
    command = ["git", "-C", str(root), *arguments]
    done = subprocess.run(command, capture_output=True, text=True, check=False)  # noqa: S603  # nosec B603  # fixed program, no shell
    return done.stdout if done.returncode == 0 else None

"""Domains are pure: the same arguments give the same answer, with no clock, no chance, no input, no output."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest

SERVICES = Path(__file__).parents[2] / "services"
PURE = ("*/src/*/domain.py", "*/src/*/domain/**/*.py", "*/src/*/matching/**/*.py")
DOMAINS = sorted(path for pattern in PURE for path in SERVICES.glob(pattern))
ASYNCHRONOUS = (ast.AsyncFunctionDef, ast.AsyncFor, ast.AsyncWith, ast.Await)
NEVER_IMPORTED = {
    "asyncio",
    "random",
    "secrets",
    "socket",
    "subprocess",
    "threading",
    "os",
    "pathlib",
    "time",
    "logging",
}
NEVER_CALLED = {"now", "utcnow", "today", "uuid1", "uuid4", "open", "print", "input"}


def impurities(source: str) -> Iterator[str]:
    """What a pure module does not do."""
    for node in ast.walk(ast.parse(source)):
        match node:
            case ast.Import(names=names):
                yield from (f"imports {name.name}" for name in names if name.name.split(".")[0] in NEVER_IMPORTED)
            case ast.ImportFrom(module=str(module)) if module.split(".")[0] in NEVER_IMPORTED:
                yield f"imports {module}"
            case ast.Call(func=ast.Name(id=name)) | ast.Call(func=ast.Attribute(attr=name)) if (
                name in NEVER_CALLED
            ):
                yield f"calls {name}() in line {node.lineno}"
            case _ if isinstance(node, ASYNCHRONOUS):
                yield f"waits in line {node.lineno}"


@pytest.mark.parametrize("path", DOMAINS, ids=lambda path: path.relative_to(SERVICES).as_posix())
def test_a_domain_module_is_pure(path: Path) -> None:
    assert list(impurities(path.read_text())) == []


def test_every_service_has_a_domain() -> None:
    assert {path.relative_to(SERVICES).parts[0] for path in DOMAINS} == {path.name for path in SERVICES.iterdir()}


@pytest.mark.parametrize(
    "line",
    [
        "import time",
        "from random import random",
        "datetime.now(UTC)",
        "uuid4()",
        "open('x')",
        "async def f(): pass",
    ],
)
def test_an_impurity_is_seen(line: str) -> None:
    assert list(impurities(line))

"""Every service has the same rooms, and every role that the registry names has a builder."""

from __future__ import annotations

import ast
import tomllib
from pathlib import Path

import pytest
from cdp_contracts.topics import OUTSIDERS, TOPICS

ROOT = Path(__file__).parents[2]
SERVICES = sorted(path for path in (ROOT / "services").iterdir() if path.is_dir())
FILES = ("pyproject.toml", "Dockerfile", "README.md")
MODULES = ("__init__.py", "py.typed", "settings.py", "handlers.py", "app.py")
MODULES_OR_FOLDERS = ("domain", "store")
ROLES = sorted({role for t in TOPICS for role in (*t.producers, *t.consumers)} - set(OUTSIDERS))

every_service = pytest.mark.parametrize("service", SERVICES, ids=lambda path: path.name)


def package(service: Path) -> Path:
    return service / "src" / f"cdp_{service.name}"


def functions(path: Path) -> dict[str, ast.FunctionDef | ast.AsyncFunctionDef]:
    body = ast.parse(path.read_text()).body
    return {node.name: node for node in body if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)}


@every_service
def test_a_service_has_the_same_files_as_the_others(service: Path) -> None:
    missing = [name for name in FILES if not (service / name).is_file()]
    missing += [name for name in MODULES if not (package(service) / name).is_file()]
    for name in MODULES_OR_FOLDERS:
        as_file, as_folder = package(service) / f"{name}.py", package(service) / name / "__init__.py"
        missing += [] if as_file.is_file() or as_folder.is_file() else [name]
    assert missing == []


@every_service
def test_a_service_has_tests(service: Path) -> None:
    assert list((service / "tests").glob("test_*.py"))


@every_service
def test_a_service_is_one_distribution_named_alike(service: Path) -> None:
    project = tomllib.loads((service / "pyproject.toml").read_text())["project"]
    assert project["name"] == f"cdp-{service.name}"
    assert project["license"] == "Apache-2.0"
    assert {"cdp-contracts", "cdp-runtime"} <= set(project["dependencies"])


@pytest.mark.parametrize("role", ROLES)
def test_every_role_has_a_builder_that_takes_its_settings(role: str) -> None:
    service, name = role.split("-", maxsplit=1)
    builder = functions(package(ROOT / "services" / service) / "app.py")[f"build_{name}"]
    assert isinstance(builder, ast.FunctionDef), "nothing connects while a role is built"
    assert [argument.arg for argument in builder.args.args] == ["settings"]
    assert len(builder.args.defaults) == 1


@every_service
def test_a_handler_has_ten_lines_at_most(service: Path) -> None:
    for name, function in functions(package(service) / "handlers.py").items():
        if isinstance(function, ast.AsyncFunctionDef):
            body = function.body[1:] if ast.get_docstring(function) else function.body
            lines = (body[-1].end_lineno or 0) - body[0].lineno + 1
            assert lines <= 10, f"{name} has {lines} lines"

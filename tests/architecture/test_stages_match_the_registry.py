"""The registry tells the truth: a service reads and writes exactly the topics that name it."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest
from cdp_contracts import topics as registry
from cdp_contracts.topics import TOPICS, Topic

SERVICES = sorted(path for path in (Path(__file__).parents[2] / "services").iterdir() if path.is_dir())
CONSTANTS = {name: value for name, value in vars(registry).items() if isinstance(value, Topic)}
every_service = pytest.mark.parametrize("service", SERVICES, ids=lambda path: path.name)


def nodes(service: Path) -> Iterator[ast.AST]:
    for path in (service / "src").rglob("*.py"):
        yield from ast.walk(ast.parse(path.read_text()))


def named(node: ast.AST) -> set[str]:
    """The topics named anywhere within an expression."""
    return {CONSTANTS[n.id].name for n in ast.walk(node) if isinstance(n, ast.Name) and n.id in CONSTANTS}


def in_stages(service: Path, keyword: str) -> set[str]:
    """The topics under `reads` or `emits` of the service's stages, written there or in a variable."""
    stages = [n for n in nodes(service) if isinstance(n, ast.Call) and ast.unparse(n.func) == "Stage"]
    given = [word.value for stage in stages for word in stage.keywords if word.arg == keyword]
    variables = {value.id for value in given if isinstance(value, ast.Name)}
    assigned = [n.value for n in nodes(service) if isinstance(n, ast.AnnAssign | ast.Assign) and n.value
                and variables & {ast.unparse(target) for target in targets_of(n)}]  # fmt: skip
    return {name for value in (*given, *assigned) for name in named(value)}


def in_logs(service: Path) -> set[str]:
    """The topics that the service writes what people say to."""
    logs = (n for n in nodes(service) if isinstance(n, ast.Call) and ast.unparse(n.func) == "TopicLog")
    return {name for log in logs for name in named(log.args[0])}


def targets_of(node: ast.AnnAssign | ast.Assign) -> list[ast.expr]:
    return node.targets if isinstance(node, ast.Assign) else [node.target]


def says(service: Path, roles: str) -> set[str]:
    """The topics that name a role of the service as `producers` or `consumers`."""
    return {t.name for t in TOPICS if any(role.startswith(f"{service.name}-") for role in getattr(t, roles))}


@every_service
def test_a_service_uses_the_topics_that_name_it_and_no_others(service: Path) -> None:
    used = {name for node in nodes(service) if isinstance(node, ast.Name) for name in named(node)}
    assert used == says(service, "producers") | says(service, "consumers")


@every_service
def test_its_stages_read_what_the_registry_says(service: Path) -> None:
    streams = {topic.name for topic in TOPICS if not topic.table}
    assert in_stages(service, "reads") == says(service, "consumers") & streams


@every_service
def test_its_stages_emit_what_the_registry_says(service: Path) -> None:
    """What an HTTP role writes, or any role through a log of its own, is not emitted by a stage."""
    by_stages = {
        t.name
        for t in TOPICS
        for role in t.producers
        if role.startswith(f"{service.name}-") and "http" not in role
    }
    assert by_stages - in_stages(service, "emits") == in_logs(service) - in_stages(service, "emits")
    assert in_stages(service, "emits") <= by_stages

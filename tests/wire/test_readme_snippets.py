"""The snippets of the README run as they stand there, against a live platform."""

from __future__ import annotations

import ast
import os
import re
import subprocess
import sys
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest
from cdp_devstack.platform import WRITE_KEY
from cdp_devstack.running import Running
from probing import Probe

pytestmark = pytest.mark.wire

README = Path(__file__).parents[2] / "README.md"
BLOCK = re.compile(r"^```python\n# (?P<name>[^\n]+)\n(?P<code>.*?)^```$", re.DOTALL | re.MULTILINE)
NAMES = ("emit over HTTP", "emit on the broker", "subscribe")
SECONDS = 60


def snippets() -> dict[str, str]:
    return {found["name"]: found["code"] for found in BLOCK.finditer(README.read_text())}


@pytest.fixture
def environment(live: Running) -> dict[str, str]:
    return {
        **os.environ,
        "CDP_COLLECTOR_URL": live.url("collector-http"),
        "CDP_WRITE_KEY": WRITE_KEY,
        "CDP_KAFKA_BOOTSTRAP": live.stack.kafka,
        "PYTHONUNBUFFERED": "1",
    }


def run(name: str, environment: dict[str, str]) -> None:
    command = [sys.executable, "-W", "error", "-c", snippets()[name]]
    done = subprocess.run(command, env=environment, capture_output=True, text=True, timeout=SECONDS, check=False)
    assert done.returncode == 0, done.stderr


def lines_of(name: str, environment: dict[str, str]) -> Iterator[str]:
    """What a snippet prints that never ends by itself; it is ended with the test."""
    command = [sys.executable, "-W", "error", "-c", snippets()[name]]
    with subprocess.Popen(
        command, env=environment, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True
    ) as process:
        overdue = threading.Timer(SECONDS, process.kill)
        overdue.start()
        try:
            assert process.stdout is not None
            yield from process.stdout
        finally:
            overdue.cancel()
            process.kill()


def test_the_readme_has_the_three_of_them_and_each_is_short() -> None:
    assert tuple(snippets()) == NAMES
    for name, code in snippets().items():
        statements = [node for node in ast.walk(ast.parse(code)) if isinstance(node, ast.stmt)]
        assert len(statements) <= 6, name


async def test_what_the_snippets_emit_reaches_the_snippet_that_subscribes(
    probe: Probe, environment: dict[str, str]
) -> None:
    run("emit over HTTP", environment)
    run("emit over HTTP", environment)
    await probe.profile(lambda found: found["counters"].get("Product Viewed") == 2, anonymous_id="visitor-1")
    run("emit on the broker", environment)
    profile = await probe.profile(
        lambda found: found["counters"].get("Product Viewed") == 3, anonymous_id="visitor-1"
    )

    printed: list[str] = []
    for line in lines_of("subscribe", environment):
        printed.append(line)
        if line.startswith((f"{profile['id']} is in ", f"{profile['id']} entered ")):
            break
    else:
        pytest.fail("".join(printed))

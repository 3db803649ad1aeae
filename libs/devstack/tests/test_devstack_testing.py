"""The tests that share a running platform go to one worker: with two of them there would be two platforms."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

SHARING = """
import pytest

@pytest.mark.parametrize("n", range(8))
def test_shares(live, n):
    assert live == "a platform"
"""
CONFTEST = """
import pytest
from cdp_devstack.testing import pytest_collection_modifyitems

@pytest.fixture(scope="session")
def live():
    return "a platform"
"""


def test_one_worker_gets_all_that_share(tmp_path: Path) -> None:
    (tmp_path / "conftest.py").write_text(CONFTEST)
    for name in ("one", "two"):
        (tmp_path / f"test_sharing_{name}.py").write_text(SHARING)
    command = [
        sys.executable,
        "-m",
        "pytest",
        "-v",
        "-n",
        "2",
        "--dist",
        "loadgroup",
        "-p",
        "no:cacheprovider",
        ".",
    ]
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, timeout=100, check=False)
    workers = re.findall(r"\[(gw\d)\] \[.*PASSED", done.stdout)
    assert len(workers) == 16, done.stdout
    assert len(set(workers)) == 1

"""One platform on the local servers for all small trials."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from cdp_devstack.running import Running, running

sys.path.insert(0, str(Path(__file__).parents[2]))


@pytest.fixture(scope="module")
def up(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Running]:
    """Every trial leaves it working, so that they can share it."""
    with running("local", tmp_path_factory.mktemp("load")) as platform:
        yield platform

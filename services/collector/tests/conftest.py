"""Makes the builders beside it importable, and opens the edge for those tests that need it."""

from __future__ import annotations

import sys
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).parent))

from collector_edge import COOKIES, EdgeUnderTest


@pytest.fixture
async def edge() -> AsyncIterator[EdgeUnderTest]:
    made = EdgeUnderTest()
    made.define()
    async with made.client:
        yield made


@pytest.fixture
async def shop() -> AsyncIterator[EdgeUnderTest]:
    """An edge whose shop keeps a cookie."""
    made = EdgeUnderTest()
    made.define(first_party=COOKIES)
    async with made.client:
        yield made

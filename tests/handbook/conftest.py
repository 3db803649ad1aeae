"""The platform of the handbook: all five services in this process, on the in-memory bus."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).parents[1] / "pipeline"))

from assembly import Pipeline


@pytest.fixture
async def platform() -> Pipeline:
    """All five services with the definitions of infra/definitions."""
    return await Pipeline.ready()

"""The platform of the stories."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).parent))

from assembly import Pipeline


@pytest.fixture
async def platform() -> Pipeline:
    """All five services with the definitions of infra/definitions."""
    return await Pipeline.ready()

"""What the tests on a live platform share."""

from __future__ import annotations

import sys
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from cdp_devstack.running import Running

sys.path.insert(0, str(Path(__file__).parent))

from probing import Probe


@pytest.fixture
async def probe(live: Running) -> AsyncIterator[Probe]:
    """Somebody who sends things to the platform and looks for what becomes of them."""
    made = Probe(live)
    yield made
    await made.close()

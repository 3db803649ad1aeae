"""One short story while a role is killed and Kafka goes away."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest
from cdp_devstack.running import running

from tests.chaos.cluster import Cluster
from tests.chaos.faults import Fault
from tests.chaos.load import draw
from tests.chaos.run import run
from tests.chaos.tape import Tape

SEED = 3
SHORT = (
    Fault(1.0, "kill", "profiles-writer", 0.0),
    Fault(1.5, "outage", "kafka", 0.5),
)

pytestmark = [pytest.mark.stack, pytest.mark.timeout(400), pytest.mark.xdist_group("chaos")]


def test_a_short_story_comes_out_as_the_oracle_says(tmp_path: Path) -> None:
    with running("local", tmp_path) as up:
        cluster = Cluster(up, tmp_path / "roles", None)
        told = asyncio.run(run(cluster, Tape(up.kafka), draw(SEED, people=9, seconds=4), SHORT))
    assert told.differences == []
    assert told.permitted > 50
